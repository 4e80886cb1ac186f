"""From a captured market to commands.  The rule: it asks nobody.

`Mirror` keeps its own list of the orders it placed.  Its commands, applied in order to a market
that nobody else trades in, give the captured book after each diff, and the captured trades one for
one: each with its price, its size and its maker's side.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import Final

from seawall.lab.capture import Diff, Snapshot, Trade
from seawall.lab.expected import ExpectedBook
from seawall.model.commands import AmendOrder, CancelOrder, OrderTerms, PlaceOrder
from seawall.model.ids import Symbol, UserId
from seawall.model.trading import OrderType, Side, TimeInForce

MirrorCommand = PlaceOrder | CancelOrder | AmendOrder

BUY: Final = True


class _Resting:
    """One maker's order, as it stands after the commands given so far."""

    def __init__(self, client_order_id: str, user_id: UserId, size: int) -> None:
        self.client_order_id = client_order_id
        self.user_id = user_id
        self.size = size
        """As the order now says, filled part included."""
        self.open = size


class _Side:
    """The orders of one side: by price, and the prices sorted."""

    def __init__(self, is_buy: bool) -> None:
        self.is_buy = is_buy
        self.levels: dict[int, deque[_Resting]] = {}
        self.prices: list[int] = []

    def add(self, price: int, order: _Resting) -> None:
        level = self.levels.get(price)
        if level is None:
            level = self.levels[price] = deque()
            insort(self.prices, price)
        level.append(order)

    def drop_if_empty(self, price: int) -> None:
        if not self.levels[price]:
            del self.levels[price]
            del self.prices[bisect_left(self.prices, price)]

    def size_at(self, price: int) -> int:
        return sum(order.open for order in self.levels.get(price, ()))

    def better_than(self, price: int) -> list[int]:
        """Return the prices that would match before `price`."""
        if self.is_buy:
            return self.prices[bisect_left(self.prices, price + 1) :]
        return self.prices[: bisect_left(self.prices, price)]

    def not_worse_than(self, price: int) -> list[int]:
        """Return the prices that an order of the other side at `price` would match."""
        if self.is_buy:
            return self.prices[bisect_left(self.prices, price) :]
        return self.prices[: bisect_left(self.prices, price + 1)]


class Mirror:
    """Plays one captured market with the accounts of `makers` and `takers`."""

    def __init__(
        self,
        symbol: Symbol,
        snapshot: Snapshot,
        makers: Sequence[UserId],
        takers: Sequence[UserId],
    ) -> None:
        self.expected = ExpectedBook(snapshot)
        self._symbol = symbol
        self._makers = makers
        self._takers = takers
        self._bids = _Side(is_buy=True)
        self._asks = _Side(is_buy=False)
        self._orders = 0
        self._touched: set[tuple[bool, int]] = set()
        """Levels that may differ from the expected book, because a trade needed them so."""

    def start(self) -> list[MirrorCommand]:
        """Return the commands that place the snapshot's book."""
        wanted = [(BUY, price) for price in self.expected.bids]
        wanted += [(not BUY, price) for price in self.expected.asks]
        return self._settle(wanted)

    def diff(self, diff: Diff) -> list[MirrorCommand]:
        """Return the commands after which the book equals the captured one."""
        self.expected.apply(diff)
        levels = dict.fromkeys((BUY, price) for price, _ in diff.bids)
        levels.update(dict.fromkeys((not BUY, price) for price, _ in diff.asks))
        return self._settle(list(levels))

    def finish(self) -> list[MirrorCommand]:
        """Return the commands that undo what trades after the last diff did to the book."""
        return self._settle([])

    def trade(self, trade: Trade) -> list[MirrorCommand]:
        """Return the commands that end with exactly this trade."""
        price, size = trade.price, trade.size
        maker_side = self._side(trade.buyer_is_maker)
        other_side = self._side(not trade.buyer_is_maker)
        commands: list[MirrorCommand] = []
        for better in maker_side.better_than(price):
            self._take_off(maker_side, better, maker_side.size_at(better), commands)
            self._touched.add((maker_side.is_buy, better))
        for crossing in other_side.not_worse_than(price):
            self._take_off(other_side, crossing, other_side.size_at(crossing), commands)
            self._touched.add((other_side.is_buy, crossing))
        self._first_holds(maker_side, price, size, commands)
        self._touched.add((maker_side.is_buy, price))
        maker = maker_side.levels[price][0]
        maker.open -= size
        if maker.open == 0:
            maker_side.levels[price].popleft()
            maker_side.drop_if_empty(price)
        commands.append(self._take(trade))
        return commands

    def _first_holds(
        self, side: _Side, price: int, size: int, commands: list[MirrorCommand]
    ) -> None:
        """See to it that the first order of the level is large enough to be the trade's maker."""
        level = side.levels.get(price)
        while level and level[0].open < size:
            commands.append(self._cancel(level.popleft()))
        if level is not None:
            side.drop_if_empty(price)
        if not level:
            commands.append(self._place(side, price, size))

    def _settle(self, levels: list[tuple[bool, int]]) -> list[MirrorCommand]:
        """Return what brings `levels` and the touched ones to their expected sizes.

        Takes off before it puts on, so that nothing crosses on the way.
        """
        # Sorted: the commands must not depend on the order in which a set is walked.
        others = sorted(self._touched.difference(levels))
        self._touched.clear()
        off: list[MirrorCommand] = []
        on: list[MirrorCommand] = []
        for is_buy, price in [*levels, *others]:
            side = self._side(is_buy)
            expected = self.expected.bids if is_buy else self.expected.asks
            missing = expected.get(price, 0) - side.size_at(price)
            if missing < 0:
                self._take_off(side, price, -missing, off)
            elif missing > 0:
                on.append(self._place(side, price, missing))
        return off + on

    def _take_off(self, side: _Side, price: int, size: int, commands: list[MirrorCommand]) -> None:
        """Cancel from the end of the queue; what remains of the last order keeps its place."""
        level = side.levels[price]
        while size > 0 and level[-1].open <= size:
            order = level.pop()
            size -= order.open
            commands.append(self._cancel(order))
        if size > 0:
            order = level[-1]
            order.size -= size
            order.open -= size
            commands.append(self._amend(order))
        side.drop_if_empty(price)

    def _side(self, is_buy: bool) -> _Side:
        return self._bids if is_buy else self._asks

    def _place(self, side: _Side, price: int, size: int) -> PlaceOrder:
        self._orders += 1
        maker = self._makers[self._orders % len(self._makers)]
        order = _Resting(f"maker-{self._orders}", maker, size)
        side.add(price, order)
        terms = OrderTerms(
            side=Side.BUY if side.is_buy else Side.SELL,
            type=OrderType.LIMIT_MAKER,
            client_order_id=order.client_order_id,
            size=size,
            price=price,
        )
        return PlaceOrder(user_id=maker, symbol=self._symbol, terms=terms)

    def _take(self, trade: Trade) -> PlaceOrder:
        taker = self._takers[trade.trade_id % len(self._takers)]
        terms = OrderTerms(
            side=Side.SELL if trade.buyer_is_maker else Side.BUY,
            type=OrderType.LIMIT,
            client_order_id=f"taker-{trade.trade_id}",
            time_in_force=TimeInForce.IOC,
            size=trade.size,
            price=trade.price,
        )
        return PlaceOrder(user_id=taker, symbol=self._symbol, terms=terms)

    def _cancel(self, order: _Resting) -> CancelOrder:
        return CancelOrder(
            user_id=order.user_id, symbol=self._symbol, client_order_id=order.client_order_id
        )

    def _amend(self, order: _Resting) -> AmendOrder:
        return AmendOrder(
            user_id=order.user_id,
            symbol=self._symbol,
            client_order_id=order.client_order_id,
            size=order.size,
        )
