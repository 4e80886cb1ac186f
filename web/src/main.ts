/** The page: one market, live.  The rule: what is not current says so. */

import * as api from "./api";
import { Book } from "./book";
import { Chart } from "./chart";
import { Live, type LinkState, type Message } from "./live";
import { clock, decimal, moment, short } from "./numbers";
import { Tape } from "./tape";
import { currentLanguage, isolated, speak, word, type Language, type Word } from "./words";

const INTERVALS = ["1s", "1m", "5m", "15m", "1h", "4h", "1d"];
const CANDLES = 500;
const DAY_EVERY_MS = 10_000;

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

const chosen = new URLSearchParams(location.search);

/** A choice from the address, else from last time. */
function choice(name: string, fallback: string): string {
  return chosen.get(name) ?? localStorage.getItem(`seawall-${name}`) ?? fallback;
}

function remember(name: string, value: string): void {
  localStorage.setItem(`seawall-${name}`, value);
}

const select = element<HTMLSelectElement>("market");
const notice = element("notice");
const statusChip = element("status");
const linkChip = element("link");

let markets: api.Market[] = [];
let market: api.Market | undefined;
let interval = choice("interval", "1m");
let statuses = new Map<string, api.Status>();
let linkState: LinkState = "connecting";
let lastKnownMs = 0;
let day: api.Day | undefined;
/** Grows with each choice of market or interval: an answer to an older one is dropped. */
let generation = 0;

const chart = new Chart(element("chart"), showLegend);
const book = new Book(element("asks"), element("bids"), element("spread"));
const tape = new Tape(element("trades"));
const live = new Live({ onOpen: () => void load(), onMessage, onStatuses, onState });

function showLegend(candle: api.Candle | undefined): void {
  const place = element("legend");
  if (!candle || !market) {
    place.textContent = "";
    return;
  }
  const digits = market.priceDecimals;
  const [o, h, l, c] = [candle.open, candle.high, candle.low, candle.close];
  const text = [o, h, l, c].map((price, index) => `${"OHLC"[index]} ${decimal(price, digits)}`);
  place.textContent = text.join("  ") + `  V ${short(candle.volume)}`;
  place.title = candle.complete ? "" : word("gap");
  place.classList.toggle("gap", !candle.complete);
}

/** Load what the streams only continue; run whenever a socket opens. */
async function load(): Promise<void> {
  const now = market;
  const mine = generation;
  if (!now) return;
  try {
    const [candles, depth, trades, today] = await Promise.all([
      api.candles(now.symbol, interval, CANDLES),
      api.depth(now.symbol),
      api.trades(now.symbol),
      api.day(now.symbol),
    ]);
    if (mine !== generation) return;
    chart.show(candles, now.priceDecimals, interval === "1s");
    element("chart-empty").hidden = candles.length > 0;
    showLegend(chart.last);
    book.show(depth, now);
    tape.show(trades, now);
    day = today;
    showDay();
  } catch {
    // The heartbeat tells the reader; try again while the socket stands.
    window.setTimeout(() => mine === generation && void load(), 2_000);
  }
}

/** Whether a candle was complete is known once it is closed: ask for the last few again. */
async function settle(): Promise<void> {
  const mine = generation;
  if (!market) return;
  try {
    const candles = await api.candles(market.symbol, interval, 3);
    if (mine === generation) chart.settle(candles);
  } catch {
    // The next period asks again.
  }
}

function onMessage(message: Message): void {
  if (!market || !message.stream.startsWith(market.symbol.toLowerCase())) return;
  const kind = message.stream.split("@")[1] ?? "";
  if (kind.startsWith("kline")) onCandle(message.data["k"] as Record<string, unknown>);
  else if (kind.startsWith("depth")) book.show(message.data as unknown as api.Depth, market);
  else if (kind === "trade") onTrade(message.data);
}

function onCandle(row: Record<string, unknown>): void {
  if (row["i"] !== interval) return;
  const text = (key: string): string => String(row[key]);
  const openMs = Number(row["t"]);
  const before = chart.last;
  if (before && openMs > before.openMs) void settle();
  chart.update({
    openMs,
    open: text("o"),
    high: text("h"),
    low: text("l"),
    close: text("c"),
    volume: text("v"),
    complete: before?.openMs === openMs ? before.complete : true,
  });
  element("chart-empty").hidden = true;
  showLegend(chart.last);
}

function onTrade(row: Record<string, unknown>): void {
  if (!market) return;
  const price = String(row["p"]);
  const buyerIsMaker = row["m"] === true;
  const trade = { id: Number(row["t"]), price, size: String(row["q"]), atMs: Number(row["T"]) };
  tape.add({ ...trade, buyerIsMaker }, market);
  showLast(price, buyerIsMaker);
}

function showLast(price: string, fell: boolean): void {
  if (!market) return;
  const place = element("last");
  place.textContent = decimal(price, market.priceDecimals);
  place.classList.toggle("down", fell);
  place.classList.toggle("up", !fell);
  document.title = `${place.textContent} ${market.symbol} · Seawall`;
}

function showDay(): void {
  if (!market || !day) return;
  const fell = day.change.startsWith("-");
  const traded = Number(day.volume) > 0;
  if (traded) showLast(day.last, fell);
  const digits = market.priceDecimals;
  const rows: [Word, string, string][] = [
    ["change", traded ? `${fell ? "" : "+"}${Number(day.percent).toFixed(2)}%` : "–", fell ? "down" : "up"],
    ["high", traded ? decimal(day.high, digits) : "–", ""],
    ["low", traded ? decimal(day.low, digits) : "–", ""],
    ["volume", traded ? `${short(day.volume)} ${market.quote}` : "–", ""],
  ];
  element("day").replaceChildren(
    ...rows.map(([name, value, look]) => {
      const group = document.createElement("div");
      const term = document.createElement("dt");
      const text = document.createElement("dd");
      term.textContent = word(name);
      text.textContent = value;
      text.dir = "ltr";
      text.className = look;
      group.append(term, text);
      return group;
    }),
  );
}

function onStatuses(bySymbol: Map<string, api.Status>): void {
  statuses = bySymbol;
  showState();
}

function onState(state: LinkState, knownMs: number): void {
  if (state === linkState && state === "live" && knownMs - lastKnownMs < 60_000) {
    lastKnownMs = knownMs;
    return;
  }
  linkState = state;
  lastKnownMs = knownMs;
  showState();
}

function showState(): void {
  const stale = linkState === "stale";
  document.body.classList.toggle("stale", stale);
  linkChip.dataset.link = linkState;
  linkChip.textContent = word(linkState);
  const found = market && !stale ? statuses.get(market.symbol) : undefined;
  const status = found?.status ?? "unknown";
  statusChip.dataset.status = status;
  statusChip.textContent = word(status as Word);
  // What a demo plays is told where one looks for the small print.
  const told = found && status === "open" && found.reason !== "listed";
  element("about").textContent = told ? isolated(found.reason) : "";
  let text = "";
  if (stale && lastKnownMs === 0) text = word("neverKnown");
  else if (stale) text = word("lastKnown", { time: isolated(moment(lastKnownMs)) });
  else if (found && status !== "open") {
    const time = isolated(`${clock(found.sinceMs)} UTC`);
    text = word("statusNotice", { status: word(status as Word), time, reason: found.reason });
  }
  notice.hidden = text === "";
  if (notice.textContent !== text) notice.textContent = text;
}

function follow(symbol: string): void {
  market = markets.find((candidate) => candidate.symbol === symbol) ?? markets[0];
  if (!market) return;
  generation += 1;
  select.value = market.symbol;
  remember("market", market.symbol);
  element("last").textContent = "–";
  const name = market.symbol.toLowerCase();
  live.follow([`${name}@kline_${interval}`, `${name}@depth20@100ms`, `${name}@trade`]);
  showState();
}

function offerIntervals(): void {
  element("intervals").replaceChildren(
    ...INTERVALS.map((name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.dir = "ltr";
      button.setAttribute("aria-pressed", String(name === interval));
      button.onclick = () => {
        interval = name;
        remember("interval", name);
        offerIntervals();
        if (market) follow(market.symbol);
      };
      return button;
    }),
  );
}

function setLanguage(language: Language): void {
  speak(language);
  remember("language", language);
  element("language").textContent = word("otherLanguage");
  element("theme").textContent = word(theme() === "dark" ? "light" : "dark");
  showDay();
  showState();
  book.draw();
}

function theme(): string {
  return document.documentElement.dataset.theme ?? "dark";
}

function setTheme(name: string): void {
  document.documentElement.dataset.theme = name;
  remember("theme", name);
  element("theme").textContent = word(name === "dark" ? "light" : "dark");
  chart.repaint();
}

async function findMarkets(): Promise<void> {
  try {
    markets = await api.markets();
  } catch {
    window.setTimeout(() => void findMarkets(), 2_000);
    return;
  }
  select.replaceChildren(
    ...markets.map((found) => new Option(`${found.base} / ${found.quote}`, found.symbol)),
  );
  follow(choice("market", "BTCUSDT"));
}

select.onchange = () => follow(select.value);
element("language").onclick = () => setLanguage(currentLanguage() === "ar" ? "en" : "ar");
element("theme").onclick = () => setTheme(theme() === "dark" ? "light" : "dark");

window.setInterval(() => {
  if (linkState !== "live" || !market || document.hidden) return;
  const mine = generation;
  void api.day(market.symbol).then(
    (today) => {
      if (mine !== generation) return;
      day = today;
      showDay();
    },
    () => undefined,
  );
}, DAY_EVERY_MS);

const prefersLight = window.matchMedia("(prefers-color-scheme: light)").matches;
setTheme(choice("theme", prefersLight ? "light" : "dark"));
setLanguage(choice("language", navigator.language.startsWith("ar") ? "ar" : "en") as Language);
offerIntervals();
void findMarkets();
