"""A small spot cell for stories about streams: one market, three users, a clock of seconds."""

from collections.abc import Callable
from typing import Any

from seawall.core.machine import commit_spot
from seawall.core.spot_state import SpotState
from seawall.gateway.stream_payloads import MILLISECOND_NS
from seawall.gateway.user_stream import Message, Translator
from seawall.model.commands import (
    CancelOrder,
    Credit,
    ListAsset,
    ListMarket,
    OrderTerms,
    PlaceOrder,
    SpotCommand,
)
from seawall.model.events import Event
from seawall.model.ids import AssetCode, OrderId, Symbol, UserId
from seawall.model.instruments import Asset, Instrument
from seawall.model.trading import OrderType, Side, StpMode, TimeInForce

BTCUSDT = Symbol("BTCUSDT")
START_NS = 1_700_000_000_000_000_000
UNIT = 10**8


def instrument() -> Instrument:
    return Instrument(
        symbol=BTCUSDT,
        base=AssetCode("BTC"),
        quote=AssetCode("USDT"),
        base_decimals=8,
        quote_decimals=8,
        tick_price=10**6,
        lot_size=10**3,
        min_price=10**6,
        max_price=10**6 * UNIT,
        min_size=10**3,
        max_size=9_000 * UNIT,
        max_market_size=100 * UNIT,
        min_notional=5 * UNIT,
        max_notional=9_000_000 * UNIT,
        stp_default=StpMode.NONE,
    )


class Cell:
    """Commits commands, one a second, and translates what they mean to everybody."""

    def __init__(self, listener: Callable[["Cell"], None] | None = None) -> None:
        self.listener = listener
        self.state = SpotState()
        self.sequence = 0
        self.at_ns = START_NS
        self.step_ns = 1_000_000_000
        self.events: list[Event] = []
        for code in ("BTC", "USDT"):
            self.commit(ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=8)))
        self.commit(ListMarket(instrument=instrument()))
        for user_id in (1, 2, 3):
            for code, units in (("BTC", 10), ("USDT", 1_000_000)):
                self.commit(
                    Credit(
                        user_id=UserId(user_id),
                        asset=AssetCode(code),
                        atoms=units * UNIT,
                        reference="start",
                    )
                )

    def commit(
        self, command: SpotCommand, unit_ns: int = MILLISECOND_NS
    ) -> list[tuple[int, Message]]:
        """Apply one command; return every user's messages."""
        self.sequence += 1
        self.at_ns += self.step_ns
        self.events = commit_spot(self.state, command, sequence=self.sequence, at_ns=self.at_ns)
        if self.listener is not None:
            self.listener(self)
        translator = Translator(
            self.state,
            wanted=frozenset({1, 2, 3}),
            sequence=self.sequence,
            at_ns=self.at_ns,
            unit_ns=unit_ns,
        )
        return translator.translate(command, self.events)

    def place(self, user_id: int, *args: str, **more: Any) -> list[tuple[int, Message]]:
        return self.commit(place(user_id, *args, **more))

    def cancel(self, user_id: int, client_order_id: str, **more: Any) -> list[tuple[int, Message]]:
        return self.commit(cancel(user_id, client_order_id, **more))


def terms(side: str, kind: str, size: str, price: str, client_id: str, **more: Any) -> OrderTerms:
    """Return an order's terms; `-` stands for what is not given."""
    order_type = OrderType(kind)
    in_force = None
    if order_type not in (OrderType.MARKET, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS):
        in_force = TimeInForce.GTC
    fields: dict[str, Any] = {
        "side": Side(side),
        "type": order_type,
        "client_order_id": client_id,
        "time_in_force": in_force,
        "size": None if size == "-" else decimal(size),
        "price": None if price == "-" else decimal(price),
    }
    return OrderTerms(**(fields | more))


def place(
    user_id: int, side: str, kind: str, size: str, price: str, client_id: str, **more: Any
) -> PlaceOrder:
    stp_mode = more.pop("stp_mode", None)
    return PlaceOrder(
        user_id=UserId(user_id),
        symbol=BTCUSDT,
        terms=terms(side, kind, size, price, client_id, **more),
        stp_mode=stp_mode if isinstance(stp_mode, StpMode) else None,
    )


def cancel(
    user_id: int, client_order_id: str, cancel_id: str = "", order_id: int = 0
) -> CancelOrder:
    return CancelOrder(
        user_id=UserId(user_id),
        symbol=BTCUSDT,
        order_id=OrderId(order_id) if order_id else None,
        client_order_id=client_order_id or None,
        cancel_client_order_id=cancel_id,
    )


def decimal(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(8, "0"))
