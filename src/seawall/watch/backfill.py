"""What a wallet sent in the past, from its nonces.  The rule: where nothing moved, nobody looks.

A nonce counts every outgoing transaction, of coin or token.  So a span of blocks with one nonce at
both ends holds none, and a span with two is halved until it is shorter than a bin.  A quiet wallet
costs a few hundred questions, the busiest about one for each bin.

Times of blocks are asked for down to an hour; below, they are interpolated if halves were where a
regular chain has them, and asked for if not.
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from msgspec import Struct

from seawall.watch.activity import BIN_S, HOUR_S, Sent
from seawall.watch.rpc import Chain, PrunedError, RpcError

Progress = Callable[[float], None]
"""Called with the share that is done."""

SCAN_BLOCKS: Final = 300
REGULAR_S: Final = BIN_S / 5
WINDOWS: Final = 16
WINDOW_BLOCKS: Final = 50
UNEVEN: Final = 0.4
"""By how much fifty blocks may take longer or shorter where they come evenly enough."""


class Sample(Struct, frozen=True, kw_only=True):
    """The wallet after one block."""

    number: int
    at_s: float
    nonce: int


class Past(Struct, frozen=True, kw_only=True):
    """What was found."""

    since_s: float
    sent: tuple[Sent, ...]
    archive: bool
    """False: the node keeps no old state, and the past is as far as its newest blocks go."""
    last_block: int | None = None
    """The block of the last transaction, if reading it came by."""


class _Span(Struct, frozen=True, kw_only=True):
    low: Sample
    high: Sample
    regular: bool = False


async def read_past(chain: Chain, head: Sample, since_s: float, progress: Progress) -> Past:
    """Return what was sent up to the head since then, or since as long ago as can be known."""
    start = await _block_at(chain, head, since_s)
    low = await _sample(chain, start)
    if low is None or await _forgets_numbers(chain):
        return await _scan(chain, head, progress)
    regular = await _is_regular(chain, low, head)
    sent = await read_span(chain, low, head, progress, regular=regular)
    return Past(since_s=low.at_s, sent=tuple(sent), archive=True)


async def read_span(
    chain: Chain, low: Sample, high: Sample, progress: Progress, *, regular: bool = False
) -> list[Sent]:
    """Return what was sent after one block and until another."""
    spans = [_Span(low=low, high=high)]
    found: list[Sent] = []
    whole_s = max(high.at_s - low.at_s, 1.0)
    while spans:
        split: list[_Span] = []
        for span in spans:
            count = span.high.nonce - span.low.nonce
            if count <= 0:
                continue
            long = span.high.at_s - span.low.at_s > BIN_S
            if long and span.high.number - span.low.number > 1:
                split.append(span)
            else:
                after_s = span.low.at_s if long is False else span.high.at_s - 1
                found.append(Sent(after_s=after_s, until_s=span.high.at_s, count=count))
        spans = await _halves(chain, split, regular=regular)
        progress(1 - sum(each.high.at_s - each.low.at_s for each in spans) / whole_s)
    return sorted(found, key=lambda each: each.until_s)


async def last_sent(chain: Chain, low: int, high: Sample) -> int | None:
    """Return the block of the newest transaction up to `high`, if it is after `low`."""
    (before,) = await chain.nonces([low])
    if before >= high.nonce:
        return None
    found = high.number
    while found - low > 1:
        middle = (low + found) // 2
        (nonce,) = await chain.nonces([middle])
        if nonce >= high.nonce:
            found = middle
        else:
            low = middle
    return found


async def _halves(chain: Chain, spans: Sequence[_Span], *, regular: bool) -> list[_Span]:
    """Cut each span in two."""
    if not spans:
        return []
    middles = [(span.low.number + span.high.number) // 2 for span in spans]
    nonces = await chain.nonces(middles)
    asked = [
        middle
        for span, middle in zip(spans, middles, strict=True)
        if not (regular and span.regular and span.high.at_s - span.low.at_s <= HOUR_S)
    ]
    times = dict(zip(asked, await chain.times(asked), strict=True)) if asked else {}
    found = []
    for span, middle, nonce in zip(spans, middles, nonces, strict=True):
        guess_s = _between(span, middle)
        at_s = times.get(middle, guess_s)
        as_guessed = span.regular if middle not in times else abs(at_s - guess_s) <= REGULAR_S
        sample = Sample(number=middle, at_s=at_s, nonce=nonce)
        found.append(_Span(low=span.low, high=sample, regular=as_guessed))
        found.append(_Span(low=sample, high=span.high, regular=as_guessed))
    return found


def _between(span: _Span, middle: int) -> float:
    share = (middle - span.low.number) / (span.high.number - span.low.number)
    return span.low.at_s + share * (span.high.at_s - span.low.at_s)


async def _is_regular(chain: Chain, low: Sample, high: Sample) -> bool:
    """Whether blocks come evenly in some windows of the span."""
    room = high.number - low.number - WINDOW_BLOCKS
    if room < WINDOWS:
        return False
    starts = [low.number + room * place // WINDOWS for place in range(WINDOWS)]
    began = await chain.times(starts)
    ended = await chain.times([start + WINDOW_BLOCKS for start in starts])
    took = [after - before for before, after in zip(began, ended, strict=True)]
    middle = median(took)
    return all(abs(each - middle) <= UNEVEN * middle for each in took)


async def _block_at(chain: Chain, head: Sample, at_s: float) -> int:
    """Return the newest block that is not after the moment, or the first one."""
    (first_s,) = await chain.times([min(1, head.number)])
    # The genesis block's time is often 0; block 1 stands for it.
    low, high = min(1, head.number), head.number
    low_s, high_s = float(first_s), head.at_s
    if low_s >= at_s:
        return low
    by_halves = False
    while high - low > 1:
        share = 0.5 if by_halves else (at_s - low_s) / max(high_s - low_s, 1.0)
        middle = min(max(low + int(share * (high - low)), low + 1), high - 1)
        (middle_s,) = await chain.times([middle])
        if 0 <= at_s - middle_s <= REGULAR_S:
            return middle
        if middle_s <= at_s:
            low, low_s = middle, middle_s
        else:
            high, high_s = middle, middle_s
        # Guesses by proportion, and halves between them: neither alone is quick on every chain.
        by_halves = not by_halves
    return low


async def _sample(chain: Chain, block: int) -> Sample | None:
    """Return the wallet after the block; None if the node does not keep that state."""
    try:
        (nonce,) = await chain.nonces([block])
    except PrunedError:
        return None
    (at_s,) = await chain.times([block])
    return Sample(number=block, at_s=at_s, nonce=nonce)


async def _forgets_numbers(chain: Chain) -> bool:
    """Whether the node answers every question with its newest state: no wallet begins above 0."""
    try:
        (nonce,) = await chain.nonces([0])
    except RpcError:
        return True
    return nonce > 0


async def _scan(chain: Chain, head: Sample, progress: Progress) -> Past:
    """Read the newest blocks one by one, for a node without old state."""
    found: list[Sent] = []
    since_s = head.at_s
    last_block: int | None = None
    first = max(head.number - SCAN_BLOCKS, 0)
    for block in range(head.number, first, -1):
        try:
            at_s, sent = await chain.transactions(block)
        except RpcError:
            break
        since_s = at_s
        if sent:
            last_block = last_block or block
            found.append(Sent(after_s=at_s - 1, until_s=at_s, count=len(sent)))
        progress((head.number - block + 1) / (head.number - first))
    return Past(since_s=since_s, sent=tuple(reversed(found)), archive=False, last_block=last_block)
