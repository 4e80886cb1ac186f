"""Other engines from PyPI, each behind the same three calls.  The rule: use each as its docs do.

Each is measured in a process of its own, with the engine's folder on the path: see `measure`.
An order's price goes in as each engine likes it: as ticks, or as a decimal of two places.
"""

import gc
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any, Final, Protocol
from uuid import UUID

from msgspec import Struct

from seawall.lab.bench.flow import CANCEL, Flow
from seawall.lab.bench.measured import Measured

CHUNK: Final = 256
"""Steps between two looks at the clock."""


class Engine(Protocol):
    """What an adapter offers; `place` returns the number of makers met, -1 if it cannot tell."""

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int: ...

    def cancel(self, order_id: int) -> None: ...


class Rival(Struct, frozen=True, kw_only=True):
    """One package, and what it is made of."""

    package: str
    kind: str
    """`python` or `native`."""
    open: Callable[[], Engine]
    extras: str = ""

    @property
    def requirement(self) -> str:
        return f"{self.package}{self.extras}"


class LightMatchingEngine:
    def __init__(self) -> None:
        self._engine = import_module(
            "lightmatchingengine.lightmatchingengine"
        ).LightMatchingEngine()
        self._ids: dict[int, int] = {}

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        order, trades = self._engine.add_order("BTCUSDT", price_ticks, lots, 1 if is_buy else 2)
        self._ids[order_id] = order.order_id
        # It reports one trade for the taker per level, then one for each maker.
        return sum(1 for trade in trades if trade.order_id != order.order_id)

    def cancel(self, order_id: int) -> None:
        self._engine.cancel_order(self._ids[order_id], "BTCUSDT")


class OrderMatching:
    """Matches in batches; an exchange answers each order, so each is a batch of its own."""

    def __init__(self) -> None:
        import_module("loguru").logger.remove()
        self._engine = import_module("order_matching.matching_engine").MatchingEngine(seed=1)
        self._order = import_module("order_matching.order").LimitOrder
        self._orders = import_module("order_matching.orders").Orders
        side = import_module("order_matching.enums").Side
        self._buy, self._sell = side.BUY, side.SELL
        self._now = datetime(2024, 8, 8, tzinfo=UTC).replace(tzinfo=None)

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        self._now += timedelta(microseconds=1)
        order = self._order(
            side=self._buy if is_buy else self._sell,
            price=price_ticks / 100,
            size=lots,
            timestamp=self._now,
            order_id=str(order_id),
            trader_id="x",
            price_number_of_digits=2,
        )
        self._engine.place(orders=self._orders([order]))
        return len(self._engine.match(timestamp=self._now).trades)

    def cancel(self, order_id: int) -> None:
        self._engine.cancel_order(str(order_id))
        self._engine.match(timestamp=self._now)


class FastLob:
    def __init__(self) -> None:
        lob = import_module("fastlob")
        self._book = lob.Orderbook(name="bench")
        self._book.start()
        self._params, self._gtc = lob.OrderParams, lob.OrderType.GTC
        self._bid, self._ask = lob.OrderSide.BID, lob.OrderSide.ASK
        self._ids: dict[int, str] = {}

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        side = self._bid if is_buy else self._ask
        params = self._params(side, price_ticks / 100, lots, self._gtc)
        result = self._book(params)
        self._ids[order_id] = result.orderid()
        return -1

    def cancel(self, order_id: int) -> None:
        self._book.cancel(self._ids[order_id])


class PyOrderBook:
    def __init__(self) -> None:
        module = import_module("pyorderbook")
        logging.getLogger().setLevel(logging.CRITICAL)
        # Its cancel() logs with a stray argument, which logging reports on standard error.
        logging.raiseExceptions = False
        self._book, self._bid, self._ask = module.Book(), module.bid, module.ask
        self._orders: dict[int, Any] = {}

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        make = self._bid if is_buy else self._ask
        order = make("BTCUSDT", price_ticks / 100, lots)
        self._orders[order_id] = order
        return len(self._book.match(order).trades)

    def cancel(self, order_id: int) -> None:
        self._book.cancel(self._orders[order_id])


class DecimalBook:
    """Two packages of one author share an interface: one plain, one compiled with Cython."""

    def __init__(self, module: str) -> None:
        book = import_module(module)
        self._book, self._order = book.OrderBook(), book.Order
        self._bid, self._ask = book.OrderSide.BID, book.OrderSide.ASK
        self._ids: dict[int, str] = {}

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        price = Decimal(price_ticks).scaleb(-2)
        order = self._order(self._bid if is_buy else self._ask, price, lots)
        self._ids[order_id] = order.order_id
        self._book.add_limit_order(order)
        return -1

    def cancel(self, order_id: int) -> None:
        self._book.cancel_order(self._ids[order_id])


class Manticore:
    def __init__(self) -> None:
        module = import_module("manticore_orderbook")
        self._book = module.OrderBook("BTCUSDT", log_level=logging.CRITICAL)

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        side = "buy" if is_buy else "sell"
        self._book.add_order(side, price_ticks / 100, lots, order_id=str(order_id))
        return -1

    def cancel(self, order_id: int) -> None:
        self._book.cancel_order(str(order_id))


class LimitOrderBook:
    """C++ through ctypes; its calls return nothing, so the caller never learns of a fill."""

    def __init__(self) -> None:
        self._book = import_module("limit_order_book").LimitOrderBook()

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        if is_buy:
            self._book.limit_buy(order_id, lots, price_ticks)
        else:
            self._book.limit_sell(order_id, lots, price_ticks)
        return -1

    def cancel(self, order_id: int) -> None:
        self._book.cancel(order_id)


_LIQUIBOOK_EVENTS: Final = (
    "on_accept",
    "on_accept_stop",
    "on_trigger_stop",
    "on_reject",
    "on_cancel",
    "on_cancel_stop",
    "on_cancel_reject",
    "on_replace",
    "on_replace_reject",
)


class Liquibook:
    """C++ through SWIG, with its listener, since that is how it tells of fills."""

    def __init__(self) -> None:
        module = import_module("liquibook")
        book = module.DepthOrderBook()
        outer = self

        def on_fill(_self: Any, maker: Any, taker: Any, lots: int, cost: int) -> None:
            maker.fill(lots, cost, 0)
            taker.fill(lots, cost, 0)
            outer.fills += 1

        # It calls every one of these; what is not overridden raises.
        others = dict.fromkeys(_LIQUIBOOK_EVENTS, lambda *_: None)
        listener = type("Listener", (module.OrderListener,), {**others, "on_fill": on_fill})
        self.fills = 0
        self._listener = listener()
        book.set_order_listener(self._listener)
        book.set_symbol("BTCUSDT")
        self._book, self._order = book, module.SimpleOrder
        self._orders: dict[int, Any] = {}

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        order = self._order(is_buy, price_ticks, lots)
        self._orders[order_id] = order
        before = self.fills
        self._book.add(order)
        return self.fills - before

    def cancel(self, order_id: int) -> None:
        self._book.cancel(self._orders[order_id])


class Obook:
    """Go through ctypes; its events are drained, since they tell of fills."""

    def __init__(self) -> None:
        module = import_module("obook")
        self._book = module.Book()
        self._buy, self._sell = module.BUY, module.SELL
        self._trade = module.EventKind.TRADE
        self._ids: dict[int, int] = {}

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        # Makers and takers are different users, or it would prevent self-trades.
        side = self._buy if is_buy else self._sell
        result = self._book.submit(user=order_id, side=side, price=price_ticks, qty=lots)
        self._ids[order_id] = result.order_id
        return sum(1 for event in self._book.events() if event.kind == self._trade)

    def cancel(self, order_id: int) -> None:
        self._book.cancel(self._ids[order_id], order_id)
        self._book.events()


class Nanobook:
    """Rust through PyO3."""

    def __init__(self) -> None:
        self._book = import_module("nanobook").Exchange()
        self._ids: dict[int, int] = {}

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        result = self._book.submit_limit("buy" if is_buy else "sell", price_ticks, lots)
        self._ids[order_id] = result.order_id
        return len(result.trades)

    def cancel(self, order_id: int) -> None:
        self._book.cancel(self._ids[order_id])


class Arena:
    """The book inside a simulator for teaching."""

    def __init__(self) -> None:
        module = import_module("convexpi.arena.engine")
        self._book, self._order = module.OrderBook(), module.Order
        self._buy, self._sell = module.Side.BUY, module.Side.SELL
        self._ids: dict[int, int] = {}

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        side = self._buy if is_buy else self._sell
        order = self._order(agent_id="x", side=side, qty=lots, price=price_ticks)
        self._ids[order_id] = order.order_id
        return len(self._book.submit(order, order_id))

    def cancel(self, order_id: int) -> None:
        self._book.cancel(self._ids[order_id], "x")


class Lobo:
    """Rust through PyO3, asked to report its fills."""

    def __init__(self) -> None:
        module, orders = import_module("lobo"), import_module("lobo.orders")
        self._book, self._order = module.Book(), orders.LimitOrder
        self._buy, self._sell = orders.Side.Buy, orders.Side.Sell
        self._reports = module.Reports(include_fills=True)
        self._trader = UUID(int=1)
        self._ids: dict[int, int] = {}

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        side = self._buy if is_buy else self._sell
        order = self._order(price_ticks, lots, self._trader, side)
        done = self._book.fill(order, self._reports)
        if done.remaining_order_id is not None:
            self._ids[order_id] = done.remaining_order_id
        return len(done.report.fills or ())

    def cancel(self, order_id: int) -> None:
        self._book.cancel(self._ids[order_id])


RIVALS: Final[tuple[Rival, ...]] = (
    Rival(package="order-matching", extras="[polars]", kind="python", open=OrderMatching),
    Rival(package="fastlob", kind="python", open=FastLob),
    Rival(package="lightmatchingengine", kind="python", open=LightMatchingEngine),
    Rival(package="pyorderbook", kind="python", open=PyOrderBook),
    Rival(package="manticore-orderbook", kind="python", open=Manticore),
    Rival(package="akhil4n-orderbook", kind="python", open=lambda: DecimalBook("orderbook")),
    Rival(
        package="cython-orderbook",
        kind="native",
        open=lambda: DecimalBook("cython_orderbook.orderbook"),
    ),
    Rival(package="limit-order-book", kind="native", open=LimitOrderBook),
    Rival(package="liquibook", kind="native", open=Liquibook),
    Rival(package="obook", kind="native", open=Obook),
    Rival(package="nanobook", kind="native", open=Nanobook),
    Rival(package="convexpi-arena", kind="python", open=Arena),
    Rival(package="pylobo", kind="native", open=Lobo),
)

NOT_MEASURED: Final[dict[str, str]] = {
    "orderbook": "written for Python 2 (it imports cStringIO)",
    "pylob": "its build fails: a header is missing from its archive",
    "ghul-orderbook": "its build fails on Python 3.11 (it includes longintrepr.h)",
    "cpp-binance-orderbook": "its build fails: it needs C++20 and is compiled as C++17",
    "matching-engine": "needs Python 3.12 or later",
    "order-book": "keeps a feed's levels and matches nothing",
    "level2-order-book": "keeps a feed's levels and matches nothing",
    "ordersim": "matches one strategy's own orders against recorded market data",
    "hft-lob": "runs a command-line program over a file of recorded messages",
    "market-wave": "a simulator; its book is private to it",
    "orderbookmdp": "its compiled part is missing from what installs",
}


def run_flow(engine: Engine, flow: Flow, seconds: float) -> Measured:
    """Run the flow until it ends or the time is up."""
    place, cancel = engine.place, engine.cancel
    fills, done = 0, 0
    gc.collect()
    gc.disable()
    # The processor's time, as for Seawall itself; none of them waits for anything.
    began = time.process_time()
    for start in range(0, len(flow.steps), CHUNK):
        for step in flow.steps[start : start + CHUNK]:
            if step.kind == CANCEL:
                cancel(step.order_id)
            else:
                fills += place(step.order_id, step.is_buy, step.price_ticks, step.lots)
            done += 1
        if time.process_time() - began > seconds:
            break
    took_s = time.process_time() - began
    gc.enable()
    return Measured(done, took_s, max(fills, -1), done == len(flow.steps))
