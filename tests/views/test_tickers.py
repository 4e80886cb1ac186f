"""Rolling windows against the plain list of trades."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.views.flow import Exchange, Step, flows

from seawall.model.events import Traded
from seawall.model.limits import VIEW_WINDOW_HOURS
from seawall.views.bars import Bar
from seawall.views.tickers import RollingWindow
from seawall.views.views import Views

MINUTE = 60 * 1_000_000_000
HOUR = 60 * MINUTE
WINDOWS = (1, 3, 59, 60, 120, 1_440, 4_320, 10_080)


def check_window(
    exchange: Exchange, symbol: str, from_ns: int, found: dict[str, int], last: Traded | None
) -> None:
    trades = [trade for at_ns, trade in exchange.trades
              if trade.symbol == symbol and at_ns >= from_ns]  # fmt: skip
    before = [trade for at_ns, trade in exchange.trades
              if trade.symbol == symbol and at_ns < from_ns]  # fmt: skip
    prices = [trade.price_ticks for trade in trades] or [last.price_ticks if last else 0]
    assert found == {
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "last": prices[-1],
        "last_lots": trades[-1].size_lots if trades else 0,
        "lots": sum(trade.size_lots for trade in trades),
        "quote": sum(trade.quote_atoms for trade in trades),
        "first": trades[0].trade_id if trades else -1,
        "final": trades[-1].trade_id if trades else -1,
        "count": len(trades),
        "before": before[-1].price_ticks if before else prices[0],
    }


async def check_tickers(folder: Path, flow: list[Step], restart_at: int) -> None:
    exchange = Exchange(Views.open(folder))
    exchange.list_markets()
    for number, step in enumerate(flow):
        exchange.step(step)
        if number == restart_at and exchange.views is not None:
            dumped = exchange.views.dump()
            await exchange.views.close()
            exchange.views = Views.open(folder)
            exchange.views.load(dumped)
    views = exchange.followers()
    now_ns = exchange.state.at_ns + 1_234_567
    for symbol in ("AB", "CD"):
        last = [trade for _, trade in exchange.trades if trade.symbol == symbol][-1:]
        for minutes in WINDOWS:
            ticker = views.ticker(symbol, minutes, now_ns)
            assert ticker.close_ns == now_ns
            assert 0 <= now_ns - minutes * MINUTE - ticker.open_ns < MINUTE
            assert ticker.open_ns % MINUTE == 0
            check_window(
                exchange, symbol, ticker.open_ns,
                {
                    "open": ticker.open_ticks, "high": ticker.high_ticks,
                    "low": ticker.low_ticks, "last": ticker.last_ticks,
                    "last_lots": ticker.last_lots, "lots": ticker.size_lots,
                    "quote": ticker.quote_atoms, "first": ticker.first_trade_id,
                    "final": ticker.last_trade_id, "count": ticker.trade_count,
                    "before": ticker.previous_close_ticks,
                },
                last[0] if last else None,
            )  # fmt: skip
            best = views.best(symbol)
            assert (ticker.bid_ticks, ticker.ask_lots) == (best.bid_ticks, best.ask_lots)
        day = views.trading_day(symbol, now_ns, 120)
        assert (day.open_ns + 2 * HOUR) % (24 * HOUR) == 0
        assert day.open_ns <= now_ns <= day.close_ns == day.open_ns + 24 * HOUR - 1
        inside = [trade for at_ns, trade in exchange.trades
                  if trade.symbol == symbol and at_ns >= day.open_ns]  # fmt: skip
        assert day.trade_count == len(inside)
    await views.close()


@settings(deadline=None, max_examples=40)
@given(flows, st.integers(-1, 60))
def test_windows_equal_the_plain_list(flow: list[Step], restart_at: int) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(check_tickers(Path(folder), flow, restart_at))


def test_a_window_forgets_what_is_too_old_but_its_price() -> None:
    window = RollingWindow()
    for minute in range(0, 9 * 24 * 60, 7):
        at_ns = minute * MINUTE
        ticks = minute + 1
        window.add(
            Bar(at_ns, at_ns + MINUTE, ticks, ticks, ticks, ticks, 1, 1, 1, 0, 0, minute, minute)
        )
    assert len(window.hours) <= VIEW_WINDOW_HOURS + 2
    now_ns = 9 * 24 * HOUR
    bar, before = window.fold(now_ns - VIEW_WINDOW_HOURS * HOUR, None, now_ns)
    assert bar is not None
    assert bar.trade_count == sum(m >= 2 * 24 * 60 for m in range(0, 9 * 24 * 60, 7))
    assert before == max(m for m in range(0, 2 * 24 * 60, 7)) + 1
