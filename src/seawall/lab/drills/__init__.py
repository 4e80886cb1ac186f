"""Drills: the exchange is hurt on purpose, and its promises are checked, one by one."""

from typing import Final

from seawall.lab.drills.base import Drill, DrillOptions, DrillReport
from seawall.lab.drills.kill import KILL
from seawall.lab.drills.payouts import PAYOUTS

DRILLS: Final[dict[str, Drill]] = {drill.name: drill for drill in (KILL, PAYOUTS)}

__all__ = ["DRILLS", "Drill", "DrillOptions", "DrillReport"]
