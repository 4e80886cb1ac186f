"""The tape and its aggregates against the plain list of trades, from memory and from history."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.views.flow import Exchange, Step, flows

from seawall.model.events import Traded
from seawall.model.ids import Symbol
from seawall.model.limits import VIEW_RECENT_TRADES
from seawall.views.market import MarketView
from seawall.views.rows import AggTradeRow, TradeRow
from seawall.views.views import Views


def naive_trades(exchange: Exchange, symbol: str) -> list[TradeRow]:
    return [
        TradeRow(
            trade_id=trade.trade_id,
            price_ticks=trade.price_ticks,
            size_lots=trade.size_lots,
            quote_atoms=trade.quote_atoms,
            at_ns=at_ns,
            buyer_is_maker=trade.maker.is_buy,
            auction=trade.auction,
        )
        for at_ns, trade in exchange.trades
        if trade.symbol == symbol
    ]


def naive_aggs(exchange: Exchange, symbol: str) -> list[AggTradeRow]:
    groups: list[list[tuple[int, Traded]]] = []
    for at_ns, trade in exchange.trades:
        if trade.symbol != symbol:
            continue
        key = (at_ns, trade.taker.order_id, trade.price_ticks)
        if groups:
            last_ns, last = groups[-1][-1]
            if key == (last_ns, last.taker.order_id, last.price_ticks):
                groups[-1].append((at_ns, trade))
                continue
        groups.append([(at_ns, trade)])
    return [
        AggTradeRow(
            agg_id=number,
            price_ticks=group[0][1].price_ticks,
            size_lots=sum(trade.size_lots for _, trade in group),
            quote_atoms=sum(trade.quote_atoms for _, trade in group),
            first_trade_id=group[0][1].trade_id,
            last_trade_id=group[-1][1].trade_id,
            at_ns=group[0][0],
            buyer_is_maker=not group[0][1].taker.is_buy,
        )
        for number, group in enumerate(groups, 1)
    ]


async def check_trades(folder: Path, flow: list[Step], restart_at: int) -> None:
    exchange = Exchange(Views.open(folder))
    exchange.list_markets()
    for number, step in enumerate(flow):
        exchange.step(step)
        if number == restart_at and exchange.views is not None:
            # Memory is lost, so what came before is answered from history.
            dumped = exchange.views.dump()
            await exchange.views.close()
            exchange.views = Views.open(folder)
            exchange.views.load(dumped)
    views = exchange.followers()
    for symbol in ("AB", "CD"):
        trades, aggs = naive_trades(exchange, symbol), naive_aggs(exchange, symbol)
        middle = len(trades) // 2
        assert await views.trades(symbol, None, 1_000) == trades
        assert await views.trades(symbol, None, 3) == trades[-3:]
        assert await views.trades(symbol, middle + 1, 3) == trades[middle : middle + 3]
        assert await views.trades(symbol, 10**9, 3) == []
        assert views.last_trade(symbol) == (trades[-1] if trades else None)
        middle = len(aggs) // 2
        start_ns = aggs[middle].at_ns if aggs else 0
        assert await views.agg_trades(symbol, None, None, None, 1_000) == aggs
        assert await views.agg_trades(symbol, None, None, None, 2) == aggs[-2:]
        assert await views.agg_trades(symbol, middle + 1, None, None, 2) == aggs[middle:][:2]
        later = [one for one in aggs if one.at_ns >= start_ns]
        assert await views.agg_trades(symbol, None, start_ns, None, 2) == later[:2]
        sooner = [one for one in aggs if one.at_ns <= start_ns]
        assert await views.agg_trades(symbol, None, None, start_ns, 2) == sooner[-2:]
        at_once = [one for one in aggs if one.at_ns == start_ns]
        assert await views.agg_trades(symbol, None, start_ns, start_ns, 1_000) == at_once
        assert await views.agg_trades(symbol, None, start_ns + 10**18, None, 2) == []
    await views.close()


@settings(deadline=None, max_examples=40)
@given(flows, st.integers(-1, 60))
def test_trades_equal_the_plain_list(flow: list[Step], restart_at: int) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(check_trades(Path(folder), flow, restart_at))


async def test_one_sweep_is_one_aggregate_per_price(tmp_path: Path) -> None:
    exchange = Exchange(Views.open(tmp_path))
    views = exchange.followers()
    exchange.list_markets()
    for user, ticks, lots in ((1, 100, 2), (3, 100, 3), (1, 101, 4)):
        exchange.order(user, "SELL", ticks, lots)
    exchange.order(2, "BUY", 101, 8)
    exchange.order(2, "BUY", 101, 1)
    found = [
        (one.agg_id, one.price_ticks, one.size_lots, one.first_trade_id, one.last_trade_id)
        for one in views.recent_agg_trades("AB", 0)
    ]
    assert found == [(1, 100, 5, 1, 2), (2, 101, 3, 3, 3), (3, 101, 1, 4, 4)]
    assert [one.agg_id for one in views.recent_agg_trades("AB", 2)] == [3]
    with pytest.raises(KeyError):
        await views.trades("XX", None, 1)
    await views.close()


def test_memory_holds_a_bounded_number_of_trades() -> None:
    market = MarketView(Symbol("AB"), 1)
    for trade_id in range(1, VIEW_RECENT_TRADES + 100):
        market.tape.add(("AB", trade_id, 5, 1, 5, trade_id, 1, 0, trade_id, 0, 1, 2, 0, 0))
    assert market.tape.recent(99, 10) is None
    assert market.tape.recent_aggs(99, 10) is None
    recent = market.tape.recent(100, 10)
    assert recent is not None
    assert [one.trade_id for one in recent] == list(range(100, 110))
