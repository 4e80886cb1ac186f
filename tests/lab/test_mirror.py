"""A captured market, played into the bare core, comes out as it was captured."""

from seawall.core.invariants import check_spot
from seawall.core.machine import commit_spot
from seawall.core.spot_state import SpotState
from seawall.lab.capture import Capture, Diff
from seawall.lab.comparisons import ALL_LEVELS, book_differences
from seawall.lab.listing import listing, split_symbol
from seawall.lab.mirror import Mirror
from seawall.lab.sample import SMALL_CAPTURE
from seawall.model.commands import Credit, SetAccountTier, SetFeeTier, SpotCommand
from seawall.model.events import CommandRejected, Traded
from seawall.model.ids import Symbol, UserId
from seawall.model.instruments import FeeTier

MAKER, TAKER = UserId(1), UserId(2)


class Core:
    """The spot cell alone, under a clock that only counts."""

    def __init__(self) -> None:
        self.state = SpotState()
        self.trades: list[tuple[int, int, bool]] = []

    def do(self, command: SpotCommand) -> None:
        sequence = self.state.sequence + 1
        for event in commit_spot(self.state, command, sequence=sequence, at_ns=sequence):
            assert not isinstance(event, CommandRejected), (event.reason, command)
            if isinstance(event, Traded):
                self.trades.append((event.price_ticks, event.size_lots, event.maker.is_buy))


def test_book_and_trades_of_the_small_capture_come_out_as_captured() -> None:
    capture = Capture.load([SMALL_CAPTURE])
    core = Core()
    base, quote, listed = listing(capture)
    tier = FeeTier(tier=1, maker_ppm=0, taker_ppm=1_000, max_orders=100_000)
    for command in (base, quote, listed, SetFeeTier(tier=tier)):
        core.do(command)
    core.do(SetAccountTier(user_id=MAKER, tier=1))
    for user in (MAKER, TAKER):
        for asset in (base.asset.code, quote.asset.code):
            core.do(Credit(user_id=user, asset=asset, atoms=10**30, reference="test"))

    mirror = Mirror(Symbol(capture.symbol), capture.snapshot, [MAKER], [TAKER])
    for one in mirror.start():
        core.do(one)
    market = core.state.markets[Symbol("BTCUSDT")]
    assert book_differences(market, mirror.expected, ALL_LEVELS) == []
    for event in capture.events:
        if isinstance(event, Diff):
            for one in mirror.diff(event):
                core.do(one)
            assert book_differences(market, mirror.expected, 5) == []
        else:
            for one in mirror.trade(event):
                core.do(one)
    for one in mirror.finish():
        core.do(one)

    assert book_differences(market, mirror.expected, ALL_LEVELS) == []
    assert core.trades == [
        (trade.price // market.tick_price, trade.size // market.lot_size, trade.buyer_is_maker)
        for trade in capture.trades
    ]
    check_spot(core.state)


def test_a_difference_is_told_level_by_level() -> None:
    capture = Capture.load([SMALL_CAPTURE])
    core = Core()
    for command in listing(capture):
        core.do(command)
    mirror = Mirror(Symbol(capture.symbol), capture.snapshot, [MAKER], [TAKER])
    told = book_differences(core.state.markets[Symbol("BTCUSDT")], mirror.expected, 3)
    assert len(told) == 6
    assert told[0].endswith("at 61726.13000000, here nothing")


def test_symbols_are_split_at_their_quote() -> None:
    assert split_symbol("ETHBTC") == ("ETH", "BTC")
    assert split_symbol("BTCUSDT") == ("BTC", "USDT")
    assert split_symbol("BTCFDUSD") == ("BTC", "FDUSD")
