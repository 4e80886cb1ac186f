"""Seawall's own engine on the flow that the rivals run.  The rule: the whole of it, nothing off.

Every command goes through `commit_spot` as the journal would bring it: filters, ledger with holds
and fees, matching, events, level changes.  A first pass checks that nothing is refused and counts
the fills; a second one is timed.  The plain and the compiled core are measured in processes of
their own: see `measure`.
"""

import gc
import time
from collections.abc import Sequence
from typing import Final

from seawall.core.machine import commit_spot
from seawall.core.spot_state import SpotState
from seawall.lab.bench.flow import CANCEL, MID_TICKS, PLACE, Flow, Step
from seawall.lab.bench.measured import Measured
from seawall.lab.capture import Capture, Diff
from seawall.lab.listing import listing
from seawall.lab.mirror import Mirror
from seawall.lab.sample import SMALL_CAPTURE
from seawall.model.commands import (
    CancelOrder,
    Credit,
    ListAsset,
    ListMarket,
    OrderTerms,
    PlaceOrder,
    SetAccountTier,
    SetFeeTier,
    SpotCommand,
)
from seawall.model.events import CommandRejected, Event, Traded
from seawall.model.ids import AssetCode, Symbol, UserId
from seawall.model.instruments import Asset, FeeTier, Instrument
from seawall.model.trading import OrderType, Side, TimeInForce

CHUNK: Final = 256
MAKER: Final = UserId(1)
TAKER: Final = UserId(2)
BTCUSDT: Final = Symbol("BTCUSDT")
TICK_PRICE: Final = 1_000_000
LOT_SIZE: Final = 1_000
TIER: Final = FeeTier(tier=1, maker_ppm=1_000, taker_ppm=1_000, max_orders=100_000)


class Core:
    """The spot cell under a clock that only counts."""

    def __init__(self, commands: Sequence[SpotCommand]) -> None:
        self.state = SpotState()
        self.sequence = 0
        for command in commands:
            self.check(command)

    def do(self, command: SpotCommand) -> list[Event]:
        self.sequence += 1
        return commit_spot(self.state, command, sequence=self.sequence, at_ns=self.sequence)

    def check(self, command: SpotCommand) -> int:
        """Do it, see that it was not refused, and return its number of fills."""
        fills = 0
        for event in self.do(command):
            if isinstance(event, CommandRejected):
                raise TypeError(f"the flow asks for nothing that is refused: {event.reason}")
            fills += isinstance(event, Traded)
        return fills


def run_flow(flow: Flow, seconds: float) -> Measured:
    """Run the flow until it ends or the time is up.

    The commands are made beforehand, as decoding the journal makes them: a rival, too, is handed
    what its caller has.
    """
    commands = [command_of(step) for step in flow.steps]
    return _checked_and_timed(listing_commands(), commands, seconds)


def run_capture(seconds: float) -> Measured:
    """Run the real mix of the small capture: commands made beforehand, as a replay has them."""
    capture = Capture.load([SMALL_CAPTURE])
    base, quote, market = listing(capture)
    first = [base, quote, market, *_accounts(base.asset.code, quote.asset.code)]
    mirror = Mirror(Symbol(capture.symbol), capture.snapshot, [MAKER], [TAKER])
    commands = [*mirror.start()]
    for event in capture.events:
        commands += mirror.diff(event) if isinstance(event, Diff) else mirror.trade(event)
    return _checked_and_timed(first, commands, seconds)


def command_of(step: Step) -> SpotCommand:
    """Return the step as a command, as the gateway would make it."""
    if step.kind == CANCEL:
        return CancelOrder(user_id=MAKER, symbol=BTCUSDT, client_order_id=str(step.order_id))
    terms = OrderTerms(
        side=Side.BUY if step.is_buy else Side.SELL,
        type=OrderType.LIMIT,
        client_order_id=str(step.order_id),
        time_in_force=TimeInForce.GTC,
        size=step.lots * LOT_SIZE,
        price=step.price_ticks * TICK_PRICE,
    )
    user_id = MAKER if step.kind == PLACE else TAKER
    return PlaceOrder(user_id=user_id, symbol=BTCUSDT, terms=terms)


def _checked_and_timed(
    first: Sequence[SpotCommand], commands: Sequence[SpotCommand], seconds: float
) -> Measured:
    core = Core(first)
    fills = sum(core.check(command) for command in commands)
    core = Core(first)
    do, done = core.do, 0
    gc.collect()
    gc.disable()
    # The processor's time, not the wall's: what else the machine does must not count.
    began = time.process_time()
    for start in range(0, len(commands), CHUNK):
        for command in commands[start : start + CHUNK]:
            do(command)
        done = min(start + CHUNK, len(commands))
        if time.process_time() - began > seconds:
            break
    took_s = time.process_time() - began
    gc.enable()
    return Measured(done, took_s, fills, done == len(commands))


def listing_commands() -> list[SpotCommand]:
    instrument = Instrument(
        symbol=BTCUSDT,
        base=AssetCode("BTC"),
        quote=AssetCode("USDT"),
        base_decimals=8,
        quote_decimals=8,
        tick_price=TICK_PRICE,
        lot_size=LOT_SIZE,
        min_price=TICK_PRICE,
        max_price=TICK_PRICE * MID_TICKS * 1_000,
        min_size=LOT_SIZE,
        max_size=LOT_SIZE * 10**9,
        max_market_size=LOT_SIZE * 10**9,
        min_notional=0,
        max_notional=10**30,
    )
    assets = [Asset(code=AssetCode(code), name=code, decimals=8) for code in ("BTC", "USDT")]
    return [
        *(ListAsset(asset=asset) for asset in assets),
        ListMarket(instrument=instrument),
        *_accounts(*(asset.code for asset in assets)),
    ]


def _accounts(*codes: AssetCode) -> list[SpotCommand]:
    return [
        SetFeeTier(tier=TIER),
        SetAccountTier(user_id=MAKER, tier=TIER.tier),
        *(
            Credit(user_id=user, asset=code, atoms=10**30, reference="bench")
            for user in (MAKER, TAKER)
            for code in codes
        ),
    ]
