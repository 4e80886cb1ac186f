"""Simulated clients' answers are explained by one order of events; a false one is not."""

from msgspec.structs import replace

from seawall.lab.cluster_lives import order_lives, unexplained
from seawall.lab.cluster_sim import ClusterSimulation, keep_quiet
from seawall.lab.linearizability import check_parts
from seawall.lab.sequential import OrderLife, OrderTold, Phase
from seawall.lab.virtual_time import run_virtually
from seawall.model.ids import SPOT

SEED = 5


async def _ran() -> ClusterSimulation:
    simulation = ClusterSimulation(SEED)
    await simulation.run()
    return simulation


def test_what_clients_were_told_is_explained_and_a_lie_is_not() -> None:
    keep_quiet()
    simulation = run_virtually(_ran())
    told = [each for each in simulation.operations if each.cell == SPOT]
    entries = simulation.world.disks[SPOT].entries
    assert unexplained(told, entries) == []
    lives = order_lives(told, entries)
    assert len(lives) > 100
    assert any(life.return_s is None for life in lives)
    # A cancel that was acknowledged, though the order was said to be filled before.
    place = next(n for n, life in enumerate(lives) if life.output == OrderTold(Phase.CANCELED, 0))
    lie = replace(lives[place], output=OrderTold(Phase.CANCELED, 10**30))
    found = check_parts(
        [*lives[:place], lie, *lives[place + 1 :]], lambda each: each.input.order, OrderLife()
    )
    assert list(found) == [lie.input.order]
