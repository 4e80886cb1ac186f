"""Events: what happened.  The rule: an event says all that was true at its own moment.

A pure function of the journal, so they are never stored.  Plain classes, for mypyc.  A listener
reads an event before the next command is applied; `order` fields that never change after
acceptance (owner, side, type, price, ids) may be read from the order itself, and so may every
field of an order that has ended.
"""

from seawall.model.instruments import Asset, FeeTier, Instrument
from seawall.model.orders import Order, OrderList
from seawall.model.rejections import Rejection
from seawall.model.trading import MarketStatus, StpMode


class Event:
    """What all events share: nothing."""


class CommandRejected(Event):
    """The command changed nothing.  `detail` names the filter's field or the leg, for people."""

    def __init__(self, reason: Rejection, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail


class CommandRepeated(Event):
    """The command id took effect before, at `sequence`; this entry changed nothing."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence


class Led(Event):
    def __init__(self, epoch: int, node: str) -> None:
        self.epoch = epoch
        self.node = node


# Spot: set-up


class AssetListed(Event):
    def __init__(self, asset: Asset) -> None:
        self.asset = asset


class MarketListed(Event):
    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument


class MarketChanged(Event):
    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument


class MarketStatusChanged(Event):
    def __init__(
        self, symbol: str, previous: MarketStatus, status: MarketStatus, reason: str
    ) -> None:
        self.symbol = symbol
        self.previous = previous
        self.status = status
        self.reason = reason


class FeeTierSet(Event):
    def __init__(self, tier: FeeTier) -> None:
        self.tier = tier


class AccountTierSet(Event):
    def __init__(self, user_id: int, tier: int) -> None:
        self.user_id = user_id
        self.tier = tier


class TradeGroupSet(Event):
    def __init__(self, user_id: int, group: int) -> None:
        self.user_id = user_id
        self.group = group


class Credited(Event):
    def __init__(self, user_id: int, asset: str, atoms: int, reference: str) -> None:
        self.user_id = user_id
        self.asset = asset
        self.atoms = atoms
        self.reference = reference


class BalanceChanged(Event):
    """Where one balance stands after the command; at most one per balance, at the end."""

    def __init__(self, user_id: int, asset: str, free: int, held: int) -> None:
        self.user_id = user_id
        self.asset = asset
        self.free = free
        self.held = held


# Spot: orders


class OrderAccepted(Event):
    def __init__(self, order: Order) -> None:
        self.order = order


class OrderTriggered(Event):
    """A stop order began to work, or a pending order of a list was released."""

    def __init__(self, order: Order) -> None:
        self.order = order


class OrderCanceled(Event):
    """`cancel_client_order_id` is empty unless its owner gave one."""

    def __init__(self, order: Order, cancel_client_order_id: str, reason: str) -> None:
        self.order = order
        self.cancel_client_order_id = cancel_client_order_id
        self.reason = reason


class OrderExpired(Event):
    """Ended by its own terms, the market's status or self-trade prevention: see its status."""

    def __init__(self, order: Order, reason: str) -> None:
        self.order = order
        self.reason = reason


class CancelReplaceDecided(Event):
    """How both halves of a cancel-replace went; their own events follow.

    `place_attempted` is false only where a failed cancel forbade to place.  If neither half took
    effect, a `CommandRejected(CANCEL_REPLACE_FAILED)` follows.
    """

    def __init__(
        self,
        cancel_reason: Rejection | None,
        cancel_detail: str,
        place_attempted: bool,
        place_reason: Rejection | None,
        place_detail: str,
    ) -> None:
        self.cancel_reason = cancel_reason
        self.cancel_detail = cancel_detail
        self.place_attempted = place_attempted
        self.place_reason = place_reason
        self.place_detail = place_detail


class OrderAmended(Event):
    """Made smaller in place; `previous_*` is what stood before."""

    def __init__(
        self, order: Order, previous_lots: int, previous_client_order_id: str, size_lots: int
    ) -> None:
        self.order = order
        self.previous_lots = previous_lots
        self.previous_client_order_id = previous_client_order_id
        self.client_order_id = order.client_order_id
        self.size_lots = size_lots
        self.filled_lots = order.filled_lots
        self.filled_quote = order.filled_quote
        self.prevented_lots = order.prevented_lots
        self.price_ticks = order.price_ticks
        self.working_ns = order.working_ns
        self.status = order.status
        order_list = order.order_list
        self.list_client_order_ids: list[str] = (
            [] if order_list is None else [each.client_order_id for each in order_list.orders]
        )
        """Of all orders of its list, in the list's order."""


class Traded(Event):
    """A fill.  In an auction the buyer stands as taker, and `auction` is set."""

    def __init__(
        self,
        symbol: str,
        trade_id: int,
        price_ticks: int,
        size_lots: int,
        quote_atoms: int,
        taker: Order,
        maker: Order,
        taker_fee_atoms: int,
        maker_fee_atoms: int,
        auction: bool,
    ) -> None:
        self.symbol = symbol
        self.trade_id = trade_id
        self.price_ticks = price_ticks
        self.size_lots = size_lots
        self.quote_atoms = quote_atoms
        self.taker = taker
        self.maker = maker
        self.taker_fee_atoms = taker_fee_atoms
        """In the asset the trade gave the taker: base for a buyer, quote for a seller."""
        self.maker_fee_atoms = maker_fee_atoms
        self.auction = auction
        self.taker_filled_lots = taker.filled_lots
        self.taker_filled_quote = taker.filled_quote
        self.taker_prevented_lots = taker.prevented_lots
        self.maker_filled_lots = maker.filled_lots
        self.maker_filled_quote = maker.filled_quote
        self.maker_prevented_lots = maker.prevented_lots


class MatchPrevented(Event):
    """Self-trade prevention kept two orders apart; sizes are what each lost by it."""

    def __init__(
        self,
        symbol: str,
        prevented_match_id: int,
        taker: Order,
        maker: Order,
        taker_lots: int,
        maker_lots: int,
        mode: StpMode,
    ) -> None:
        self.symbol = symbol
        self.mode = mode
        """The mode that took effect; TRANSFER moved `taker_lots` and their notional as well."""
        self.prevented_match_id = prevented_match_id
        self.taker = taker
        self.maker = maker
        self.price_ticks = maker.price_ticks
        self.taker_lots = taker_lots
        self.maker_lots = maker_lots
        self.taker_prevented_lots = taker.prevented_lots
        self.maker_prevented_lots = maker.prevented_lots


class OrderListStarted(Event):
    def __init__(self, order_list: OrderList) -> None:
        self.order_list = order_list


class OrderListDone(Event):
    def __init__(self, order_list: OrderList) -> None:
        self.order_list = order_list


class CountdownSet(Event):
    """`deadline_ns` is 0 when disarmed."""

    def __init__(self, user_id: int, symbol: str, deadline_ns: int) -> None:
        self.user_id = user_id
        self.symbol = symbol
        self.deadline_ns = deadline_ns


# Spot: public market data


class LevelChanged(Event):
    """One price level shows `visible_lots` now (0: gone); `update_id` grows by one each time."""

    def __init__(
        self, symbol: str, is_bid: bool, price_ticks: int, visible_lots: int, update_id: int
    ) -> None:
        self.symbol = symbol
        self.is_bid = is_bid
        self.price_ticks = price_ticks
        self.visible_lots = visible_lots
        self.update_id = update_id


class IndicativeChanged(Event):
    """Where an auction would uncross now; price 0 if nowhere.  Positive surplus: buyers left."""

    def __init__(self, symbol: str, price_ticks: int, size_lots: int, surplus_lots: int) -> None:
        self.symbol = symbol
        self.price_ticks = price_ticks
        self.size_lots = size_lots
        self.surplus_lots = surplus_lots


class Uncrossed(Event):
    """An auction ended at this price; price 0 if nothing matched."""

    def __init__(self, symbol: str, price_ticks: int, size_lots: int) -> None:
        self.symbol = symbol
        self.price_ticks = price_ticks
        self.size_lots = size_lots


# Identity


class UserCreated(Event):
    def __init__(self, user_id: int, name: str) -> None:
        self.user_id = user_id
        self.name = name


class ApiKeyCreated(Event):
    def __init__(self, user_id: int, api_key: str) -> None:
        self.user_id = user_id
        self.api_key = api_key


class ApiKeyDeleted(Event):
    def __init__(self, user_id: int, api_key: str) -> None:
        self.user_id = user_id
        self.api_key = api_key


class ListenKeyOpened(Event):
    """`listen_key` is the one in force: an open stream keeps the key it had."""

    def __init__(self, user_id: int, listen_key: str, expires_ns: int) -> None:
        self.user_id = user_id
        self.listen_key = listen_key
        self.expires_ns = expires_ns


class ListenKeyClosed(Event):
    """Closed by its owner, or run out."""

    def __init__(self, user_id: int, listen_key: str) -> None:
        self.user_id = user_id
        self.listen_key = listen_key
