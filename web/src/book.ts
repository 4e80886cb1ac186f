/** The order book.  The rule: asks above, bids below, the best of each next to the spread. */

import type { Depth, Level, Market } from "./api";
import { decimal } from "./numbers";
import { word } from "./words";

const ROWS = 14;

export class Book {
  private depth: Depth = { bids: [], asks: [] };
  private market: Market | null = null;

  constructor(
    private readonly asks: HTMLElement,
    private readonly bids: HTMLElement,
    private readonly spread: HTMLElement,
  ) {
    fill(asks);
    fill(bids);
  }

  show(depth: Depth, market: Market): void {
    this.depth = depth;
    this.market = market;
    this.draw();
  }

  draw(): void {
    const market = this.market;
    if (!market) return;
    const { bids, asks } = this.depth;
    const deepest = Math.max(total(bids), total(asks), Number.MIN_VALUE);
    paint(this.asks, asks, market, deepest);
    paint(this.bids, bids, market, deepest);
    const [bid, ask] = [bids[0]?.[0], asks[0]?.[0]];
    if (bid === undefined && ask === undefined) {
      this.spread.textContent = word("emptyBook");
      return;
    }
    const gap = bid && ask ? (Number(ask) - Number(bid)).toFixed(market.priceDecimals) : "–";
    this.spread.textContent = `${word("spread")} ${gap}`;
  }
}

function fill(side: HTMLElement): void {
  for (let index = 0; index < ROWS; index += 1) {
    const row = document.createElement("div");
    row.className = "row level";
    row.append(...["price", "size", "total"].map(cell));
    side.append(row);
  }
}

function cell(name: string): HTMLElement {
  const element = document.createElement("span");
  element.className = name;
  element.dir = "ltr";
  return element;
}

function total(levels: Level[]): number {
  return levels.slice(0, ROWS).reduce((sum, level) => sum + Number(level[1]), 0);
}

/** Rows stand best first; the style sheet turns the asks upside down. */
function paint(side: HTMLElement, levels: Level[], market: Market, deepest: number): void {
  let sum = 0;
  for (let index = 0; index < ROWS; index += 1) {
    const row = side.children[index] as HTMLElement;
    const level = levels[index];
    const [price, size, running] = row.children as unknown as [HTMLElement, HTMLElement, HTMLElement];
    if (!level) {
      row.style.setProperty("--share", "0");
      price.textContent = size.textContent = running.textContent = "";
      continue;
    }
    sum += Number(level[1]);
    row.style.setProperty("--share", (sum / deepest).toFixed(4));
    price.textContent = decimal(level[0], market.priceDecimals);
    size.textContent = decimal(level[1], market.sizeDecimals);
    running.textContent = decimal(sum.toFixed(market.sizeDecimals), market.sizeDecimals);
  }
}
