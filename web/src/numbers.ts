/** Decimal text for people.  The rule: digits are cut, never recomputed. */

/** Show a decimal with exactly `decimals` fractional digits and grouped thousands. */
export function decimal(text: string, decimals: number): string {
  const [whole = "0", fraction = ""] = text.split(".");
  const sign = whole.startsWith("-") ? "-" : "";
  const grouped = whole.replace("-", "").replace(/\B(?=(\d{3})+$)/g, ",");
  const shown = fraction.padEnd(decimals, "0").slice(0, decimals);
  return sign + grouped + (decimals > 0 ? `.${shown}` : "");
}

/** A large number, short: 1,234,567.8 becomes 1.23M. */
export function short(text: string): string {
  const value = Number(text);
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 }).format(value);
}

export function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 19);
}

export function moment(atMs: number): string {
  const text = new Date(atMs).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
}
