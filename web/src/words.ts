/** Every word on the page, in both languages.  The rule: numbers stay left to right. */

export type Language = "en" | "ar";

const english = {
  market: "Market",
  chart: "Candles",
  book: "Order book",
  trades: "Trades",
  price: "Price",
  size: "Size",
  total: "Total",
  time: "Time",
  spread: "Spread",
  change: "24 h",
  high: "High",
  low: "Low",
  volume: "Volume",
  noTrades: "No trades yet.",
  emptyBook: "The book is empty.",
  utc: "Times are UTC.",
  charts: "Charts: TradingView Lightweight Charts.",
  live: "Live",
  connecting: "Connecting",
  stale: "Not live",
  lastKnown: "Not live. Everything here is as last known at {time}.",
  neverKnown: "The exchange does not answer. Nothing is known yet.",
  gap: "incomplete: the exchange or the market was not open for all of it",
  open: "Open",
  post_only: "Post only",
  auction: "Auction",
  cancel_only: "Cancel only",
  halted: "Halted",
  unknown: "Status unknown",
  statusNotice: "{status} since {time}: {reason}",
  dark: "Dark",
  light: "Light",
  otherLanguage: "العربية",
};

export type Word = keyof typeof english;

const arabic: Record<Word, string> = {
  market: "السوق",
  chart: "الشموع",
  book: "دفتر الأوامر",
  trades: "الصفقات",
  price: "السعر",
  size: "الكمية",
  total: "الإجمالي",
  time: "الوقت",
  spread: "الفارق",
  change: "24 ساعة",
  high: "الأعلى",
  low: "الأدنى",
  volume: "الحجم",
  noTrades: "لا صفقات بعد.",
  emptyBook: "الدفتر فارغ.",
  utc: "الأوقات بالتوقيت العالمي UTC.",
  charts: "الرسوم: TradingView Lightweight Charts.",
  live: "مباشر",
  connecting: "جارٍ الاتصال",
  stale: "غير مباشر",
  lastKnown: "غير مباشر. كل ما هنا هو آخر ما عُرف عند {time}.",
  neverKnown: "البورصة لا تجيب. لا شيء معروف بعد.",
  gap: "غير مكتملة: البورصة أو السوق لم تكن مفتوحة طوالها",
  open: "مفتوح",
  post_only: "أوامر معلّقة فقط",
  auction: "مزاد",
  cancel_only: "إلغاء فقط",
  halted: "موقوف",
  unknown: "الحالة غير معروفة",
  statusNotice: "{status} منذ {time}: {reason}",
  dark: "داكن",
  light: "فاتح",
  otherLanguage: "English",
};

const tables: Record<Language, Record<Word, string>> = { en: english, ar: arabic };

let language: Language = "en";

export function currentLanguage(): Language {
  return language;
}

/** Choose the language, and turn the whole page to its direction. */
export function speak(chosen: Language): void {
  language = chosen;
  document.documentElement.lang = chosen;
  document.documentElement.dir = chosen === "ar" ? "rtl" : "ltr";
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = word(element.dataset.text as Word);
  }
}

export function word(name: Word, values: Record<string, string> = {}): string {
  return tables[language][name].replace(/\{(\w+)\}/g, (whole, key: string) => values[key] ?? whole);
}

/** A number or time inside a sentence of either direction. */
export function isolated(text: string): string {
  return `\u2066${text}\u2069`;
}
