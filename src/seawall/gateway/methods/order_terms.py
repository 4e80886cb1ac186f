"""Reading an order from its parameters.  The rule: what the type needs is there, and nothing else.

Which parameters a type needs and which it must not have is the table below; everything that
depends on the market's state is left to the core.
"""

import hashlib
import secrets
from collections.abc import Mapping

from msgspec import Struct

from seawall.core.spot_state import Market
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context
from seawall.gateway.params import Params
from seawall.model.commands import OrderTerms
from seawall.model.instruments import Instrument
from seawall.model.trading import OrderType, Side, StpMode, TimeInForce


class _Rule(Struct, frozen=True):
    """What a type needs and what it must not have, by the fields' own names."""

    needs: tuple[str, ...]
    never: tuple[str, ...]
    stops: bool = False
    """Needs a stop price, a trailing delta, or both."""


_LIMIT_NEVER = ("quote_amount", "stop_price", "trailing")
_STOP = _Rule(
    needs=("size",), never=("price", "time_in_force", "quote_amount", "iceberg"), stops=True
)
_STOP_LIMIT = _Rule(needs=("time_in_force", "size", "price"), never=("quote_amount",), stops=True)
_RULES: Mapping[OrderType, _Rule] = {
    OrderType.LIMIT: _Rule(needs=("time_in_force", "size", "price"), never=_LIMIT_NEVER),
    OrderType.LIMIT_MAKER: _Rule(needs=("size", "price"), never=("time_in_force", *_LIMIT_NEVER)),
    OrderType.MARKET: _Rule(
        needs=(), never=("price", "time_in_force", "stop_price", "trailing", "iceberg")
    ),
    OrderType.STOP_LOSS: _STOP,
    OrderType.TAKE_PROFIT: _STOP,
    OrderType.STOP_LOSS_LIMIT: _STOP_LIMIT,
    OrderType.TAKE_PROFIT_LIMIT: _STOP_LIMIT,
}


class Fields:
    """The names one leg's parameters have; empty where a leg cannot have that one."""

    def __init__(
        self,
        *,
        side: str,
        type: str,  # noqa: A002  # each is named after the term it holds
        size: str,
        price: str,
        stop_price: str,
        trailing: str,
        time_in_force: str,
        iceberg: str,
        client_order_id: str,
        strategy_id: str,
        strategy_type: str,
        quote_amount: str = "",
    ) -> None:
        self.side = side
        self.type = type
        self.size = size
        self.price = price
        self.stop_price = stop_price
        self.trailing = trailing
        self.time_in_force = time_in_force
        self.iceberg = iceberg
        self.client_order_id = client_order_id
        self.strategy_id = strategy_id
        self.strategy_type = strategy_type
        self.quote_amount = quote_amount
        self.names = frozenset(name for name in vars(self).values() if name)
        self.needs = {kind: self._named(rule.needs) for kind, rule in _RULES.items()}
        """The parameters that must be there, by the order's type."""
        self.never = {kind: self._named(rule.never) for kind, rule in _RULES.items()}
        """The parameters that must not be there, by the order's type."""

    def _named(self, terms: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(getattr(self, term)) for term in terms)


ORDER = Fields(
    side="side",
    type="type",
    size="quantity",
    price="price",
    stop_price="stopPrice",
    trailing="trailingDelta",
    time_in_force="timeInForce",
    iceberg="icebergQty",
    client_order_id="newClientOrderId",
    strategy_id="strategyId",
    strategy_type="strategyType",
    quote_amount="quoteOrderQty",
)


def leg(prefix: str, *, side: str, size: str) -> Fields:
    """Name the parameters of one leg of an order list, such as `aboveStopPrice`."""
    return Fields(
        side=side,
        type=f"{prefix}Type",
        size=size,
        price=f"{prefix}Price",
        stop_price=f"{prefix}StopPrice",
        trailing=f"{prefix}TrailingDelta",
        time_in_force=f"{prefix}TimeInForce",
        iceberg=f"{prefix}IcebergQty",
        client_order_id=f"{prefix}ClientOrderId",
        strategy_id=f"{prefix}StrategyId",
        strategy_type=f"{prefix}StrategyType",
    )


# Looking a member up by its text is several times quicker than calling its enum.
_SIDES: Mapping[str, Side] = {side.value: side for side in Side}
_TYPES: Mapping[str, OrderType] = {kind.value: kind for kind in OrderType}
_TIMES_IN_FORCE: Mapping[str, TimeInForce] = {tif.value: tif for tif in TimeInForce}

_STRATEGY_TYPE_MIN = 1_000_000
_TRAILING_MAX = 1_000_000
_INT32_MAX = (1 << 31) - 1


def market_of(context: Context, params: Params) -> Market:
    """Return the market that `symbol` names, or raise -1121."""
    return known_market(context, params.need_symbol())


def known_market(context: Context, symbol: str) -> Market:
    market = context.node.spot.markets.get(symbol)
    if market is None:
        raise errors.bad_symbol()
    return market


def read_terms(
    params: Params, instrument: Instrument, caller: Caller, fields: Fields
) -> OrderTerms:
    """Return one order as its parameters ask for it."""
    side = _SIDES.get(_need(params, fields.side))
    if side is None:
        raise errors.bad_side()
    order_type = _TYPES.get(_need(params, fields.type))
    if order_type is None:
        raise errors.bad_order_type()
    return terms_of(params, instrument, caller, fields, side, order_type)


def terms_of(
    params: Params,
    instrument: Instrument,
    caller: Caller,
    fields: Fields,
    side: Side,
    order_type: OrderType,
) -> OrderTerms:
    """Return one order whose side and type are settled."""
    _check_presence(params, fields, order_type)
    values = params.values
    base, price = instrument.base_decimals, instrument.price_decimals
    time_in_force = trailing = iceberg = strategy_id = strategy_type = None
    if fields.time_in_force in values:
        time_in_force = _TIMES_IN_FORCE.get(_need(params, fields.time_in_force))
        if time_in_force is None:
            raise errors.bad_time_in_force()
    if fields.trailing in values:
        trailing = params.integer(fields.trailing, 1, _TRAILING_MAX)
    if fields.iceberg in values:
        iceberg = params.decimal(fields.iceberg, base) or None
    if fields.strategy_id in values:
        strategy_id = params.integer(fields.strategy_id, 0, _INT32_MAX)
    if fields.strategy_type in values:
        strategy_type = _strategy_type(params, fields.strategy_type)
    return OrderTerms(
        side=side,
        type=order_type,
        client_order_id=client_id(params, fields.client_order_id, caller),
        time_in_force=time_in_force,
        size=_positive(params, fields.size, base),
        quote_amount=_positive(params, fields.quote_amount, instrument.quote_decimals),
        price=_positive(params, fields.price, price),
        stop_price=_positive(params, fields.stop_price, price),
        trailing_bps=trailing,
        iceberg_size=iceberg,
        strategy_id=strategy_id,
        strategy_type=strategy_type,
    )


def read_stp(params: Params) -> StpMode | None:
    return params.choice("selfTradePreventionMode", StpMode)


def client_id(params: Params, name: str, caller: Caller) -> str:
    """Return the client's own id for an order, or make one.

    Under a command id the made one is derived from it, so that a repeat finds the same order.
    """
    given = params.client_id(name)
    if given is not None:
        return given
    if caller.command_id:
        named = f"{caller.user_id}|{caller.command_id}|{name}"
        return "sw" + hashlib.sha256(named.encode()).hexdigest()[:30]
    return secrets.token_hex(11)


def _check_presence(params: Params, fields: Fields, order_type: OrderType) -> None:
    values = params.values
    for name in fields.needs[order_type]:
        if not values.get(name):
            raise errors.missing(name)
    for name in fields.never[order_type]:
        if name in values:
            raise errors.not_required(name)
    if order_type is OrderType.MARKET:
        _check_market(params, fields)
    elif (
        _RULES[order_type].stops
        and fields.stop_price not in values
        and fields.trailing not in values
    ):
        raise errors.either_missing(fields.stop_price, fields.trailing)


def _check_market(params: Params, fields: Fields) -> None:
    sized = fields.size in params.values
    by_quote = fields.quote_amount in params.values
    if not sized and not by_quote:
        if not fields.quote_amount:
            raise errors.missing(fields.size)
        raise errors.either_missing(fields.size, fields.quote_amount)
    if sized and by_quote:
        raise errors.bad_combination()


def _need(params: Params, name: str) -> str:
    value = params.values.get(name)
    if not value:
        raise errors.missing(name)
    return value


def _positive(params: Params, name: str, decimals: int) -> int | None:
    """Return an amount that may not be zero."""
    if name not in params.values:
        return None
    amount = params.decimal(name, decimals)
    if amount == 0:
        raise errors.zero(name)
    return amount


def _strategy_type(params: Params, name: str) -> int | None:
    number = params.integer(name, 0, _INT32_MAX)
    if number is not None and number < _STRATEGY_TYPE_MIN:
        raise errors.bad_strategy_type()
    return number
