"""What stands on chain, vault by vault.  The rule: one block for all of it, or no figure.

A hundred thousand deposit addresses are read some hundreds at a time, and only sums are kept.
"""

from collections.abc import Collection, Mapping

from seawall.model.funding import Vault
from seawall.treasury.chain import Block, Chain


async def read_holdings(
    chain: Chain, where: Mapping[Vault, tuple[str, ...]], contracts: Collection[str], block: Block
) -> dict[tuple[Vault, str], int]:
    """Return the units of each vault and contract after this very block; or UnknownError."""
    return {
        (vault, contract): sum(await chain.balances(addresses, contract, block))
        for contract in contracts
        for vault, addresses in where.items()
    }
