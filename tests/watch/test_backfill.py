"""The past is read from nonces: exactly, with few questions, honestly where it is not kept."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.watch.activity import BIN_S, WEEK_S
from seawall.watch.backfill import SCAN_BLOCKS, Sample, last_sent, read_past
from seawall.watch.rpc import Chain, PrunedError, Rpc

BLOCK_S = 12
BEGAN_S = 1_700_000_000


class MadeUpChain(Chain):
    """A chain in memory: `sent` are the blocks in which the wallet sent, one for each time."""

    def __init__(self, times_s: Sequence[int], sent: Sequence[int], kept: int = 0) -> None:
        super().__init__(Rpc("http://127.0.0.1:1"), "0x" + "a1" * 20)
        self.times_s = times_s
        self.sent = sorted(sent)
        self.kept = kept
        self.asked = 0

    @property
    def head(self) -> Sample:
        last = len(self.times_s) - 1
        return Sample(number=last, at_s=self.times_s[last], nonce=len(self.sent))

    async def nonces(self, blocks: Sequence[int]) -> list[int]:
        self.asked += len(blocks)
        if any(block < self.kept for block in blocks):
            raise PrunedError("missing trie node")
        return [bisect_right(self.sent, block) for block in blocks]

    async def times(self, blocks: Sequence[int]) -> list[int]:
        self.asked += len(blocks)
        return [self.times_s[block] for block in blocks]

    async def transactions(self, block: int) -> tuple[int, list[dict[str, Any]]]:
        return self.times_s[block], [{}] * self.sent.count(block)


def regular(hours: int) -> list[int]:
    return [BEGAN_S + BLOCK_S * each for each in range(hours * 3_600 // BLOCK_S)]


def nobody(_share: float) -> None:
    """Report to nobody."""


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 60),
    irregular=st.booleans(),
)
async def test_everything_sent_is_found_when_it_was(seed: int, count: int, irregular: bool) -> None:
    rng = random.Random(seed)
    times_s = regular(48)
    if irregular:
        # Seconds between blocks as a halting chain has them.
        times_s = [BEGAN_S]
        while len(times_s) < 5_000:
            times_s.append(times_s[-1] + (rng.randrange(1, 4_000) if rng.random() < 0.02 else 5))
    chain = MadeUpChain(times_s, [rng.randrange(2, len(times_s)) for _ in range(count)])
    past = await read_past(chain, chain.head, BEGAN_S - 1, nobody)
    assert past.archive
    assert sum(each.count for each in past.sent) == count
    found = [each.until_s for each in past.sent for _ in range(each.count)]
    slack_s = BIN_S + BIN_S / 5
    for block, until_s in zip(chain.sent, found, strict=True):
        assert -60 <= until_s - times_s[block] <= slack_s
    last = await last_sent(chain, 0, chain.head)
    assert last == (chain.sent[-1] if count else None)


async def test_a_quiet_wallet_costs_little_and_a_busy_one_what_it_must() -> None:
    times_s = regular(4 * 168)
    quiet = MadeUpChain(times_s, [50_000, 120_000, 190_000])
    await read_past(quiet, quiet.head, BEGAN_S, nobody)
    assert quiet.asked < 200
    busy = MadeUpChain(times_s, range(2, len(times_s), 3))
    past = await read_past(busy, busy.head, BEGAN_S, nobody)
    assert busy.asked < 2.2 * 4 * WEEK_S / BIN_S
    assert sum(each.count for each in past.sent) == len(busy.sent)


async def test_only_the_asked_weeks_are_read() -> None:
    times_s = regular(3 * 168)
    chain = MadeUpChain(times_s, [10, 60_000, 150_000])
    past = await read_past(chain, chain.head, times_s[-1] - WEEK_S, nobody)
    assert sum(each.count for each in past.sent) == 1
    assert past.since_s == pytest.approx(times_s[-1] - WEEK_S, abs=60)


async def test_a_node_without_old_state_is_read_block_by_block() -> None:
    times_s = regular(48)
    head = len(times_s) - 1
    chain = MadeUpChain(times_s, [100, head - 200, head - 7, head - 7], kept=head - 128)
    past = await read_past(chain, chain.head, BEGAN_S, nobody)
    assert not past.archive
    assert past.since_s == times_s[head - SCAN_BLOCKS + 1]
    assert [(each.until_s, each.count) for each in past.sent] == [
        (times_s[head - 200], 1), (times_s[head - 7], 2),
    ]  # fmt: skip
    assert past.last_block == head - 7


async def test_a_node_that_always_answers_with_its_newest_state_is_not_believed() -> None:
    class Forgetful(MadeUpChain):
        async def nonces(self, blocks: Sequence[int]) -> list[int]:
            return [len(self.sent)] * len(blocks)

    chain = Forgetful(regular(48), [100, 200])
    past = await read_past(chain, chain.head, BEGAN_S, nobody)
    assert not past.archive, "an unchanging nonce would read as silence"
