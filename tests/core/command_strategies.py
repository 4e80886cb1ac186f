"""Commands of every kind for Hypothesis, most of them sensible, some absurd.

Prices meet around 100 and names come from small pools, so that orders trade, lists trigger and ids
clash.
"""

from hypothesis import strategies as st
from tests.core.spot_desk import plain_instrument

from seawall.model.commands import (
    AmendOrder,
    CancelOpenOrders,
    CancelOrder,
    CancelOrderList,
    CancelReplaceOrder,
    ChangeMarket,
    Checkpoint,
    Credit,
    Deliver,
    ListAsset,
    ListMarket,
    OrderTerms,
    PlaceOrder,
    PlaceOrderList,
    RequestTransfer,
    SetAccountTier,
    SetCountdownCancel,
    SetFeeTier,
    SetMarketStatus,
    Settle,
    SetTradeGroup,
    SetTransfers,
    SpotCommand,
    Tick,
)
from seawall.model.ids import (
    FUNDING,
    SPOT,
    AssetCode,
    OrderId,
    OrderListId,
    Sequence,
    Symbol,
    UserId,
)
from seawall.model.instruments import Asset, FeeTier
from seawall.model.messages import MoveFunds
from seawall.model.trading import (
    CancelReplaceMode,
    CancelRestriction,
    Contingency,
    MarketStatus,
    OrderType,
    Side,
    StpMode,
    TimeInForce,
)


def often(usual: st.SearchStrategy[int], rare: tuple[int, ...]) -> st.SearchStrategy[int]:
    """Draw an absurd number about once in forty times."""
    return st.sampled_from([False] * 39 + [True]).flatmap(
        lambda absurd: st.sampled_from(rare) if absurd else usual
    )


def maybe(strategy: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.one_of(st.none(), strategy)


symbols = st.sampled_from(["AB"] * 39 + ["XY"]).map(Symbol)
users = often(st.integers(1, 4), (0, -1, 5, 2**70)).map(UserId)
prices = often(st.integers(92, 108), (0, -1, 1, 2, 10**9, 10**9 + 1, 2**64, 10**40))
sizes = often(st.integers(1, 12), (0, -5, 10**9, 10**9 + 1, 2**64, 10**40))
names = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])
stp_modes = st.one_of(st.none(), st.sampled_from(StpMode))
order_ids = st.one_of(st.none(), st.integers(-1, 60).map(OrderId))

any_terms = st.builds(
    OrderTerms,
    side=st.sampled_from(Side),
    type=st.sampled_from(OrderType),
    client_order_id=names,
    time_in_force=st.one_of(st.none(), st.sampled_from(TimeInForce)),
    size=maybe(sizes),
    quote_amount=maybe(often(st.integers(1, 2_000), (0, -1, 2**70))),
    price=maybe(prices),
    stop_price=maybe(prices),
    trailing_bps=maybe(often(st.integers(10, 500), (0, -1, 10_000))),
    iceberg_size=maybe(sizes),
)


@st.composite
def sound_terms(draw: st.DrawFn, types: tuple[OrderType, ...] = tuple(OrderType)) -> OrderTerms:
    """Return terms that fit their type, mostly acceptable."""
    kind = draw(st.sampled_from(types))
    is_stop = kind.value.startswith(("STOP", "TAKE"))
    is_limit = kind.value.startswith("LIMIT") or kind.value.endswith("LIMIT")
    needs_time = is_limit and kind is not OrderType.LIMIT_MAKER
    by_amount = kind is OrderType.MARKET and draw(st.booleans())
    trails = is_stop and draw(st.integers(0, 3)) == 0
    in_force = draw(st.sampled_from(TimeInForce)) if draw(st.integers(0, 3)) == 0 else None
    rests = in_force is None or in_force is TimeInForce.GTC
    return OrderTerms(
        side=draw(st.sampled_from(Side)),
        type=kind,
        client_order_id=draw(st.one_of(names, st.integers(0, 10**6).map(str))),
        time_in_force=(in_force or TimeInForce.GTC) if needs_time else None,
        size=None if by_amount else draw(sizes),
        quote_amount=draw(st.integers(1, 2_000)) if by_amount else None,
        price=draw(prices) if is_limit else None,
        stop_price=draw(prices) if is_stop and not (trails and draw(st.booleans())) else None,
        trailing_bps=draw(st.integers(10, 600)) if trails else None,
        iceberg_size=(
            draw(st.integers(1, 3)) if is_limit and rests and draw(st.integers(0, 3)) == 0 else None
        ),
    )


places = st.builds(
    PlaceOrder,
    user_id=users,
    symbol=symbols,
    terms=st.sampled_from([False] * 11 + [True]).flatmap(
        lambda wild: any_terms if wild else sound_terms()
    ),
    stp_mode=stp_modes,
)


@st.composite
def order_lists(draw: st.DrawFn) -> PlaceOrderList:
    """Return a list that is mostly acceptable: a pair around the market, or a working order."""
    contingency = draw(st.sampled_from(Contingency))
    side = draw(st.sampled_from(Side))
    other = Side.SELL if side is Side.BUY else Side.BUY
    size = draw(sizes)
    number = draw(st.integers(0, 10**6))
    pair_side = side if contingency is Contingency.OCO else other
    legs: list[OrderTerms] = []
    if contingency is not Contingency.OCO:
        kinds = (OrderType.LIMIT, OrderType.LIMIT_MAKER)
        working = draw(sound_terms(types=kinds))
        legs.append(_with(working, side, size, f"{number}w"))
    if contingency is Contingency.OTO:
        legs.append(_with(draw(sound_terms()), other, size, f"{number}p"))
    else:
        profit = _profit(draw, pair_side, size, f"{number}x")
        loss = _loss(draw, pair_side, size, f"{number}y")
        legs += [profit, loss] if pair_side is Side.SELL else [loss, profit]
    if draw(st.integers(0, 9)) == 0:
        legs[draw(st.integers(0, len(legs) - 1))] = draw(any_terms)
    if draw(st.integers(0, 19)) == 0:
        legs.pop()
    return PlaceOrderList(
        user_id=draw(users),
        symbol=draw(symbols),
        contingency=contingency,
        list_client_order_id=draw(st.one_of(names, st.just(f"{number}l"))),
        orders=tuple(legs),
        stp_mode=draw(stp_modes),
    )


def _with(terms: OrderTerms, side: Side, size: int, name: str) -> OrderTerms:
    return OrderTerms(
        side=side,
        type=terms.type,
        client_order_id=name,
        time_in_force=terms.time_in_force,
        size=None if terms.quote_amount is not None else size,
        quote_amount=terms.quote_amount,
        price=terms.price,
        stop_price=terms.stop_price,
        trailing_bps=terms.trailing_bps,
        iceberg_size=None,
    )


def _profit(draw: st.DrawFn, side: Side, size: int, name: str) -> OrderTerms:
    distance = draw(st.integers(1, 6))
    price = 100 + distance if side is Side.SELL else 100 - distance
    kind = draw(
        st.sampled_from((OrderType.LIMIT_MAKER, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT))
    )
    is_maker = kind is OrderType.LIMIT_MAKER
    is_limit = kind is OrderType.TAKE_PROFIT_LIMIT
    return OrderTerms(
        side=side,
        type=kind,
        client_order_id=name,
        size=size,
        price=price if is_maker else price + draw(st.integers(-2, 2)) if is_limit else None,
        stop_price=None if is_maker else price,
        time_in_force=TimeInForce.GTC if is_limit else None,
    )


def _loss(draw: st.DrawFn, side: Side, size: int, name: str) -> OrderTerms:
    distance = draw(st.integers(1, 6))
    price = 100 - distance if side is Side.SELL else 100 + distance
    is_limit = draw(st.booleans())
    trails = draw(st.integers(0, 4)) == 0
    return OrderTerms(
        side=side,
        type=OrderType.STOP_LOSS_LIMIT if is_limit else OrderType.STOP_LOSS,
        client_order_id=name,
        size=size,
        price=price + draw(st.integers(-2, 2)) if is_limit else None,
        stop_price=None if trails and draw(st.booleans()) else price,
        trailing_bps=draw(st.integers(10, 300)) if trails else None,
        time_in_force=TimeInForce.GTC if is_limit else None,
    )


cancels = st.builds(
    CancelOrder,
    user_id=users,
    symbol=symbols,
    order_id=order_ids,
    client_order_id=st.one_of(st.none(), names),
    cancel_client_order_id=st.sampled_from(["", "by-me"]),
    restriction=st.one_of(st.none(), st.none(), st.sampled_from(CancelRestriction)),
)

cancel_lists = st.builds(
    CancelOrderList,
    user_id=users,
    symbol=symbols,
    order_list_id=st.one_of(st.none(), st.integers(0, 20).map(OrderListId)),
    list_client_order_id=st.one_of(st.none(), names),
)

amends = st.builds(
    AmendOrder,
    user_id=users,
    symbol=symbols,
    order_id=order_ids,
    client_order_id=st.one_of(st.none(), names),
    new_client_order_id=st.one_of(st.just(""), names),
    size=sizes,
)

replaces = st.builds(
    CancelReplaceOrder,
    mode=st.sampled_from(CancelReplaceMode),
    cancel=cancels,
    place=places,
)

statuses = st.builds(
    SetMarketStatus,
    symbol=symbols,
    status=st.sampled_from(MarketStatus),
    reason=st.just("drawn"),
    automatic=st.booleans(),
    order=st.sampled_from([0, 0, 0, 1, 2, 3, 4, -1]),
    collar_bps=often(st.sampled_from([0, 200, 400]), (-1, 10_000)),
)

collars = st.builds(
    SetMarketStatus,
    symbol=symbols,
    status=st.just(MarketStatus.OPEN),
    reason=st.just("collared"),
    automatic=st.booleans(),
    collar_bps=st.sampled_from([0, 100, 300, 500]),
)

pauses = st.builds(
    SetTransfers,
    paused=st.booleans(),
    reason=st.sampled_from(["drill", "drill", ""]),
    order=st.sampled_from([0, 0, 1, 2, 3]),
)

rates = often(st.integers(0, 20_000), (-1, 10**6, 10**6 + 1))

setups: st.SearchStrategy[SpotCommand] = st.one_of(
    st.builds(
        Credit,
        user_id=users,
        asset=st.sampled_from(["A", "B", "Z"]).map(AssetCode),
        atoms=often(st.integers(1, 3_000), (0, -7, 10**40)),
        reference=names,
    ),
    st.builds(
        SetFeeTier,
        tier=st.builds(
            FeeTier,
            tier=st.integers(-1, 2),
            maker_ppm=rates,
            taker_ppm=rates,
            max_orders=st.integers(-1, 30),
        ),
    ),
    st.builds(SetAccountTier, user_id=users, tier=st.integers(-1, 3)),
    st.builds(SetTradeGroup, user_id=users, group=st.integers(-1, 2)),
    st.builds(
        ListAsset,
        asset=st.builds(
            Asset,
            code=st.sampled_from(["A", "C", ""]).map(AssetCode),
            name=names,
            decimals=st.integers(-1, 40),
        ),
    ),
    st.sampled_from(
        [
            ListMarket(instrument=plain_instrument()),
            ListMarket(instrument=plain_instrument(symbol=Symbol("BA"), base="B", quote="A")),
            ListMarket(instrument=plain_instrument(symbol=Symbol("AA"), quote="A")),
            ChangeMarket(instrument=plain_instrument(max_position=500, max_orders=9)),
            ChangeMarket(instrument=plain_instrument(bid_up_ppm=1_040_000, ask_down_ppm=960_000)),
            ChangeMarket(instrument=plain_instrument(lot_size=2)),
            ChangeMarket(instrument=plain_instrument()),
        ]
    ),
)

countdowns = st.builds(
    SetCountdownCancel,
    user_id=users,
    symbol=symbols,
    countdown_ms=often(st.integers(0, 5_000), (-1, 10**12)),
)

messages: st.SearchStrategy[SpotCommand] = st.one_of(
    st.builds(
        RequestTransfer,
        user_id=users,
        target=st.sampled_from([FUNDING] * 5 + [SPOT, "moon"]),
        asset=st.sampled_from(["A", "B", "Z"]).map(AssetCode),
        atoms=often(st.integers(1, 300), (0, -7, 10**40)),
        client_transfer_id=st.sampled_from(["", "", "t1", "t2"]),
    ),
    st.builds(
        Deliver,
        source=st.sampled_from([FUNDING] * 5 + [SPOT, "moon"]),
        number=often(st.integers(1, 4), (0, -1, 2**70)),
        message=st.builds(
            MoveFunds,
            transfer_id=st.integers(1, 4),
            user_id=users,
            asset=st.sampled_from(["A", "B", "Z"]).map(AssetCode),
            atoms=often(st.integers(1, 300), (0, -7, 10**40)),
        ),
    ),
    st.builds(
        Settle,
        target=st.sampled_from([FUNDING] * 5 + [SPOT, "moon"]),
        number=often(st.integers(1, 4), (0, -1, 2**70)),
        refusal=st.sampled_from(["", "unknown_asset"]),
    ),
)

WEIGHTED: list[tuple[int, st.SearchStrategy[SpotCommand]]] = [
    (40, places),
    (10, order_lists()),
    (7, cancels),
    (5, amends),
    (6, replaces),
    (2, cancel_lists),
    (2, statuses),
    (2, st.just(SetMarketStatus(symbol=Symbol("AB"), status=MarketStatus.AUCTION, reason="call"))),
    (8, st.just(SetMarketStatus(symbol=Symbol("AB"), status=MarketStatus.OPEN, reason="again"))),
    (4, collars),
    (4, setups),
    (2, countdowns),
    (5, messages),
    (1, pauses),
    (1, st.builds(CancelOpenOrders, user_id=users, symbol=symbols)),
    (2, st.just(Tick())),
    (1, st.just(Checkpoint(sequence=Sequence(1), digest="d"))),
]

commands: st.SearchStrategy[SpotCommand] = st.sampled_from(
    [strategy for weight, strategy in WEIGHTED for _ in range(weight)]
).flatmap(lambda strategy: strategy)
