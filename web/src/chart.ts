/** The candles.  The rule: an incomplete candle looks incomplete. */

import {
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  HistogramSeries,
  createChart,
  type CandlestickData,
  type HistogramData,
  type IChartApi,
  type ISeriesApi,
  type UTCTimestamp,
} from "lightweight-charts";

import type { Candle } from "./api";

interface Colors {
  up: string;
  down: string;
  gap: string;
  text: string;
  grid: string;
  ground: string;
}

function colors(): Colors {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    up: read("--up"),
    down: read("--down"),
    gap: read("--gap"),
    text: read("--dim"),
    grid: read("--line"),
    ground: read("--panel"),
  };
}

export class Chart {
  private readonly chart: IChartApi;
  private readonly bars: ISeriesApi<"Candlestick">;
  private readonly volumes: ISeriesApi<"Histogram">;
  private candles: Candle[] = [];
  private tints = colors();

  constructor(
    private readonly place: HTMLElement,
    onLegend: (candle: Candle | undefined) => void,
  ) {
    this.chart = createChart(place, {
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 4 },
      localization: { locale: "en-GB" },
    });
    this.bars = this.chart.addSeries(CandlestickSeries, { borderVisible: false });
    this.volumes = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.volumes.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.chart.subscribeCrosshairMove((event) => {
      const at = event.time as number | undefined;
      const found = at === undefined ? undefined : this.candles.find((c) => c.openMs === at * 1000);
      onLegend(found ?? this.candles.at(-1));
    });
    this.repaint();
  }

  /** Take over the page's colours. */
  repaint(): void {
    this.tints = colors();
    const { up, down, text, grid, ground } = this.tints;
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: ground },
        textColor: text,
        fontFamily: "inherit",
      },
      grid: { vertLines: { color: grid }, horzLines: { color: grid } },
      rightPriceScale: { borderColor: grid },
      timeScale: { borderColor: grid },
    });
    this.bars.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.draw();
  }

  show(candles: Candle[], priceDecimals: number, secondsVisible: boolean): void {
    this.candles = candles;
    this.bars.applyOptions({
      priceFormat: { type: "price", precision: priceDecimals, minMove: 10 ** -priceDecimals },
    });
    this.chart.applyOptions({ timeScale: { secondsVisible } });
    this.draw();
    const shown = Math.max(30, Math.floor(this.place.clientWidth / 9));
    this.chart
      .timeScale()
      .setVisibleLogicalRange({ from: candles.length - shown, to: candles.length + 4 });
  }

  /** Take a live candle: the last one again, or the next. */
  update(candle: Candle): void {
    const last = this.candles.at(-1);
    if (last && candle.openMs < last.openMs) return;
    if (last && candle.openMs === last.openMs) this.candles[this.candles.length - 1] = candle;
    else this.candles.push(candle);
    this.bars.update(this.bar(candle));
    this.volumes.update(this.volume(candle));
    this.place.dataset.candles = String(this.candles.length);
  }

  /** Take over what is only known of closed candles. */
  settle(candles: Candle[]): void {
    let changed = false;
    for (const settled of candles) {
      const index = this.candles.findLastIndex((candle) => candle.openMs === settled.openMs);
      if (index < 0 || this.candles[index]?.complete === settled.complete) continue;
      this.candles[index] = settled;
      changed = true;
    }
    if (changed) this.draw();
  }

  get last(): Candle | undefined {
    return this.candles.at(-1);
  }

  private draw(): void {
    this.bars.setData(this.candles.map((candle) => this.bar(candle)));
    this.volumes.setData(this.candles.map((candle) => this.volume(candle)));
    this.place.dataset.candles = String(this.candles.length);
  }

  private bar(candle: Candle): CandlestickData<UTCTimestamp> {
    const tint = candle.complete ? {} : { color: this.tints.gap, wickColor: this.tints.gap };
    return {
      time: (candle.openMs / 1000) as UTCTimestamp,
      open: Number(candle.open),
      high: Number(candle.high),
      low: Number(candle.low),
      close: Number(candle.close),
      ...tint,
    };
  }

  private volume(candle: Candle): HistogramData<UTCTimestamp> {
    const rose = Number(candle.close) >= Number(candle.open);
    return {
      time: (candle.openMs / 1000) as UTCTimestamp,
      value: Number(candle.volume),
      color: `${rose ? this.tints.up : this.tints.down}55`,
    };
  }
}
