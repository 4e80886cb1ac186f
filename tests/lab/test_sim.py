"""The simulator: seeds hold, a seed repeats itself, and the auditor can be disappointed."""

from pathlib import Path

import pytest

from seawall.lab.sim import Simulation, simulate
from seawall.lib.invariants import InvariantError


@pytest.mark.parametrize("seed", range(1, 13))
def test_a_seed_holds(seed: int) -> None:
    report = simulate(seed)
    assert report.acknowledged > 100
    assert report.faults > 0


def test_a_seed_repeats_itself() -> None:
    assert simulate(5) == simulate(5)


def test_the_campaign_meets_what_it_is_for() -> None:
    reports = [simulate(seed) for seed in range(20, 26)]
    assert sum(report.crashes for report in reports) > 0
    assert sum(report.repeated for report in reports) > 0


def test_a_lost_acknowledgement_is_noticed(tmp_path: Path) -> None:
    simulation = Simulation(1, tmp_path)
    report = simulation.run()
    simulation._acknowledged["ghost"] = (report.entries + 10, "applied")
    with pytest.raises(InvariantError, match="what was acknowledged is in the journal"):
        simulation._audit()
    simulation._acknowledged["ghost"] = (1, "applied")
    with pytest.raises(InvariantError, match="is where it was said to be"):
        simulation._audit()
