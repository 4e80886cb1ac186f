// The plain page: candles, book and trades, asked for every two seconds.
// The rule: what is not current says so.

const EVERY_MS = 2_000;
const STALE_MS = 6_000;
const CANDLES = 120;
const ROWS = 12;

const by = (id) => document.getElementById(id);
const clock = (ms) => new Date(ms).toISOString().slice(11, 19);
let heardMs = 0;
let asOf = 0;
let current = true;

async function get(path) {
  // What is last known is shown too, and said to be that.
  const headers = { "X-Seawall-Last-Known": "1" };
  const answer = await fetch(path, { signal: AbortSignal.timeout(4_000), cache: "no-store", headers });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

function row(texts, look) {
  const line = document.createElement("tr");
  line.className = look;
  for (const text of texts) line.insertCell().textContent = text;
  return line;
}

function draw(candles) {
  const canvas = by("chart");
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.dataset.candles = candles.length;
  if (candles.length === 0) return;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const top = Math.max(...candles.map((candle) => Number(candle.high)));
  const bottom = Math.min(...candles.map((candle) => Number(candle.low)));
  const y = (price) => 12 + ((top - price) / (top - bottom || 1)) * (height - 24);
  const step = width / CANDLES;
  candles.forEach((candle, index) => {
    const [open, high, low, close] = ["open", "high", "low", "close"].map((k) => Number(candle[k]));
    pen.fillStyle = !candle.complete ? "#6d7f88" : close >= open ? "#2fc5a0" : "#f0697a";
    pen.fillRect((index + 0.45) * step, y(high), 1, Math.max(1, y(low) - y(high)));
    const from = y(Math.max(open, close));
    pen.fillRect((index + 0.15) * step, from, step * 0.7, Math.max(1, y(Math.min(open, close)) - from));
  });
}

async function show() {
  const symbol = by("market").value;
  const [statuses, { candles }, depth, trades] = await Promise.all([
    get("/seawall/v1/markets"),
    get(`/seawall/v1/candles?symbol=${symbol}&interval=1m&limit=${CANDLES}`),
    get(`/api/v3/depth?symbol=${symbol}&limit=20`),
    get(`/api/v3/trades?symbol=${symbol}&limit=25`),
  ]);
  current = statuses.current;
  if (statuses.asOf > asOf) {
    asOf = statuses.asOf;
    if (current) heardMs = performance.now();
  }
  draw(candles);
  by("book").replaceChildren(
    ...depth.asks.slice(0, ROWS).reverse().map((level) => row(level, "down")),
    ...depth.bids.slice(0, ROWS).map((level) => row(level, "up")),
  );
  by("trades").replaceChildren(
    ...trades
      .reverse()
      .map((trade) => row([trade.price, trade.qty, clock(trade.time)], trade.isBuyerMaker ? "down" : "up")),
  );
  by("last").textContent = trades[0]?.price ?? "–";
  const market = statuses.markets.find((found) => found.symbol === symbol);
  by("state").textContent = market ? market.status : "unknown";
}

function judge() {
  const stale = !current || performance.now() - heardMs > STALE_MS;
  document.body.classList.toggle("stale", stale);
  by("notice").hidden = !stale;
  if (!stale) return;
  by("state").textContent = "Not live";
  by("notice").textContent = asOf
    ? `Not live. Everything here is as last known at ${new Date(asOf).toISOString()}.`
    : "The exchange does not answer. Nothing is known yet.";
}

async function run() {
  try {
    if (by("market").options.length === 0) {
      const { symbols } = await get("/api/v3/exchangeInfo");
      by("market").replaceChildren(...symbols.map(({ symbol }) => new Option(symbol, symbol)));
    }
    await show();
  } catch {
    // `judge` tells the reader.
  }
  judge();
  setTimeout(run, EVERY_MS);
}

by("market").onchange = () => void show().catch(() => undefined);
void run();
