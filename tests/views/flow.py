"""Random flows through the real core, for tests of the views.

A flow is a list of small integers that Hypothesis can shrink; `Exchange.step` turns each into a
command that makes sense in the present state.  Commands are kept, so that a flow can be replayed:
views must see events while the state stands at them.
"""

from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

from seawall.core.machine import commit_spot
from seawall.core.spot_state import SpotState
from seawall.lib.prng import Prng
from seawall.model.commands import (
    AmendOrder,
    CancelOpenOrders,
    CancelOrder,
    CancelReplaceOrder,
    Credit,
    ListAsset,
    ListMarket,
    OrderTerms,
    PlaceOrder,
    PlaceOrderList,
    SetCountdownCancel,
    SetMarketStatus,
    SetTradeGroup,
    SpotCommand,
    Tick,
)
from seawall.model.events import Event, OrderAccepted, Traded
from seawall.model.ids import AssetCode, OrderId, Symbol, UserId
from seawall.model.instruments import Asset, Instrument
from seawall.model.orders import Order
from seawall.model.trading import (
    CancelReplaceMode,
    Contingency,
    MarketStatus,
    OrderType,
    Side,
    StpMode,
    TimeInForce,
)
from seawall.views.views import Views

SECOND = 1_000_000_000
START_NS = 1_709_164_790 * SECOND
"""2024-02-28 23:59:50 UTC: a leap day, a month's end and a Thursday are near."""

USERS = (1, 2, 3, 4)
SMALL = Instrument(
    symbol=Symbol("AB"), base=AssetCode("A"), quote=AssetCode("B"), base_decimals=0,
    quote_decimals=0, price_decimals=0, tick_price=1, lot_size=1, min_price=1, max_price=100_000,
    min_size=1, max_size=10_000, max_market_size=10_000, min_notional=1, max_notional=10**9,
)  # fmt: skip
WIDE = Instrument(
    symbol=Symbol("CD"), base=AssetCode("C"), quote=AssetCode("D"), base_decimals=18,
    quote_decimals=18, price_decimals=8, tick_price=10**6, lot_size=10**18, min_price=10**6,
    max_price=10**13, min_size=10**18, max_size=10**24, max_market_size=10**24,
    min_notional=10**15, max_notional=10**40,
)  # fmt: skip
"""Its larger notionals do not fit into 64 bits."""
MARKETS = (SMALL, WIDE)

GAPS_NS = (
    1, 1_000_000, 300_000_000, 999_999_999, SECOND, 2 * SECOND, 2_500_000_000, 3 * SECOND,
    61 * SECOND, 3_700 * SECOND, 90_000 * SECOND, 40 * 86_400 * SECOND,
)  # fmt: skip
STATUSES = (MarketStatus.AUCTION, MarketStatus.POST_ONLY, MarketStatus.HALTED)

Step = tuple[int, int, int, int, int]

steps = st.tuples(
    st.integers(0, 26),
    st.integers(0, 3),
    st.integers(0, 20),
    st.integers(1, 20),
    st.integers(0, 4) | st.integers(0, len(GAPS_NS) - 1),
)


def random_flow(seed: int, length: int) -> list["Step"]:
    prng = Prng(seed)
    return [
        (
            prng.below(27), prng.below(4), prng.below(21), prng.between(1, 20),
            prng.below(5) if prng.chance(3, 4) else prng.below(len(GAPS_NS)),
        )
        for _ in range(length)
    ]  # fmt: skip


# Lists shrink well but are short, mostly; what a seed gives is long.
flows = st.lists(steps, min_size=1, max_size=60) | st.builds(
    random_flow, st.integers(0, 1 << 32), st.integers(20, 120)
)


class Exchange:
    """The core, what it was told, and views that follow it."""

    def __init__(self, views: Views | None) -> None:
        self.state = SpotState()
        self.views = views
        self.entries: list[tuple[int, SpotCommand]] = []
        self.trades: list[tuple[int, Traded]] = []
        self.events: list[Event] = []
        """Of the last entry."""
        self._number = 0

    def followers(self) -> Views:
        """Return the views, which there must be."""
        assert self.views is not None
        return self.views

    def commit(self, command: SpotCommand, gap_ns: int = 1_000_000) -> list[Event]:
        return self.replay([(max(self.state.at_ns, START_NS) + gap_ns, command)])

    def replay(self, entries: list[tuple[int, SpotCommand]]) -> list[Event]:
        """Apply entries that another exchange kept; return the last one's events."""
        for at_ns, command in entries:
            sequence = self.state.sequence + 1
            events = commit_spot(self.state, command, sequence=sequence, at_ns=at_ns)
            self.entries.append((at_ns, command))
            self.trades += [(at_ns, event) for event in events if isinstance(event, Traded)]
            if self.views is not None:
                self.views.on_commit(sequence, at_ns, events)
            self.events = events
        return self.events

    def list_markets(self) -> None:
        for instrument in MARKETS:
            for code, decimals in (
                (instrument.base, instrument.base_decimals),
                (instrument.quote, instrument.quote_decimals),
            ):
                self.commit(ListAsset(asset=Asset(code=code, name=code, decimals=decimals)))
                for user in USERS:
                    self.commit(
                        Credit(
                            user_id=UserId(user), asset=code, reference="r",
                            atoms=10 ** (decimals + 9),
                        )
                    )  # fmt: skip
            self.commit(ListMarket(instrument=instrument))

    def step(self, step: Step) -> list[Event]:
        kind, who, a, b, gap = step
        self._number += 1
        market = MARKETS[self._number % 3 == 0]
        return self.commit(self._command(kind, UserId(USERS[who]), market, a, b), GAPS_NS[gap])

    def order(self, user: int, side: str, ticks: int, lots: int, **more: object) -> Order:
        """Place a limit order in the small market; return it."""
        terms: dict[str, object] = {
            "side": Side(side), "type": OrderType.LIMIT, "price": ticks, "size": lots,
            "client_order_id": f"x{self.state.sequence}", "time_in_force": TimeInForce.GTC,
        }  # fmt: skip
        gap_ns = int(str(more.pop("gap_ns", 1_000_000)))
        stp_mode = more.pop("stp_mode", None)
        terms |= more
        events = self.commit(
            PlaceOrder(
                user_id=UserId(user),
                symbol=SMALL.symbol,
                terms=OrderTerms(**terms),  # type: ignore[arg-type]  # a table of a test's words
                stp_mode=StpMode(str(stp_mode)) if stp_mode else None,
            ),
            gap_ns,
        )
        accepted = events[0]
        assert isinstance(accepted, OrderAccepted)
        return accepted.order

    def _command(self, kind: int, user: UserId, market: Instrument, a: int, b: int) -> SpotCommand:
        symbol = market.symbol
        account = self.state.account(user)
        mine = [one for one in account.open_orders.values() if one.symbol == symbol]
        chosen = OrderId(mine[a % len(mine)].order_id) if mine else OrderId(a)
        match kind:
            case 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14:
                mode = list(StpMode)[b % len(StpMode)] if a % 2 else StpMode.NONE
                return PlaceOrder(
                    user_id=user, symbol=symbol, terms=self._terms(kind, market, a, b),
                    stp_mode=mode,
                )  # fmt: skip
            case 15 | 16:
                return CancelOrder(user_id=user, symbol=symbol, order_id=chosen)
            case 17:
                return CancelOpenOrders(user_id=user, symbol=symbol)
            case 18:
                return AmendOrder(
                    user_id=user, symbol=symbol, order_id=chosen, size=market.lot_size * b,
                    new_client_order_id=f"n{self._number}",
                )  # fmt: skip
            case 19 | 20:
                return self._list(user, market, a, b)
            case 21:
                here = self.state.markets[symbol].status
                wanted = STATUSES[a % 3] if here is MarketStatus.OPEN else MarketStatus.OPEN
                return SetMarketStatus(symbol=symbol, status=wanted, reason="test")
            case 22:
                return CancelReplaceOrder(
                    mode=CancelReplaceMode.ALLOW_FAILURE,
                    cancel=CancelOrder(user_id=user, symbol=symbol, order_id=chosen),
                    place=PlaceOrder(
                        user_id=user, symbol=symbol, terms=self._terms(0, market, a, b)
                    ),
                )
            case 23:
                return SetTradeGroup(user_id=user, group=b % 2)
            case 24:
                return SetCountdownCancel(user_id=user, symbol=symbol, countdown_ms=1_000 * b)
            case _:
                return Tick()

    def _terms(self, kind: int, market: Instrument, a: int, b: int) -> OrderTerms:
        # Client ids come back, so that a question by client id has several answers to choose from.
        side = Side.BUY if b % 2 else Side.SELL
        price = market.tick_price * (90 + a)
        size = market.lot_size * b
        client = f"c{(a + b) % 7}" if a % 3 else f"u{self._number}"
        limit = OrderTerms(
            side=side, type=OrderType.LIMIT, client_order_id=client, price=price, size=size,
            time_in_force=TimeInForce.GTC,
        )  # fmt: skip
        plain = OrderTerms(side=side, type=OrderType.MARKET, client_order_id=client, size=size)
        match kind:
            case 5:
                return _with(limit, time_in_force=TimeInForce.IOC)
            case 6:
                return _with(limit, time_in_force=TimeInForce.FOK)
            case 7:
                return plain
            case 8:
                amount = market.atoms_per_tick_lot * 100 * b
                return _with(plain, size=None, quote_amount=amount)
            case 9:
                return _with(limit, type=OrderType.LIMIT_MAKER, time_in_force=None)
            case 10:
                return _with(limit, type=OrderType.STOP_LOSS_LIMIT, stop_price=price)
            case 11:
                return _with(plain, type=OrderType.TAKE_PROFIT, stop_price=price)
            case 12:
                return _with(plain, type=OrderType.STOP_LOSS, trailing_bps=100)
            case 13:
                return _with(limit, iceberg_size=market.lot_size * max(b // 3, 1))
            case _:
                return limit

    def _list(self, user: UserId, market: Instrument, a: int, b: int) -> PlaceOrderList:
        above = self._terms(9, market, 18, b)
        below = self._terms(10, market, 2, b)
        oco = a % 2 == 0
        first = above if oco else self._terms(0, market, a, b)
        return PlaceOrderList(
            user_id=user,
            symbol=market.symbol,
            contingency=Contingency.OCO if oco else Contingency.OTO,
            list_client_order_id=f"l{a % 4}",
            orders=(
                _with(first, client_order_id=f"p{self._number}"),
                _with(below, client_order_id=f"q{self._number}"),
            ),
        )


def _with(terms: OrderTerms, **changed: object) -> OrderTerms:
    fields: dict[str, object] = {
        name: getattr(terms, name) for name in terms.__struct_fields__
    } | changed
    return OrderTerms(**fields)  # type: ignore[arg-type]  # the same fields, some replaced


def played(data: Path, flow: list[Step]) -> Iterator[Exchange]:
    """Yield an exchange whose views live in `data`, after every step."""
    exchange = Exchange(Views.open(data))
    exchange.list_markets()
    yield exchange
    for step in flow:
        exchange.step(step)
        yield exchange
