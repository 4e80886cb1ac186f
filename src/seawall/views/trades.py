"""The tape: recent trades and what they add up to.  The rule: a trade is written down once.

An aggregate trade is the consecutive fills of one taker order at one price in one command; it is
complete when the command is, since journal time never stands still between two commands.
"""

from collections import deque
from itertools import islice

from seawall.model.limits import VIEW_RECENT_TRADES
from seawall.views.rows import AggTradeRow, TradeRow

# symbol, trade id, ticks, lots, quote atoms, ns, taker is buyer, auction, taker order, maker order,
# taker user, maker user, taker fee, maker fee: as history stores it, whole numbers all the way.
TradeTuple = tuple[str, int, int, int, int, int, int, int, int, int, int, int, int, int]


class AggTrade:
    """One aggregate trade, growing while its command lasts."""

    __slots__ = ("agg_id", "first", "last_trade_id", "quote_atoms", "size_lots")

    def __init__(self, agg_id: int, first: TradeTuple) -> None:
        self.agg_id = agg_id
        self.first = first
        self.last_trade_id = first[1]
        self.size_lots = first[3]
        self.quote_atoms = first[4]

    def add(self, trade: TradeTuple) -> None:
        self.last_trade_id = trade[1]
        self.size_lots += trade[3]
        self.quote_atoms += trade[4]

    def row(self) -> AggTradeRow:
        return AggTradeRow(
            agg_id=self.agg_id,
            price_ticks=self.first[2],
            size_lots=self.size_lots,
            quote_atoms=self.quote_atoms,
            first_trade_id=self.first[1],
            last_trade_id=self.last_trade_id,
            at_ns=self.first[5],
            buyer_is_maker=not self.first[6],
        )


class TradeTape:
    """One market's trades, the recent ones at hand."""

    def __init__(self) -> None:
        self.last: TradeTuple | None = None
        self.next_agg_id = 1
        self._trades: deque[TradeTuple] = deque(maxlen=VIEW_RECENT_TRADES)
        self._aggs: deque[AggTrade] = deque(maxlen=VIEW_RECENT_TRADES)

    def add(self, trade: TradeTuple) -> AggTrade | None:
        """Take in the next trade; return the aggregate trade it begins, None if it adds to one."""
        previous = self.last
        self.last = trade
        self._trades.append(trade)
        if (
            previous is not None
            and previous[5] == trade[5]
            and previous[8] == trade[8]
            and previous[2] == trade[2]
            and self._aggs
        ):
            self._aggs[-1].add(trade)
            return None
        agg = AggTrade(self.next_agg_id, trade)
        self.next_agg_id += 1
        self._aggs.append(agg)
        return agg

    def recent(self, from_id: int | None, limit: int) -> list[TradeRow] | None:
        """Return up to `limit` trades from `from_id` on (the latest if None); None if too old."""
        trades = self._trades
        oldest = trades[0][1] if trades else self._next_trade_id()
        if from_id is None:
            from_id = self.latest_from(limit)
        if from_id < oldest and oldest > 1:
            return None
        skipped = max(from_id - oldest, 0)
        return [trade_row(trade) for trade in islice(trades, skipped, skipped + limit)]

    def latest_from(self, limit: int) -> int:
        """Return the id at which the latest `limit` trades begin."""
        return max(self._next_trade_id() - limit, 1)

    def recent_aggs(self, from_id: int | None, limit: int) -> list[AggTradeRow] | None:
        """Return up to `limit` aggregate trades from `from_id` on, as `recent` does."""
        aggs = self._aggs
        oldest = aggs[0].agg_id if aggs else self.next_agg_id
        if from_id is None:
            from_id = max(self.next_agg_id - limit, 1)
        if from_id < oldest and oldest > 1:
            return None
        skipped = max(from_id - oldest, 0)
        return [agg.row() for agg in islice(aggs, skipped, skipped + limit)]

    def aggs_after(self, agg_id: int) -> list[AggTradeRow]:
        """Return the aggregate trades after `agg_id`, as far back as memory goes."""
        later = []
        for agg in reversed(self._aggs):
            if agg.agg_id <= agg_id:
                break
            later.append(agg.row())
        later.reverse()
        return later

    def _next_trade_id(self) -> int:
        return self.last[1] + 1 if self.last else 1


def trade_row(trade: TradeTuple) -> TradeRow:
    return TradeRow(
        trade_id=trade[1],
        price_ticks=trade[2],
        size_lots=trade[3],
        quote_atoms=trade[4],
        at_ns=trade[5],
        buyer_is_maker=not trade[6],
        auction=bool(trade[7]),
    )
