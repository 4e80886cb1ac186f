"""The scanner's hands.  The rule: a block's deposits are committed before the next is read."""

from collections.abc import Awaitable, Callable

from seawall.model.funding_commands import FundingCommand
from seawall.treasury.chain import Chain, UnknownError
from seawall.treasury.scanner import Alarm, DepositScanner, Effect, Propose, ReadBlock

Submit = Callable[[FundingCommand], Awaitable[object]]
BLOCKS_PER_ROUND = 500
"""After so many the caller gets a turn: a long catching-up can be stopped."""


async def scan(
    chain: Chain, scanner: DepositScanner, submit: Submit, alarm: Callable[[Alarm], None]
) -> None:
    """Follow the chain from where the scanner stands to its head.

    Raises UnknownError where no quorum of endpoints agrees; nothing is lost by coming again.
    """
    head = await chain.head()
    effects = scanner.on_head(head)
    for _ in range(BLOCKS_PER_ROUND):
        wanted = await _carry_out(effects, submit, alarm)
        if wanted is None:
            break
        block = await chain.block(wanted)
        if block is None:
            raise UnknownError(f"block {wanted} is gone again")
        payments = await chain.payments(block, scanner.addresses)
        effects = scanner.on_block(block, payments)
    # What the last block brought is committed now, and may be final already.
    await _carry_out(scanner.on_head(head), submit, alarm)


async def _carry_out(
    effects: list[Effect], submit: Submit, alarm: Callable[[Alarm], None]
) -> int | None:
    """Return the height to read next, if any."""
    wanted = None
    for effect in effects:
        match effect:
            case Propose():
                await submit(effect.command)
            case Alarm():
                alarm(effect)
            case ReadBlock():
                wanted = effect.number
    return wanted
