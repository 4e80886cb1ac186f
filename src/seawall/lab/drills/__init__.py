"""Drills: the exchange is hurt on purpose, and its promises are checked, one by one."""

from typing import Final

from seawall.lab.drills.base import Drill, DrillError, DrillOptions, DrillReport
from seawall.lab.drills.incident import INCIDENT
from seawall.lab.drills.kill import KILL
from seawall.lab.drills.payouts import PAYOUTS
from seawall.lab.drills.provider_loss import PROVIDER_LOSS

DRILLS: Final[dict[str, Drill]] = {
    drill.name: drill for drill in (KILL, PAYOUTS, PROVIDER_LOSS, INCIDENT)
}

__all__ = ["DRILLS", "Drill", "DrillError", "DrillOptions", "DrillReport"]
