"""The cluster in virtual time: what must hold holds, and an auditor that sees when it does not."""

import logging
from collections.abc import Sequence

import pytest
import structlog

from seawall.journal.port import Head
from seawall.lab.cluster_sim import simulate
from seawall.lab.cluster_world import WorldJournal
from seawall.lib.invariants import InvariantError
from seawall.node.forwarding import CellForwarder


@pytest.fixture(autouse=True)
def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.mark.parametrize("seed", [1, 7, 13, 21, 84, 96])
def test_every_promise_holds_under_faults(seed: int) -> None:
    report = simulate(seed)
    assert report.acknowledged > 300
    assert report.reads > 50


def test_a_seed_is_one_run() -> None:
    assert simulate(3) == simulate(3)


def test_the_auditor_sees_a_leader_that_forgets_what_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CellForwarder, "_remember", lambda _self, _origin: None)
    with pytest.raises(InvariantError, match="at most once"):
        _campaign()


def _campaign() -> None:
    for seed in range(1, 30):
        simulate(seed)


def test_the_auditor_sees_a_journal_that_answers_before_it_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = WorldJournal.append

    async def forgetful(
        self: WorldJournal, expected: int, epoch: int, payloads: Sequence[bytes]
    ) -> Head:
        head = await honest(self, expected, epoch, payloads)
        if expected == 300:
            del self.disk.entries[299:]
        return head

    monkeypatch.setattr(WorldJournal, "append", forgetful)
    with pytest.raises(InvariantError):
        simulate(2)
