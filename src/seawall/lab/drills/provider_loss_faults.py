"""How a provider is hurt, and healed.  The rule: what was hurt last is not always healed last.

Each fault can be undone in two orders: node before etcd member or after it, what comes in before
what goes out or after it.
"""

import asyncio
import signal
from typing import Final

from msgspec import Struct

from seawall.lab.local_provider import LocalProvider
from seawall.lab.local_state import ClusterError

CUT: Final = "cut"
KILL: Final = "kill"
PAUSE: Final = "pause"
SLOW: Final = "slow"
FULL: Final = "disk-full"
FAULTS: Final = (CUT, KILL, PAUSE, SLOW, FULL)
FAULTS_ANYWHERE: Final = (KILL, PAUSE, SLOW)
"""Those that need no rights."""
SLOW_MS: Final = 200
HALF_S: Final = 1.0
"""How long a provider is healed by half."""


class Hurt(Struct, frozen=True, kw_only=True):
    """One fault."""

    kind: str
    backwards: bool
    """Healed in the other order."""


async def hurt(provider: LocalProvider, what: Hurt) -> str:
    """Hurt it; return by which means, where there are several."""
    match what.kind:
        case "cut":
            await provider.cut()
        case "kill":
            await provider.kill()
        case "pause":
            await provider.pause()
        case "slow":
            return await provider.slow(SLOW_MS)
        case "disk-full":
            await provider.disk_full()
        case _:
            raise ClusterError(f"there is no fault {what.kind}; there are {', '.join(FAULTS)}")
    return what.kind


async def heal(provider: LocalProvider, what: Hurt) -> None:
    """Undo it, one half after the other."""
    match what.kind:
        case "cut":
            await provider.heal()
            await provider.cut("out" if what.backwards else "in")
            await asyncio.sleep(HALF_S)
            await provider.heal()
        case "kill":
            await _revive(provider, node_first=what.backwards)
        case "pause":
            await _thaw(provider, node_first=what.backwards)
        case "slow":
            await provider.heal()
        case _:
            await provider.disk_ok()
            await provider.start()


async def _revive(provider: LocalProvider, *, node_first: bool) -> None:
    if node_first:
        for node in provider.nodes:
            node.start()
    else:
        for member in provider.members:
            member.start(provider.members_of_all)
    await asyncio.sleep(HALF_S)
    await provider.start()


async def _thaw(provider: LocalProvider, *, node_first: bool) -> None:
    if node_first:
        for node in provider.nodes:
            node.process.signal(signal.SIGCONT)
    else:
        for member in provider.members:
            member.signal(signal.SIGCONT)
    await asyncio.sleep(HALF_S)
    await provider.resume()
