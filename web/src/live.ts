/** The live connection.  The rule: it always knows how old its knowledge is. */

import { statuses, type Status } from "./api";

const HEARTBEAT_MS = 2_000;
const STALE_MS = 6_000;
const RETRY_MS_MAX = 10_000;
/** Who listens to it is told that a node was cut off, and not sent away. */
const STATUS = "seawall@status";

export type Message = { stream: string; data: Record<string, unknown> };
export type LinkState = "connecting" | "live" | "stale";

export interface Listener {
  /** A socket has opened: load the past, then take messages. */
  onOpen(): void;
  onMessage(message: Message): void;
  onStatuses(bySymbol: Map<string, Status>): void;
  /** `lastKnownMs` is the newest journal time heard of; 0 if none was. */
  onState(state: LinkState, lastKnownMs: number): void;
}

/** One socket with the streams of one market; opened anew for ever, with growing pauses. */
export class Live {
  private socket: WebSocket | null = null;
  private streams: string[] = [];
  private heardMs = 0;
  private lastKnownMs = 0;
  private current = true;
  private pauseMs = 500;
  private retry = 0;

  constructor(private readonly listener: Listener) {
    setInterval(() => void this.beat(), HEARTBEAT_MS);
    setInterval(() => this.judge(), 500);
    // A page that was hidden was throttled: look at once when it comes back.
    document.addEventListener("visibilitychange", () => void this.beat());
    void this.beat();
  }

  follow(streams: string[]): void {
    this.streams = streams;
    this.pauseMs = 500;
    this.open();
  }

  private open(): void {
    clearTimeout(this.retry);
    this.drop();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(
      `${scheme}://${location.host}/stream?streams=${[...this.streams, STATUS].join("/")}`,
    );
    this.socket = socket;
    socket.onopen = () => {
      this.pauseMs = 500;
      this.listener.onOpen();
      this.judge();
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      if (this.socket !== socket) return;
      const message = JSON.parse(event.data) as Partial<Message>;
      if (message.stream === STATUS) this.onStatus(message.data ?? {});
      else if (message.stream && message.data) this.listener.onMessage(message as Message);
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.retry = window.setTimeout(() => this.open(), this.pauseMs);
      this.pauseMs = Math.min(this.pauseMs * 2, RETRY_MS_MAX);
      this.judge();
    };
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    // The browser calls it an error to close a socket that is still connecting.
    if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket?.close();
  }

  private async beat(): Promise<void> {
    try {
      const { asOfMs, current, bySymbol } = await statuses();
      this.current = current;
      // An answer is no sign of life: only a journal that moves on is, and that can be asked.
      const moved = asOfMs > this.lastKnownMs;
      if (moved) this.lastKnownMs = asOfMs;
      if (moved && current) {
        this.heardMs = performance.now();
        this.listener.onStatuses(bySymbol);
      }
    } catch {
      // Silence is what `judge` looks for.
    } finally {
      this.judge();
    }
  }

  private onStatus(status: Record<string, unknown>): void {
    this.current = status["state"] === "current";
    this.lastKnownMs = Math.max(this.lastKnownMs, Number(status["asOf"]));
    this.judge();
  }

  private judge(): void {
    const open = this.socket?.readyState === WebSocket.OPEN;
    const heard = this.heardMs > 0 && performance.now() - this.heardMs < STALE_MS;
    let state: LinkState = "stale";
    if (!this.current) state = "stale";
    else if (open && heard) state = "live";
    else if (this.lastKnownMs === 0 && performance.now() < STALE_MS) state = "connecting";
    this.listener.onState(state, this.lastKnownMs);
  }
}
