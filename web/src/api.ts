/** What the page asks over HTTP.  The rule: decimals stay text until a chart needs a number. */

export interface Market {
  symbol: string;
  base: string;
  quote: string;
  priceDecimals: number;
  sizeDecimals: number;
}

export interface Status {
  status: string;
  reason: string;
  sinceMs: number;
}

export interface Candle {
  openMs: number;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  complete: boolean;
}

export interface Trade {
  id: number;
  price: string;
  size: string;
  atMs: number;
  buyerIsMaker: boolean;
}

export interface Day {
  change: string;
  percent: string;
  high: string;
  low: string;
  volume: string;
  last: string;
}

export type Level = [price: string, size: string];

export interface Depth {
  bids: Level[];
  asks: Level[];
}

const PATIENCE_MS = 4_000;
/** Quotes are wanted even where they are not the present: the page says of when they are. */
const LAST_KNOWN = { "X-Seawall-Last-Known": "1" };

async function get<T>(path: string, query: Record<string, string | number> = {}): Promise<T> {
  const text = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)])).toString();
  const answer = await fetch(text ? `${path}?${text}` : path, {
    signal: AbortSignal.timeout(PATIENCE_MS),
    cache: "no-store",
    headers: LAST_KNOWN,
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return (await answer.json()) as T;
}

/** What the exchange knows: as of when, whether that is the present, every market's status. */
export interface Known {
  asOfMs: number;
  current: boolean;
  bySymbol: Map<string, Status>;
}

export async function statuses(): Promise<Known> {
  const answer = await get<{
    asOf: number;
    current: boolean;
    markets: { symbol: string; status: string; reason: string; since: number }[];
  }>("/seawall/v1/markets");
  const bySymbol = new Map<string, Status>();
  for (const { symbol, status, reason, since } of answer.markets) {
    bySymbol.set(symbol, { status, reason, sinceMs: since });
  }
  return { asOfMs: answer.asOf, current: answer.current, bySymbol };
}

interface Filter {
  filterType: string;
  tickSize?: string;
  stepSize?: string;
}

export async function markets(): Promise<Market[]> {
  const info = await get<{
    symbols: { symbol: string; baseAsset: string; quoteAsset: string; filters: Filter[] }[];
  }>("/api/v3/exchangeInfo");
  return info.symbols.map((symbol) => ({
    symbol: symbol.symbol,
    base: symbol.baseAsset,
    quote: symbol.quoteAsset,
    priceDecimals: decimalsOf(find(symbol.filters, "PRICE_FILTER")?.tickSize),
    sizeDecimals: decimalsOf(find(symbol.filters, "LOT_SIZE")?.stepSize),
  }));
}

function find(filters: Filter[], type: string): Filter | undefined {
  return filters.find((filter) => filter.filterType === type);
}

/** Fractional digits that a step such as "0.01000000" leaves. */
function decimalsOf(step: string | undefined): number {
  const fraction = (step ?? "0.00000001").split(".")[1] ?? "";
  return fraction.replace(/0+$/, "").length;
}

export async function candles(symbol: string, interval: string, limit: number): Promise<Candle[]> {
  const answer = await get<{ candles: (Omit<Candle, "openMs"> & { openTime: number })[] }>(
    "/seawall/v1/candles",
    { symbol, interval, limit },
  );
  return answer.candles.map(({ openTime, open, high, low, close, volume, complete }) => ({
    openMs: openTime,
    open,
    high,
    low,
    close,
    volume,
    complete,
  }));
}

export async function depth(symbol: string): Promise<Depth> {
  return get<Depth>("/api/v3/depth", { symbol, limit: 20 });
}

export async function trades(symbol: string): Promise<Trade[]> {
  const rows = await get<
    { id: number; price: string; qty: string; time: number; isBuyerMaker: boolean }[]
  >("/api/v3/trades", { symbol, limit: 50 });
  return rows.map((row) => ({
    id: row.id,
    price: row.price,
    size: row.qty,
    atMs: row.time,
    buyerIsMaker: row.isBuyerMaker,
  }));
}

export async function day(symbol: string): Promise<Day> {
  const row = await get<Record<string, string>>("/api/v3/ticker/24hr", { symbol });
  return {
    change: row.priceChange ?? "",
    percent: row.priceChangePercent ?? "",
    high: row.highPrice ?? "",
    low: row.lowPrice ?? "",
    volume: row.quoteVolume ?? "",
    last: row.lastPrice ?? "",
  };
}
