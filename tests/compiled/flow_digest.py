"""Plays one seeded flow and prints the core's kind and its state's digest.

Run as a program, once for each build of the core and each hash seed.
"""

from seawall.cli import definitions
from seawall.cli.configuration import load
from seawall.cli.main import core
from seawall.core.machine import commit_spot
from seawall.core.spot_state import SpotState
from seawall.core.state_digest import digest_spot
from seawall.lib.prng import Prng
from seawall.model.commands import (
    CancelOpenOrders,
    Credit,
    Lead,
    ListAsset,
    ListMarket,
    OrderTerms,
    PlaceOrder,
    SetMarketStatus,
    SpotCommand,
)
from seawall.model.ids import AssetCode, Epoch, Symbol, UserId
from seawall.model.trading import MarketStatus, OrderType, Side, StpMode, TimeInForce

USERS = 6
STEPS = 4_000
SYMBOL = Symbol("BTCUSDT")
MIDDLE_TICKS = 6_000_000
STATUSES = (MarketStatus.AUCTION, MarketStatus.OPEN)


def set_up() -> list[SpotCommand]:
    configuration = load(None, {})
    commands: list[SpotCommand] = [Lead(epoch=Epoch(1), node="test")]
    commands += [ListAsset(asset=asset) for asset in definitions.assets(configuration)]
    commands += [ListMarket(instrument=each) for each in definitions.instruments(configuration)]
    commands += [
        Credit(user_id=UserId(user), asset=AssetCode(asset), atoms=10**17, reference="start")
        for user in range(1, USERS + 1)
        for asset in ("BTC", "USDT")
    ]
    return commands


def order(prng: Prng, step: int) -> PlaceOrder:
    kind = prng.choice(
        (OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT)
    )
    ticks = MIDDLE_TICKS + prng.between(-200, 200)
    stop = MIDDLE_TICKS + prng.between(-300, 300)
    return PlaceOrder(
        user_id=UserId(prng.between(1, USERS)),
        symbol=SYMBOL,
        stp_mode=prng.choice(tuple(StpMode)),
        terms=OrderTerms(
            side=prng.choice(tuple(Side)),
            type=kind,
            client_order_id=f"o{step}",
            time_in_force=None if kind is OrderType.LIMIT_MAKER else TimeInForce.GTC,
            size=prng.between(1, 500) * 1_000_000,
            price=ticks * 1_000_000,
            stop_price=stop * 1_000_000 if kind is OrderType.STOP_LOSS_LIMIT else None,
        ),
    )


def step_command(prng: Prng, step: int) -> SpotCommand:
    if step % 500 == 0:
        status = STATUSES[step // 500 % 2]
        return SetMarketStatus(symbol=SYMBOL, status=status, reason="test")
    if step % 97 == 0:
        return CancelOpenOrders(user_id=UserId(prng.between(1, USERS)), symbol=SYMBOL)
    return order(prng, step)


def main() -> str:
    state, prng = SpotState(), Prng(2)
    commands = set_up() + [step_command(prng, step) for step in range(1, STEPS + 1)]
    trades_before = state.next_order_id
    for sequence, command in enumerate(commands, start=1):
        commit_spot(state, command, sequence=sequence, at_ns=sequence * 1_000_000)
    market = state.markets[SYMBOL]
    accepted = state.next_order_id - trades_before
    return f"{core()} {digest_spot(state)} {accepted} {market.next_trade_id - 1}"


if __name__ == "__main__":
    print(main())
