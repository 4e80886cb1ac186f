/** The trades, newest first.  The rule: each trade appears once, by its id. */

import type { Market, Trade } from "./api";
import { clock, decimal } from "./numbers";
import { word } from "./words";

const ROWS = 50;

export class Tape {
  private lastId = -1;

  constructor(private readonly place: HTMLElement) {}

  show(trades: Trade[], market: Market): void {
    this.lastId = -1;
    this.place.replaceChildren();
    if (trades.length === 0) {
      const empty = document.createElement("p");
      empty.className = "empty";
      empty.dataset.text = "noTrades";
      empty.textContent = word("noTrades");
      this.place.append(empty);
    }
    for (const trade of trades) this.add(trade, market, false);
  }

  add(trade: Trade, market: Market, fresh = true): void {
    if (trade.id <= this.lastId) return;
    this.lastId = trade.id;
    this.place.querySelector(".empty")?.remove();
    const row = document.createElement("div");
    row.className = `row trade ${trade.buyerIsMaker ? "down" : "up"}${fresh ? " fresh" : ""}`;
    row.dataset.id = String(trade.id);
    const texts = [
      decimal(trade.price, market.priceDecimals),
      decimal(trade.size, market.sizeDecimals),
      clock(trade.atMs),
    ];
    for (const text of texts) {
      const span = document.createElement("span");
      span.dir = "ltr";
      span.textContent = text;
      row.append(span);
    }
    this.place.prepend(row);
    while (this.place.children.length > ROWS) this.place.lastElementChild?.remove();
  }
}
