"""Benchmarks: what they measure is checked here; how fast it is, nowhere."""

import gzip
from pathlib import Path

import msgspec
import pytest
from tests.tools import program

from seawall.lab.bench import BENCHES, BenchOptions
from seawall.lab.bench.document import read_results, render
from seawall.lab.bench.engine import STEPS
from seawall.lab.bench.flow import CANCEL, PLACE, TAKE, Flow, make_flow, read_flow, write_flow
from seawall.lab.bench.load import frame
from seawall.lab.bench.own import run_flow
from seawall.lab.bench.payouts import ROUND
from seawall.lab.bench.rivals import NOT_MEASURED, RIVALS
from seawall.lab.bench.transfer import LEAST
from seawall.lab.sample import SMALL_CAPTURE


class NaiveBook:
    """Orders in a list; the best is looked for each time."""

    def __init__(self) -> None:
        self.resting: list[list[int]] = []
        """[id, is_buy, price, lots], in the order of arrival"""
        self.fills = 0

    def place(self, order_id: int, is_buy: bool, price_ticks: int, lots: int) -> int:
        before = self.fills
        while lots:
            others = [o for o in self.resting if o[1] != is_buy]
            sign = 1 if is_buy else -1
            others = [o for o in others if sign * (o[2] - price_ticks) <= 0]
            if not others:
                self.resting.append([order_id, is_buy, price_ticks, lots])
                break
            best = min(others, key=lambda o: sign * o[2])
            taken = min(lots, best[3])
            lots -= taken
            best[3] -= taken
            self.fills += 1
            if not best[3]:
                self.resting.remove(best)
        return self.fills - before

    def cancel(self, order_id: int) -> None:
        found = [o for o in self.resting if o[0] == order_id]
        assert len(found) == 1
        self.resting.remove(found[0])


def test_a_flow_asks_for_nothing_that_is_refused_and_is_the_same_for_a_seed(
    tmp_path: Path,
) -> None:
    flow = make_flow(3, 6_000)
    assert flow == make_flow(3, 6_000)
    assert flow != make_flow(4, 6_000)
    write_flow(flow, tmp_path / "flow")
    assert read_flow(tmp_path / "flow") == flow
    assert {step.kind for step in flow.steps} == {PLACE, CANCEL, TAKE}
    book = NaiveBook()
    for step in flow.steps:
        if step.kind == CANCEL:
            book.cancel(step.order_id)
            continue
        fills = book.place(step.order_id, step.is_buy, step.price_ticks, step.lots)
        assert (fills > 0) == (step.kind == TAKE)
    assert book.fills == flow.fills > 0


def test_the_core_does_the_whole_flow() -> None:
    flow = make_flow(3, 3_000)
    measured = run_flow(flow, 60)
    assert (measured.steps, measured.fills, measured.complete) == (3_000, flow.fills, True)
    cut_short = run_flow(Flow(flow.steps, flow.fills), 0)
    assert cut_short.steps < STEPS
    assert not cut_short.complete


def test_every_engine_that_was_looked_at_is_named_once() -> None:
    names = [rival.package for rival in RIVALS]
    assert len(names) == len(set(names))
    assert not set(names) & set(NOT_MEASURED)


@pytest.mark.parametrize("length", [0, 125, 126, 65_535])
def test_a_client_frame_has_its_length_and_a_mask_of_zero(length: int) -> None:
    made = frame(b"x" * length)
    assert made[0] == 0x81
    assert made[1] & 0x80
    assert made.endswith(bytes(4) + b"x" * length)


@pytest.mark.parametrize("name", ["journal", "recovery", "engine"])
async def test_it_measures_at_its_shortest(name: str, tmp_path: Path) -> None:
    told: list[str] = []
    with gzip.open(SMALL_CAPTURE) as lines:
        excerpt = b"".join(line for _, line in zip(range(100), lines, strict=False))
    (tmp_path / "excerpt").write_bytes(excerpt)
    options = BenchOptions(
        seconds=0.1, entries=9_000, rivals=False, capture=tmp_path / "excerpt", root=tmp_path
    )
    result = await BENCHES[name].perform(
        options, tmp_path / "out", lambda what, _done, _total: told.append(what)
    )
    assert result.rows
    assert result.machine
    assert all(list(row) == list(result.rows[0]) for row in result.rows)
    written = msgspec.json.decode((tmp_path / "out" / f"{name}.json").read_bytes())
    assert written["bench"] == name
    assert told[-1] == "measured"


async def test_payouts_and_reconciliation_are_measured_over_a_real_chain(tmp_path: Path) -> None:
    options = BenchOptions(seconds=0.0, users=800, root=tmp_path)
    paid = await BENCHES["payouts"].perform(options)
    assert [row["payments"] for row in paid.rows] == [ROUND] * 3
    read = await BENCHES["reconcile"].perform(options)
    assert [row["balances"] for row in read.rows] == [1_600] * 2
    assert not list((tmp_path / "build").iterdir()), "nothing is left behind"


@pytest.mark.slow
async def test_orders_are_answered_alone_and_in_a_cluster() -> None:
    program("etcd")
    result = await BENCHES["cluster-orders"].perform(BenchOptions(seconds=0.1))
    assert all(row["requests"] >= LEAST for row in result.rows)
    assert len(result.rows) == 3


@pytest.mark.slow
async def test_transfers_and_orders_are_answered_with_success() -> None:
    result = await BENCHES["transfer"].perform(BenchOptions(seconds=0.1))
    assert all(row["requests"] >= LEAST for row in result.rows)


@pytest.mark.slow
async def test_the_api_answers_every_prepared_request_with_success() -> None:
    result = await BENCHES["api"].perform(BenchOptions(seconds=0.4))
    assert {row["transport"] for row in result.rows} == {"REST", "WebSocket"}
    assert all(row["per_s"] > 0 for row in result.rows)


def test_the_page_says_what_the_results_say() -> None:
    root = Path(__file__).parents[2]
    results = read_results(root / "bench" / "results")
    assert {result.bench for result in results} == set(BENCHES)
    page = (root / "docs" / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert page == render(results), "write it anew: python -m seawall.lab.bench.document"
