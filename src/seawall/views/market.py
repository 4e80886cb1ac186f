"""One market as its followers see it.  The rule: all of it fits in memory and in a dump."""

from msgspec import Struct

from seawall.views.bars import Bar
from seawall.views.candles import FormingCandles
from seawall.views.depth import DepthView
from seawall.views.interruptions import Interruption, Interruptions
from seawall.views.periods import INTERVALS, MINUTE_NS
from seawall.views.rows import AveragePrice, Depth, Ticker
from seawall.views.tickers import RollingWindow
from seawall.views.trades import TradeTape, TradeTuple

AVERAGE_MINUTES = 5
_MINUTE = INTERVALS.index("1m")


class MarketDump(Struct, frozen=True, kw_only=True):
    """A market's views as a snapshot keeps them."""

    symbol: str
    atoms_per_tick_lot: int
    depth: Depth
    last_trade: TradeTuple | None
    next_agg_id: int
    first_trade_ns: int
    current: list[Bar]
    previous: list[Bar | None]
    minutes: list[Bar]
    dropped_close: int
    interruptions: list[Interruption]


class MarketView:
    """Book, tape, candles and rolling window of one market."""

    def __init__(self, symbol: str, atoms_per_tick_lot: int) -> None:
        self.symbol = symbol
        self.atoms_per_tick_lot = atoms_per_tick_lot
        self.depth = DepthView()
        self.tape = TradeTape()
        self.forming = FormingCandles()
        self.window = RollingWindow()
        self.interruptions = Interruptions(symbol)
        self.forming.on_minute = self.window.add

    def ticker(self, from_ns: int, close_ns: int) -> Ticker:
        """Return the market from `from_ns` (a full minute) on; `close_ns` is only written down."""
        bar, before_ticks = self._fold(from_ns, close_ns)
        best = self.depth.best()
        last = self.tape.last
        last_ticks = last[2] if last else 0
        return Ticker(
            symbol=self.symbol,
            open_ns=from_ns,
            close_ns=close_ns,
            open_ticks=bar.open_ticks if bar else last_ticks,
            high_ticks=bar.high_ticks if bar else last_ticks,
            low_ticks=bar.low_ticks if bar else last_ticks,
            last_ticks=last_ticks,
            last_lots=last[3] if last and bar else 0,
            size_lots=bar.size_lots if bar else 0,
            quote_atoms=bar.quote_atoms if bar else 0,
            first_trade_id=bar.first_trade_id if bar else -1,
            last_trade_id=bar.last_trade_id if bar else -1,
            trade_count=bar.trade_count if bar else 0,
            previous_close_ticks=before_ticks or (bar.open_ticks if bar else last_ticks),
            bid_ticks=best.bid_ticks,
            bid_lots=best.bid_lots,
            ask_ticks=best.ask_ticks,
            ask_lots=best.ask_lots,
        )

    def average_price(self, now_ns: int) -> AveragePrice:
        """Return the average that the core's price filters use: this minute and four before."""
        from_ns = (now_ns // MINUTE_NS - AVERAGE_MINUTES + 1) * MINUTE_NS
        bar, _ = self._fold(from_ns, now_ns)
        last = self.tape.last
        return AveragePrice(
            minutes=AVERAGE_MINUTES,
            tick_lots=bar.quote_atoms // self.atoms_per_tick_lot if bar else 0,
            size_lots=bar.size_lots if bar else 0,
            last_ticks=last[2] if last else 0,
            close_ns=last[5] if last else -1,
        )

    def dump(self) -> MarketDump:
        self.forming.settle()
        return MarketDump(
            symbol=self.symbol,
            atoms_per_tick_lot=self.atoms_per_tick_lot,
            depth=self.depth.dump(),
            last_trade=self.tape.last,
            next_agg_id=self.tape.next_agg_id,
            first_trade_ns=self.forming.first_trade_ns,
            current=self.forming.current,
            previous=self.forming.previous,
            minutes=self.window.dump(),
            dropped_close=self.window.dropped_close,
            interruptions=list(self.interruptions.recent),
        )

    @classmethod
    def load(cls, dumped: MarketDump) -> "MarketView":
        view = cls(dumped.symbol, dumped.atoms_per_tick_lot)
        view.depth.load(dumped.depth)
        view.tape.last = dumped.last_trade
        view.tape.next_agg_id = dumped.next_agg_id
        view.forming.first_trade_ns = dumped.first_trade_ns
        view.forming.current = dumped.current
        view.forming.previous = dumped.previous
        view.window.load(dumped.minutes, dumped.dropped_close)
        view.interruptions.recent.extend(dumped.interruptions)
        return view

    def _fold(self, from_ns: int, now_ns: int) -> tuple[Bar | None, int]:
        self.forming.settle()
        minute = self.forming.current[_MINUTE] if self.forming.current else None
        return self.window.fold(from_ns, minute, now_ns)
