"""A spot cell for tests.  The rule: after every entry the whole state is checked.

Prices and sizes are in plain units: the market AB has tick 1, lot 1 and atoms 1:1, so a test reads
as its numbers; BTCUSDT has real decimals.
"""

from seawall.core.invariants import check_spot
from seawall.core.machine import commit_spot
from seawall.core.snapshots import dump_spot, load_spot
from seawall.core.spot_state import Market, SpotState
from seawall.core.state_digest import digest_spot
from seawall.model.commands import (
    Credit,
    ListAsset,
    ListMarket,
    OrderTerms,
    PlaceOrder,
    SetMarketStatus,
    SpotCommand,
)
from seawall.model.events import CommandRejected, Event, OrderAccepted
from seawall.model.ids import AssetCode, Symbol, UserId
from seawall.model.instruments import Asset, Instrument
from seawall.model.orders import Order
from seawall.model.trading import MarketStatus, OrderType, Side, StpMode, TimeInForce

SECOND_NS = 1_000_000_000
AB = Symbol("AB")
RICH = 10**15


def plain_instrument(**changes: object) -> Instrument:
    """Return the market AB: one tick, one lot, one atom."""
    fields: dict[str, object] = {
        "symbol": AB,
        "base": AssetCode("A"),
        "quote": AssetCode("B"),
        "base_decimals": 0,
        "quote_decimals": 0,
        "price_decimals": 0,
        "tick_price": 1,
        "lot_size": 1,
        "min_price": 1,
        "max_price": 10**9,
        "min_size": 1,
        "max_size": 10**9,
        "max_market_size": 10**9,
        "min_notional": 1,
        "max_notional": 10**15,
        "bid_up_ppm": 10**12,
        "bid_down_ppm": 0,
        "ask_up_ppm": 10**12,
        "ask_down_ppm": 0,
        "max_algo_orders": 50,
    }
    return Instrument(**{**fields, **changes})  # type: ignore[arg-type]  # fields of any kind


class SpotDesk:
    """Commits commands one second apart and checks the state after each."""

    def __init__(self, *, checked: bool = True) -> None:
        self.state = SpotState()
        self.checked = checked

    def run(
        self, command: SpotCommand, command_id: str = "", after_ns: int = SECOND_NS
    ) -> list[Event]:
        events = commit_spot(
            self.state,
            command,
            sequence=self.state.sequence + 1,
            at_ns=self.state.at_ns + after_ns,
            command_id=command_id,
        )
        if self.checked:
            check_spot(self.state)
        return events

    def done(self, command: SpotCommand) -> list[Event]:
        """Run a command that must not be refused."""
        events = self.run(command)
        refusals = [event for event in events if isinstance(event, CommandRejected)]
        if refusals:
            raise AssertionError(f"{refusals[0].reason} {refusals[0].detail}: {command}")
        return events

    def refused(self, command: SpotCommand) -> str:
        """Run a command that must be refused; return why."""
        before = load_spot(dump_spot(self.state))
        events = self.run(command)
        rejected = [event for event in events if isinstance(event, CommandRejected)]
        if not rejected:
            raise AssertionError(f"it was accepted: {command}")
        before.sequence = self.state.sequence
        before.at_ns = self.state.at_ns
        if digest_spot(before) != digest_spot(self.state):
            raise AssertionError(f"a refused command changed the state: {command}")
        return f"{rejected[0].reason}:{rejected[0].detail}".rstrip(":")

    def open_plain(self, users: int = 8, **changes: object) -> "SpotDesk":
        """List A, B and AB, and give each of the first users plenty of both."""
        for code in ("A", "B"):
            self.done(ListAsset(asset=Asset(code=AssetCode(code), name=code, decimals=0)))
        self.done(ListMarket(instrument=plain_instrument(**changes)))
        for user in range(1, users + 1):
            for code in ("A", "B"):
                self.done(
                    Credit(
                        user_id=UserId(user), asset=AssetCode(code), atoms=RICH, reference="start"
                    )
                )
        return self

    @property
    def market(self) -> Market:
        return self.state.markets["AB"]

    def status(self, status: MarketStatus, reason: str = "test") -> list[Event]:
        return self.done(SetMarketStatus(symbol=AB, status=status, reason=reason))

    def place(self, user: int, side: str, size: int, price: int | None, **terms: object) -> Order:
        """Place a limit order, or a market order if it has no price; return it."""
        events = self.done(order(user, side, size, price, **terms))
        for event in events:
            if isinstance(event, OrderAccepted):
                return event.order
        raise AssertionError("an order was accepted")

    def book(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return all bids and asks as (ticks, total lots), best first."""
        market = self.market
        return (
            [(level.price_ticks, level.total_lots) for level in market.bids.best_first()],
            [(level.price_ticks, level.total_lots) for level in market.asks.best_first()],
        )


_count = [0]


def order(user: int, side: str, size: int, price: int | None, **terms: object) -> PlaceOrder:
    """Return the command for a limit order, or for a market order if it has no price."""
    _count[0] += 1
    stp = terms.pop("stp_mode", StpMode.NONE)
    fields: dict[str, object] = {
        "side": Side(side),
        "type": OrderType.MARKET if price is None else OrderType.LIMIT,
        "client_order_id": f"t{_count[0]}",
        "size": size,
    }
    if price is not None:
        fields |= {"price": price, "time_in_force": TimeInForce.GTC}
    return PlaceOrder(
        user_id=UserId(user),
        symbol=AB,
        terms=OrderTerms(**{**fields, **terms}),  # type: ignore[arg-type]  # fields of any kind
        stp_mode=stp,  # type: ignore[arg-type]  # popped from the same
    )
