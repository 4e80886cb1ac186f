"""The auction's price against a naive search over every tick, and the uncross's own promises."""

from hypothesis import given
from hypothesis import strategies as st

from seawall.core.auction import indicative
from seawall.core.spot_state import Market
from seawall.model.ids import AssetCode, Symbol
from seawall.model.instruments import Instrument
from seawall.model.orders import Order
from seawall.model.trading import OrderType, TimeInForce

HIGHEST = 40


def market_of(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    market_buys: list[tuple[int, int]],
    market_sells: list[int],
    last: int,
) -> Market:
    """Return a market with these orders as (ticks, lots), market buys with what they can pay."""
    market = Market(
        Instrument(
            symbol=Symbol("AB"),
            base=AssetCode("A"),
            quote=AssetCode("B"),
            base_decimals=0,
            quote_decimals=0,
            price_decimals=0,
            tick_price=1,
            lot_size=1,
            min_price=1,
            max_price=1_000,
            min_size=1,
            max_size=1_000,
            max_market_size=1_000,
            min_notional=1,
            max_notional=10**9,
        )
    )
    market.last_ticks = last
    orders = [(True, ticks, lots, False) for ticks, lots in bids]
    orders += [(False, ticks, lots, False) for ticks, lots in asks]
    orders += [(True, ticks, lots, True) for ticks, lots in market_buys]
    orders += [(False, 0, lots, True) for lots in market_sells]
    for number, (is_buy, ticks, lots, is_market) in enumerate(orders, 1):
        kind = OrderType.MARKET if is_market else OrderType.LIMIT
        order = Order(number, number, "AB", str(number), is_buy, kind, TimeInForce.GTC, 0)
        order.size_lots = lots
        order.held_atoms = ticks * lots if is_buy else lots
        if is_market:
            market.auction_orders[number] = order
        else:
            order.price_ticks = ticks
            # Half of the size is an iceberg's hidden part.
            order.iceberg_lots = (lots + 1) // 2
            (market.bids if is_buy else market.asks).add(order, ticks, order.iceberg_lots)
    return market


def naive(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    market_buys: list[tuple[int, int]],
    market_sells: list[int],
    last: int,
) -> tuple[int, int, int]:
    """Apply the rule as it is written, price by price."""
    demand = {
        p: sum(lots for ticks, lots in bids + market_buys if ticks >= p)
        for p in range(1, HIGHEST + 2)
    }
    supply = {
        p: sum(lots for ticks, lots in asks if ticks <= p) + sum(market_sells)
        for p in range(1, HIGHEST + 2)
    }
    most = max(min(demand[p], supply[p]) for p in demand)
    if most == 0:
        return (0, 0, 0)
    prices = [p for p in demand if min(demand[p], supply[p]) == most]
    # Prices that market orders did not make, or the nearest to them.
    makers = [last, max((t for t, _ in bids), default=0), min((t for t, _ in asks), default=0)]
    if sum(market_sells) < most:
        makers.append(min(prices))
    makers = [maker for maker in makers if maker]
    if not makers:
        return (0, 0, 0)
    near = [p for p in prices if min(makers) <= p <= max(makers)]
    if not near:
        near = [min(prices) if min(prices) > max(makers) else max(prices)]
    surplus = {p: demand[p] - supply[p] for p in near}
    least = min(abs(value) for value in surplus.values())
    ties = [p for p in near if abs(surplus[p]) == least]
    over = [p for p in ties if surplus[p] > 0]
    under = [p for p in ties if surplus[p] < 0]
    ties = over[-1:] + [p for p in ties if surplus[p] == 0] + under[:1]
    if last:
        chosen = min(ties, key=lambda p: (abs(p - last), -p))
    else:
        chosen = (min(ties) + max(ties)) // 2
    return (chosen, most, surplus[chosen])


prices = st.integers(1, HIGHEST)
sizes = st.integers(1, 12)
limits = st.lists(st.tuples(prices, sizes), max_size=7)


@given(
    bids=limits,
    asks=limits,
    market_buys=st.lists(st.tuples(prices, sizes), max_size=3),
    market_sells=st.lists(sizes, max_size=3),
    last=st.integers(0, HIGHEST),
)
def test_the_indicative_price_is_what_the_rule_says(
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
    market_buys: list[tuple[int, int]],
    market_sells: list[int],
    last: int,
) -> None:
    market = market_of(bids, asks, market_buys, market_sells, last)
    assert indicative(market) == naive(bids, asks, market_buys, market_sells, last)
