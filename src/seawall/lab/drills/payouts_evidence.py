"""The evidence is gathered.  The rule: the chain stands still while it is read.

What the exchange says comes from its API, as its customers hear it; of its own files only the
journal is read, to see that whatever was sent had been written down.
"""

import asyncio
from collections import defaultdict
from pathlib import Path

from seawall.lab.drills.payouts_audit import Evidence
from seawall.lab.drills.payouts_blocks import ChainRecord
from seawall.lab.drills.payouts_steps import journaled_transactions
from seawall.lab.drills.payouts_world import PayoutWorld


async def gather_evidence(world: PayoutWorld, journal: Path) -> Evidence:
    """Ask the chain and the customers."""
    chain, own = world.chain, world.own
    async with chain.standing():
        record = await chain.read(own)
        held = {
            coin.asset: coin.unit * sum([await chain.held(one, coin.contract) for one in own])
            for coin in world.coins
        }
    told, balances = {}, {}
    for customer in world.customers:
        told[customer.name] = await customer.told()
        for asset, atoms in (await customer.balances()).items():
            balances[customer.name, asset] = atoms
    ever = [one for one in chain.mined.values() if one.source in own and one.payee not in own]
    return Evidence(
        asked=[asked for customer in world.customers for asked in customer.asked],
        told=told,
        paid=record.left,
        ever_paid=ever,
        contracts={coin.asset: coin.contract for coin in world.coins},
        unit={coin.asset: coin.unit for coin in world.coins},
        journaled=await asyncio.to_thread(journaled_transactions, journal),
        balances=balances,
        deposited=_deposited(world, record),
        held=held,
        costs=record.costs,
        native=next(coin.asset for coin in world.coins if not coin.contract),
    )


def _deposited(world: PayoutWorld, record: ChainRecord) -> dict[tuple[str, str], int]:
    """Return what came to each customer's address, by customer and asset, in atoms."""
    coins = {coin.contract: coin for coin in world.coins}
    names = {customer.address: customer.name for customer in world.customers}
    found: dict[tuple[str, str], int] = defaultdict(int)
    for paid in record.came:
        coin = coins.get(paid.contract)
        if coin is not None and paid.payee in names:
            found[names[paid.payee], coin.asset] += paid.units * coin.unit
    return dict(found)
