"""Gate checkers: what is wrong is found, what cannot be measured is not told, statements prove."""

from pathlib import Path

import msgspec
import pytest
from tests.node.market import COIN, open_node, set_up

from seawall.gateway.budgets import SPAN_NS, Budgets
from seawall.gateway.metrics import Metrics
from seawall.model.runbook import GateName
from seawall.node import gates
from seawall.node.digests import AHEAD, AHEAD_S, WAIT_S, DigestRound, Pace
from seawall.node.gates import Replica
from seawall.node.statement import (
    JournalLine,
    Signed,
    StatementBody,
    StatementKey,
    asset_lines,
    problems,
)

NOW = 1_700_000_000_000_000_000
CELLS = ("spot", "control")


def _replicas(*digests: tuple[str, str, str]) -> list[Replica]:
    return [
        Replica(node=node, cell=cell, sequence=7, digest=digest) for node, cell, digest in digests
    ]


def test_equal_replicas_need_a_majority_and_one_that_differs_is_enough() -> None:
    two = _replicas(
        ("amber", "spot", "a"), ("blue", "spot", "a"), ("amber", "control", "c"),
        ("blue", "control", "c"),
    )  # fmt: skip
    reading = gates.replicas_equal(two, 3, 2, NOW)
    assert reading is not None
    assert (reading.passed, reading.measured_ns) == (True, NOW)
    assert reading.value.startswith("2 of 3 replicas")
    assert gates.replicas_equal(two[:3], 3, 2, NOW) is None, "one of three is no majority"
    assert gates.replicas_equal(two[:2], 3, 2, NOW) is None, "of the other cell nobody told"
    differs = gates.replicas_equal([*two, *_replicas(("coral", "spot", "b"))], 3, 2, NOW)
    assert differs is not None
    assert not differs.passed
    assert "spot" in differs.value


def test_a_round_takes_answers_to_its_own_question_only() -> None:
    asked = DigestRound({"spot": 7}, ["amber", "blue"], 100.0)
    asked.on_digest("amber", "spot", 7, "a")
    for node, cell, sequence in (("blue", "spot", 8), ("blue", "funding", 7), ("x", "spot", 7)):
        asked.on_digest(node, cell, sequence, "b")
    assert [each.node for each in asked.replicas] == ["amber"]
    assert not asked.over(100.0 + WAIT_S / 2)
    assert asked.over(100.0 + WAIT_S)
    asked.on_digest("blue", "spot", 7, "a")
    assert asked.over(100.1)


def test_a_busy_cell_is_asked_further_ahead() -> None:
    pace = Pace()
    assert pace.next_sequences({"spot": 10, "control": 5}, 100.0) == {
        "spot": 10 + AHEAD,
        "control": 5 + AHEAD,
    }
    found = pace.next_sequences({"spot": 5_010, "control": 6}, 100.0 + AHEAD_S)
    assert found == {"spot": 10_010 + AHEAD, "control": 7 + AHEAD}


def test_what_is_asked_for_comes_before_the_round_ends_however_long_the_last_one_took() -> None:
    """A round that waited for a node that is gone once made the next ask for what came too late."""
    pace = Pace()
    per_s = {"identity": 2, "spot": 40}
    sequences = dict.fromkeys(per_s, 100)
    now_s = 100.0
    for waited_s in (1.0, WAIT_S, WAIT_S, 1.0, WAIT_S):
        asked = pace.next_sequences(sequences, now_s)
        for cell, rate in per_s.items():
            assert (asked[cell] - sequences[cell]) / rate < WAIT_S / 2, cell
            sequences[cell] += int(rate * waited_s)
        now_s += waited_s


@pytest.mark.parametrize("missing", [0, 1])
async def test_a_ledger_that_lost_an_atom_is_told(tmp_path: Path, missing: int) -> None:
    node = await open_node(tmp_path)
    await set_up(node)
    node.spot.ledger.balance(1, "BTC").free -= missing
    reading = gates.ledger_zero_sum(asset_lines(node.spot, node.funding), [], NOW)
    node.spot.ledger.balance(1, "BTC").free += missing
    assert reading is not None
    assert reading.passed is (missing == 0)
    assert ("BTC sums to -1" in reading.value) is (missing == 1)
    apart = gates.ledger_zero_sum(asset_lines(node.spot, node.funding), ["they differ"], NOW)
    assert apart is not None
    assert not apart.passed
    await node.close()


def _body(lines: tuple[object, ...]) -> StatementBody:
    head = JournalLine(cell="spot", sequence=1, epoch=1, chain_hash="aa", state_digest="bb")
    content = {
        "exchange": "reef",
        "node": "amber",
        "at_ns": NOW,
        "assets": lines,
        "reconciliations": [],
        "journals": [head],
    }
    return msgspec.convert(msgspec.to_builtins(content), StatementBody)


async def test_a_statement_is_believed_for_its_key_its_sums_and_its_time(tmp_path: Path) -> None:
    node = await open_node(tmp_path)
    await set_up(node)
    lines = asset_lines(node.spot, node.funding)
    assert {line.asset: int(line.users) for line in lines}["BTC"] == 2 * 10**6 * COIN
    await node.close()
    path = tmp_path / "secrets" / "statement.key"
    key = StatementKey.open(path)
    assert StatementKey.open(path).public == key.public
    assert path.stat().st_mode & 0o077 == 0
    signed = key.sign(_body(lines))
    assert problems(signed, NOW + 5, 10) == []
    assert problems(signed, NOW + 11, 10) == ["it is not of the present"]
    other = StatementKey.open(tmp_path / "other.key")
    forged = Signed(text=signed.text, signature=signed.signature, public_key=other.public)
    assert problems(forged, NOW, 10) == ["the signature is not that of the key"]
    worse = msgspec.structs.replace(lines[0], users=str(int(lines[0].users) + 1))
    told = problems(key.sign(_body((worse, *lines[1:]))), NOW, 10)
    assert told[0] == f"{worse.asset} sums to 1, not to zero"
    assert problems(Signed(text="{}", signature="", public_key=key.public), NOW, 1)


def test_budgets_judge_what_was_answered_lately_and_nothing_else() -> None:
    metrics = Metrics()
    budgets = Budgets(metrics)
    metrics.answered("order.place", 500, 10**9)
    first = budgets.look(NOW)
    assert gates.within_budget(first, errors_ppm=0, p99_us=1, measured_ns=NOW) == []
    for _ in range(99):
        metrics.answered("order.place", 200, 3_000_000)
    metrics.answered("general.ping", 503, 9_000_000_000)
    errors, latency = gates.within_budget(
        budgets.look(NOW + SPAN_NS // 2), errors_ppm=10_000, p99_us=5_000, measured_ns=NOW
    )
    assert (errors.gate, errors.passed) == (GateName.ERRORS_WITHIN_BUDGET, True)
    assert (latency.gate, latency.passed) == (GateName.LATENCY_WITHIN_BUDGET, True)
    metrics.answered("order.cancel", 503, 3_000_000)
    later = budgets.look(NOW + SPAN_NS // 2 + 1)
    errors, _ = gates.within_budget(later, errors_ppm=10_000, p99_us=5_000, measured_ns=NOW)
    assert not errors.passed
    assert budgets.look(NOW + 10 * SPAN_NS).answers == 0, "of another time"
