"""What makes an order acceptable.  The rule: nothing changes here; the first refusal wins.

The checks stand in the order of `model/rejections.py`.  Each returns the refusal, or None.  The
filters are Binance's: see docs/reference for their meaning and their codes.
"""

from typing import Final

from seawall.core.collar import is_within
from seawall.core.fees import PPM, average_price
from seawall.core.spot_state import Account, Market, SpotState
from seawall.core.terms import Terms
from seawall.model.events import CommandRejected
from seawall.model.limits import MARKET_OPEN_ORDERS
from seawall.model.orders import Order
from seawall.model.rejections import Rejection
from seawall.model.trading import MarketStatus, OrderType, StpMode, TimeInForce

_LIMIT: Final = OrderType.LIMIT
_MARKET: Final = OrderType.MARKET
_LIMIT_MAKER: Final = OrderType.LIMIT_MAKER
_STOP_LOSS: Final = OrderType.STOP_LOSS
_TAKE_PROFIT: Final = OrderType.TAKE_PROFIT
_GTC: Final = TimeInForce.GTC
_OPEN: Final = MarketStatus.OPEN

_PRICED: Final = (
    OrderType.LIMIT,
    OrderType.LIMIT_MAKER,
    OrderType.STOP_LOSS_LIMIT,
    OrderType.TAKE_PROFIT_LIMIT,
)
_STOPS: Final = (
    OrderType.STOP_LOSS,
    OrderType.STOP_LOSS_LIMIT,
    OrderType.TAKE_PROFIT,
    OrderType.TAKE_PROFIT_LIMIT,
)


def check_status(market: Market, terms: Terms) -> CommandRejected | None:
    """Refuse what the market's status does not take; prices are judged later."""
    status = market.status
    if status is _OPEN:
        return None
    if status is MarketStatus.HALTED:
        return CommandRejected(Rejection.MARKET_HALTED)
    if status is MarketStatus.CANCEL_ONLY:
        return CommandRejected(Rejection.MARKET_CANCEL_ONLY)
    order_type = terms.order_type
    if order_type in _STOPS:
        return None
    rests = order_type is _LIMIT and terms.time_in_force is _GTC
    if status is MarketStatus.POST_ONLY:
        if rests or order_type is _LIMIT_MAKER:
            return None
        return CommandRejected(Rejection.MARKET_POST_ONLY, "type")
    if rests or (order_type is _MARKET and terms.quote_amount is None):
        return None
    return CommandRejected(Rejection.MARKET_IN_AUCTION, "type")


def check_terms(market: Market, terms: Terms) -> CommandRejected | None:
    """Refuse terms that contradict themselves or that the instrument does not offer."""
    order_type = terms.order_type
    if order_type not in market.order_types:
        return CommandRejected(Rejection.UNSUPPORTED_ORDER_TYPE)
    if order_type is _LIMIT:
        if terms.time_in_force is None:
            return _contradiction("time_in_force")
    elif order_type is _LIMIT_MAKER:
        if terms.time_in_force is not None and terms.time_in_force is not _GTC:
            return _contradiction("time_in_force")
    elif order_type is _MARKET:
        if (terms.size is None) == (terms.quote_amount is None):
            return _contradiction("size")
        return _check_absent(terms)
    elif terms.stop_price is None and terms.trailing_bps is None:
        return _contradiction("stop_price")
    if terms.quote_amount is not None:
        return _contradiction("quote_amount")
    if terms.size is None:
        return _contradiction("size")
    if order_type is _STOP_LOSS or order_type is _TAKE_PROFIT:
        if terms.price is not None:
            return _contradiction("price")
        if terms.time_in_force is not None:
            return _contradiction("time_in_force")
        if terms.iceberg_size is not None:
            return _contradiction("iceberg_size")
        return None
    if terms.price is None:
        return _contradiction("price")
    if order_type in _STOPS:
        if terms.time_in_force is None:
            return _contradiction("time_in_force")
    elif terms.stop_price is not None or terms.trailing_bps is not None:
        return _contradiction("stop_price")
    if terms.iceberg_size is not None and terms.time_in_force not in (None, _GTC):
        return _contradiction("iceberg_size")
    return None


def _check_absent(terms: Terms) -> CommandRejected | None:
    """Refuse what a market order cannot have: it has no terms but its size or amount."""
    if terms.price is not None:
        return _contradiction("price")
    if terms.time_in_force is not None:
        return _contradiction("time_in_force")
    if terms.stop_price is not None or terms.trailing_bps is not None:
        return _contradiction("stop_price")
    if terms.iceberg_size is not None:
        return _contradiction("iceberg_size")
    return None


def _contradiction(field: str) -> CommandRejected:
    return CommandRejected(Rejection.UNSUPPORTED_COMBINATION, field)


def check_stp_mode(market: Market, stp_mode: StpMode | None) -> CommandRejected | None:
    if stp_mode is None or stp_mode in market.instrument.stp_modes:
        return None
    return CommandRejected(Rejection.UNSUPPORTED_STP_MODE)


def check_numbers(state: SpotState, market: Market, terms: Terms) -> CommandRejected | None:
    """Run the filters on prices, sizes and notional."""
    price = terms.price
    if price is not None and (
        price % market.tick_price or not market.min_price <= price <= market.max_price
    ):
        return CommandRejected(Rejection.PRICE_FILTER, "price")
    stop_price = terms.stop_price
    if stop_price is not None and (
        stop_price % market.tick_price or not market.min_price <= stop_price <= market.max_price
    ):
        return CommandRejected(Rejection.PRICE_FILTER, "stop_price")
    if price is not None:
        terms.price_ticks = price // market.tick_price
        if not _within_band(state, market, terms.is_buy, terms.price_ticks):
            return CommandRejected(Rejection.PERCENT_PRICE_BY_SIDE, "price")
        if market.collar_bps and not is_within(market, terms.price_ticks):
            return CommandRejected(Rejection.PERCENT_PRICE_BY_SIDE, "collar")
    size = terms.size
    if size is not None:
        if size % market.lot_size or not market.min_size <= size <= market.max_size:
            return CommandRejected(Rejection.LOT_SIZE, "size")
        terms.size_lots = size // market.lot_size
    iceberg_size = terms.iceberg_size
    if iceberg_size is not None and (
        iceberg_size % market.lot_size or not market.min_size <= iceberg_size <= market.max_size
    ):
        return CommandRejected(Rejection.LOT_SIZE, "iceberg_size")
    if price is None and size is not None and size > market.instrument.max_market_size:
        return CommandRejected(Rejection.MARKET_LOT_SIZE, "size")
    if not _notional_fits(state, market, terms):
        return CommandRejected(Rejection.NOTIONAL)
    if iceberg_size is not None and size is not None:
        if -(-size // iceberg_size) > market.instrument.iceberg_parts:
            return CommandRejected(Rejection.ICEBERG_PARTS)
        if iceberg_size > size:
            return CommandRejected(Rejection.ICEBERG_EXCEEDS_SIZE)
    trailing_bps = terms.trailing_bps
    if trailing_bps is not None and not (
        market.instrument.trailing_min_bps <= trailing_bps <= market.instrument.trailing_max_bps
    ):
        return CommandRejected(Rejection.TRAILING_DELTA)
    return None


def _within_band(state: SpotState, market: Market, is_buy: bool, ticks: int) -> bool:
    """PERCENT_PRICE_BY_SIDE, relative to the average price; anything goes before a first trade."""
    weighted, lots = average_price(market, state.at_ns)
    if lots == 0:
        return True
    scaled = ticks * lots * PPM
    if is_buy:
        return weighted * market.bid_down_ppm <= scaled <= weighted * market.bid_up_ppm
    return weighted * market.ask_down_ppm <= scaled <= weighted * market.ask_up_ppm


def auction_limit_ticks(state: SpotState, market: Market) -> int:
    """Return the highest price a market buy holds money for in an auction: its band's end."""
    highest = market.max_price // market.tick_price
    weighted, lots = average_price(market, state.at_ns)
    if lots == 0:
        return highest
    return max(1, min(highest, weighted * market.bid_up_ppm // (lots * PPM)))


def _notional_fits(state: SpotState, market: Market, terms: Terms) -> bool:
    """NOTIONAL: the minimum for every order, the maximum for those with a price.

    An order without a price is valued at its stop, else at the average price; before a first
    trade it passes.
    """
    if terms.quote_amount is not None:
        return terms.quote_amount >= market.min_notional
    if terms.size is None:
        return False
    lots = terms.size_lots
    if terms.price is not None:
        notional = terms.price_ticks * lots * market.atoms_per_tick_lot
        return market.min_notional <= notional <= market.max_notional
    if terms.stop_price is not None:
        ticks = terms.stop_price // market.tick_price
        return ticks * lots * market.atoms_per_tick_lot >= market.min_notional
    weighted, traded = average_price(market, state.at_ns)
    if traded == 0:
        return True
    return weighted * lots * market.atoms_per_tick_lot >= market.min_notional * traded


def check_counts(
    state: SpotState, market: Market, account: Account | None, orders: list[Order]
) -> CommandRejected | None:
    """Run the filters on how much one account, and all together, may keep open."""
    counted = None if account is None else account.counts.get(market.symbol)
    limit = market.max_orders
    if account is not None and account.tier:
        limit = max(limit, state.tiers[account.tier].max_orders)
    stay = 0
    algo = 0
    iceberg = 0
    for order in orders:
        if order.order_type is not _MARKET:
            stay += 1
        if order.is_algo:
            algo += 1
        if order.iceberg_lots:
            iceberg += 1
    if stay and stay + (0 if counted is None else counted.orders) > limit:
        return CommandRejected(Rejection.MAX_NUM_ORDERS)
    if algo and algo + (0 if counted is None else counted.algo) > market.max_algo_orders:
        return CommandRejected(Rejection.MAX_NUM_ALGO_ORDERS)
    if iceberg and iceberg + (0 if counted is None else counted.iceberg) > market.max_icebergs:
        return CommandRejected(Rejection.MAX_NUM_ICEBERG_ORDERS)
    if market.max_position and not _position_fits(state, market, account, orders):
        return CommandRejected(Rejection.MAX_POSITION)
    standing = (
        market.bids.count + market.asks.count + market.rising_stops.count
        + market.falling_stops.count + len(market.trailing) + len(market.auction_orders)
    )  # fmt: skip
    if standing + len(orders) > MARKET_OPEN_ORDERS:
        return CommandRejected(Rejection.BOOK_FULL)
    return None


def _position_fits(
    state: SpotState, market: Market, account: Account | None, orders: list[Order]
) -> bool:
    """MAX_POSITION: what a buyer owns and what all its open buys would bring.

    The orders of one new list count one by one, though of an OCO only one can fill.
    """
    lots = 0
    for order in orders:
        if order.is_buy:
            lots += order.size_lots
    if lots == 0:
        return True
    atoms = lots * market.lot_size
    if account is not None:
        for order in account.open_orders.values():
            if order.is_buy and order.symbol == market.symbol:
                atoms += order.open_lots * market.lot_size
        balance = state.ledger.balances.get(account.user_id, {}).get(market.base)
        if balance is not None:
            atoms += balance.free + balance.held
    return atoms <= market.max_position
