"""What can happen to an exchange in the incident drill.  The rule: each is undone by its own heal.

A scenario hurts, may hurt again half way up the ladder, and heals: before the way back where
nothing could reopen otherwise, and after it where two providers of three must do.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from seawall.lab.drills.incident_world import IncidentWorld
from seawall.model.ids import CONTROL, SPOT
from seawall.model.posture import Stage

Act = Callable[[IncidentWorld], Awaitable[str]]
"""Does something, and says what in plain words."""


class Scenario(Struct, frozen=True, kw_only=True):
    """One kind of bad day."""

    name: str
    about: str
    hurt: Act
    heal: Act
    heal_first: bool = False
    """Healed after `hold_s`, before the way back; else at the end."""
    hold_s: float = 8.0
    half_way: Act | None = None
    """Done when the withdrawals' plan enters `half_way_at`."""
    half_way_at: Stage = Stage.CANARY
    trading: bool = True
    """Whether trading stops too, and comes back by its ladder."""


async def _cut_spot_leader(world: IncidentWorld) -> str:
    world.target = await world.cluster.leader(SPOT)
    await world.cluster.provider(world.target).cut()
    return f"{world.target}, which led trading, is cut off the other providers"


async def _kill_spot_leader(world: IncidentWorld) -> str:
    world.target = await world.cluster.leader(SPOT)
    world.watchers.kill_one(world.target)
    await world.cluster.provider(world.target).kill()
    return f"everything at {world.target}, which led trading, is killed"


async def _heal_target(world: IncidentWorld) -> str:
    provider = world.cluster.provider(world.target)
    await provider.heal()
    await provider.start()
    world.watchers.start_one(world.target)
    return f"{world.target} is healed"


async def _kill_control_leader(world: IncidentWorld) -> str:
    """Kill the process of control's leader; its supervisor starts it again a little later."""
    name = await world.cluster.leader(CONTROL)
    if name == world.target or not name:
        return "control's leader was among what was lost already"
    for node in world.cluster.provider(name).nodes:
        await node.process.kill()
    world.later(2.0, world.cluster.provider(name).start)
    return f"{name}, which led control, is killed half way, and started again after two seconds"


async def _freeze_chain(world: IncidentWorld) -> str:
    await asyncio.to_thread(world.chain.freeze)
    return "the chain's node answers no more"


async def _thaw_chain(world: IncidentWorld) -> str:
    world.chain.thaw()
    return "the chain's node answers again"


async def _stop_watchers(world: IncidentWorld) -> str:
    for name in world.watchers.names:
        world.watchers.kill_one(name)
    return "every watcher is killed: nobody can say that all is well"


async def _start_watchers(world: IncidentWorld) -> str:
    for name in world.watchers.names:
        world.watchers.start_one(name)
    return "the watchers are started again"


async def _freeze_control(world: IncidentWorld) -> str:
    """Stop every node that could lead control where it stands: control is gone, etcd is not."""
    for provider in world.cluster.providers.values():
        for node in provider.nodes:
            if (pid := node.process.pid) is not None:
                os.kill(pid, signal.SIGSTOP)
    return "every node of the exchange is stopped where it stands"


async def _thaw_control(world: IncidentWorld) -> str:
    for provider in world.cluster.providers.values():
        for node in provider.nodes:
            node.process.signal(signal.SIGCONT)
    return "every node runs on"


async def _part_all(world: IncidentWorld) -> str:
    for provider in world.cluster.providers.values():
        await provider.cut()
    return "every provider is cut off both others: nobody has a majority"


async def _join_all(world: IncidentWorld) -> str:
    for provider in world.cluster.providers.values():
        await provider.heal()
    return "the providers see each other again"


SHORT: Final = "short"
SCENARIOS: Final[dict[str, Scenario]] = {
    each.name: each
    for each in (
        Scenario(
            name=SHORT,
            about="The provider that leads trading is cut off, and stays so until the end.",
            hurt=_cut_spot_leader,
            heal=_heal_target,
        ),
        Scenario(
            name="provider-cut",
            about=(
                "The provider that leads trading is cut off; half way up the ladder the leader of"
                " the control cell is killed as well."
            ),
            hurt=_cut_spot_leader,
            heal=_heal_target,
            heal_first=True,
            half_way=_kill_control_leader,
        ),
        Scenario(
            name="provider-killed",
            about="Everything at the provider that leads trading is killed, its watcher too.",
            hurt=_kill_spot_leader,
            heal=_heal_target,
        ),
        Scenario(
            name="chain-frozen",
            about="The chain's node answers no more, and trading goes on.",
            hurt=_freeze_chain,
            heal=_thaw_chain,
            heal_first=True,
            trading=False,
        ),
        Scenario(
            name="watch-gone",
            about="Every watcher dies: unknown is not healthy.",
            hurt=_stop_watchers,
            heal=_start_watchers,
            heal_first=True,
            trading=False,
        ),
        Scenario(
            name="control-gone",
            about="Every node stops where it stands, with control's leader among them.",
            hurt=_freeze_control,
            heal=_thaw_control,
            heal_first=True,
            trading=False,
        ),
        Scenario(
            name="network-gone",
            about="No provider sees another: the journal has no majority.",
            hurt=_part_all,
            heal=_join_all,
            heal_first=True,
            trading=False,
        ),
    )
}
