"""The spot cell's state.  The rule: everything here is in the digest and in the snapshot.

But for what is called derived: that follows from the rest, is rebuilt by `core/derived.py` at the
first command after loading, and stands in neither.
"""

from collections import deque

from seawall.core.book import Ladder
from seawall.core.ledger import Ledger
from seawall.model.instruments import Asset, FeeTier, Instrument
from seawall.model.mailbox import Mailbox
from seawall.model.orders import Order, OrderList
from seawall.model.trading import OrderType, StpMode


class Market:
    """One instrument's books and counters."""

    def __init__(self, instrument: Instrument) -> None:
        self.set_instrument(instrument)
        self.status = instrument.status
        self.status_reason = "listed"
        self.status_since_ns = 0
        self.status_order = 0
        """Number of the control cell's last order that was applied."""
        self.collar_bps = 0
        """While open: how far from `collar_ticks` orders may stand; 0 is no collar."""
        self.collar_ticks = 0
        self.bids = Ladder(highest_first=True)
        self.asks = Ladder(highest_first=False)
        self.rising_stops = Ladder(highest_first=False)
        """Orders that start when the last price is at or above their stop; lowest stop first."""
        self.falling_stops = Ladder(highest_first=True)
        """Orders that start when the last price is at or below their stop; highest stop first."""
        self.trailing: dict[int, Order] = {}
        """Waiting orders whose stop follows the market, by order id."""
        self.next_trade_id = 1
        self.next_prevented_match_id = 1
        self.update_id = 0
        self.last_ticks = 0
        """Price of the last trade; 0 before the first."""
        self.average_from_ns = 0
        self.average_buckets: list[list[int]] = []
        """[minute, lots, ticks * lots] of the last five minutes, for PERCENT_PRICE."""
        self.auction_orders: dict[int, Order] = {}
        """Market orders waiting for the uncross, by order id."""
        self.indicative: tuple[int, int, int] = (0, 0, 0)
        """What was last published of the auction: ticks, lots, surplus lots."""
        self.triggered: dict[int, Order] = {}
        """Stop orders set off but not yet begun, by order id, next one first."""
        # Empty between commands
        self.released: list[OrderList] = []
        """Lists whose pending orders begin before the command ends."""
        self.sweep_ticks = 0
        """Price of the first trade that the stops have not seen."""
        self.touched: dict[int, None] = {}
        """Keys of the levels (bids positive, asks negative) to publish."""
        # Derived
        self.window_lots = 0
        self.window_weighted = 0
        """Sums over `average_buckets`."""

    def set_instrument(self, instrument: Instrument) -> None:
        """Take over the filters; the plain copies below are for the compiled hot path."""
        self.instrument = instrument
        self.symbol: str = instrument.symbol
        self.base: str = instrument.base
        self.quote: str = instrument.quote
        self.lot_size: int = instrument.lot_size
        self.tick_price: int = instrument.tick_price
        self.atoms_per_tick_lot: int = instrument.atoms_per_tick_lot
        self.min_price: int = instrument.min_price
        self.max_price: int = instrument.max_price
        self.min_size: int = instrument.min_size
        self.max_size: int = instrument.max_size
        self.min_notional: int = instrument.min_notional
        self.max_notional: int = instrument.max_notional
        self.max_orders: int = instrument.max_orders
        self.max_algo_orders: int = instrument.max_algo_orders
        self.max_icebergs: int = instrument.max_iceberg_orders
        self.max_position: int = instrument.max_position
        self.bid_up_ppm: int = instrument.bid_up_ppm
        self.bid_down_ppm: int = instrument.bid_down_ppm
        self.ask_up_ppm: int = instrument.ask_up_ppm
        self.ask_down_ppm: int = instrument.ask_down_ppm
        self.order_types: tuple[OrderType, ...] = instrument.order_types
        self.stp_default: StpMode = instrument.stp_default


class OpenCount:
    """How many orders a user has open in one market."""

    def __init__(self) -> None:
        self.orders = 0
        self.algo = 0
        self.iceberg = 0


class Account:
    """One user's place in the spot cell."""

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        self.tier = 0
        self.trade_group = 0
        self.open_orders: dict[int, Order] = {}
        """By order id, oldest first; waiting and pending orders included."""
        self.by_client_id: dict[tuple[str, str], Order] = {}
        """Open orders by symbol and client order id."""
        self.open_lists: dict[int, OrderList] = {}
        self.countdowns: dict[str, int] = {}
        """When all orders of a market are canceled unless renewed, by symbol."""
        self.counts: dict[str, OpenCount] = {}
        """By symbol; derived."""

    def add_open(self, order: Order) -> None:
        """Enter an order that stays open after its command."""
        self.open_orders[order.order_id] = order
        self.by_client_id[order.symbol, order.client_order_id] = order
        self.count(order, 1)

    def remove_open(self, order: Order) -> None:
        """Forget an order that ended; one that never stayed open is not known here."""
        if self.open_orders.pop(order.order_id, None) is not None:
            del self.by_client_id[order.symbol, order.client_order_id]
            self.count(order, -1)

    def count(self, order: Order, step: int) -> None:
        """Count the order in (1) or out (-1)."""
        counted = self.counts.get(order.symbol)
        if counted is None:
            counted = OpenCount()
            self.counts[order.symbol] = counted
        counted.orders += step
        if order.is_algo:
            counted.algo += step
        if order.iceberg_lots:
            counted.iceberg += step


class SpotState:
    """Spot wallets and books."""

    def __init__(self) -> None:
        self.sequence = 0
        self.at_ns = 0
        self.epoch = 0
        self.assets: dict[str, Asset] = {}
        self.markets: dict[str, Market] = {}
        self.tiers: dict[int, FeeTier] = {0: FeeTier(tier=0, maker_ppm=1_000, taker_ppm=1_000)}
        self.accounts: dict[int, Account] = {}
        self.ledger = Ledger()
        self.next_order_id = 1
        self.next_order_list_id = 1
        self.credit_references: dict[str, int] = {}
        """`user/asset/reference` of every credit, and its sequence."""
        self.command_ids: dict[str, int] = {}
        """Sequence at which each remembered command id took effect, oldest first."""
        self.mailbox = Mailbox()
        # Derived
        self.derived_ready = False
        self.command_id_queue: deque[str] = deque()
        """Keys of `command_ids`, oldest first: a dict finds its oldest key only slowly."""
        self.deadlines: dict[tuple[int, str], int] = {}
        """Armed countdowns by user and symbol."""
        self.next_deadline_ns = 0
        """No countdown ends before; 0 if none is armed."""
        self.unfinished: dict[str, None] = {}
        """Symbols of open markets with stop orders set off but not yet begun."""

    def account(self, user_id: int) -> Account:
        """Return the account, opening it if there is none."""
        found = self.accounts.get(user_id)
        if found is None:
            found = Account(user_id)
            self.accounts[user_id] = found
        return found
