"""Bounds of a runbook's numbers.  The rule: each number has a range, and both ends are told."""

from typing import Final

from seawall.model.runbook import Runbook

Place = tuple[str | int, ...]

DAY_S: Final = 86_400
PPM: Final = 1_000_000


class WrongTermError(Exception):
    """Something in the runbook cannot stand, and where it is."""

    def __init__(self, path: Place, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def within(path: Place, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise WrongTermError(path, f"{path[-1]}: {value} is not within {low} and {high}")


def check_numbers(runbook: Runbook) -> None:
    """Check all numbers but those of the ladders."""
    signals = runbook.signals
    within(("signals", "fresh_s"), signals.fresh_s, 1, 300)
    within(("signals", "skew_s"), signals.skew_s, 1, 300)
    lease = runbook.lease
    # Five seconds is what is promised: see docs/promises.
    within(("lease", "seconds"), lease.seconds, 1, 5)
    within(("lease", "lapse_s"), lease.lapse_s, lease.seconds, DAY_S)
    within(("lease", "witnesses"), lease.witnesses, 0, 16)
    for at, term in enumerate(runbook.dependency):
        place = ("dependency", at)
        within((*place, "quorum"), term.quorum, 1, 16)
        within((*place, "down_after_s"), term.down_after_s, 0, 600)
        within((*place, "ok_after_s"), term.ok_after_s, max(1, term.down_after_s), DAY_S)
    surge = runbook.surge
    within(("surge", "hours"), surge.hours, 1, 168)
    within(("surge", "factor"), surge.factor, 1, 1_000)
    within(("surge", "cover_ppm"), surge.cover_ppm, 0, 10 * PPM)
    cadence = runbook.cadence
    within(("cadence", "critical_s"), cadence.critical_s, 60, DAY_S)
    within(("cadence", "major_s"), cadence.major_s, cadence.critical_s, DAY_S)
    within(("cadence", "minor_s"), cadence.minor_s, cadence.major_s, 7 * DAY_S)
