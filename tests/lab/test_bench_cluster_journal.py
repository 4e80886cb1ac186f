"""The cluster journal's bench measures both sides, and judges by the ratio that it shows."""

from pathlib import Path

from tests.tools import program

from seawall.lab.bench.base import BenchOptions
from seawall.lab.bench.cluster_journal import BATCHES, CLUSTER_JOURNAL, WANTED


async def test_it_measures_at_its_shortest(tmp_path: Path) -> None:
    program("etcd")
    result = await CLUSTER_JOURNAL.perform(BenchOptions(seconds=0.1, root=tmp_path))
    assert [row["batch"] for row in result.rows] == list(BATCHES)
    assert all(row["journal_per_s"] > 0 < row["bare_per_s"] for row in result.rows)
    (target,) = result.targets
    judged = next(row for row in result.rows if row["batch"] == 500)
    assert target.measured == judged["of_bare"]
    assert target.met == (judged["of_bare"] >= WANTED)
    assert list((tmp_path / "build").iterdir()) == [], "etcd's files are gone"
