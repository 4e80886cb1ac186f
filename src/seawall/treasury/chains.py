"""Chains from their settings.  The rule: whoever needs a chain gets it here, by its kind."""

from typing import assert_never

from seawall.model.funding import NetworkKind
from seawall.node.clock import Clock
from seawall.treasury.compared import ComparedChain
from seawall.treasury.evm import EvmChain
from seawall.treasury.settings import ChainSettings
from seawall.treasury.utxo import UtxoChain


def open_chain(kind: NetworkKind, settings: ChainSettings, clock: Clock) -> ComparedChain:
    """Return the network behind its port; SettingsError if the settings do not fit the kind."""
    match kind:
        case NetworkKind.EVM:
            return EvmChain(settings, clock)
        case NetworkKind.UTXO:
            return UtxoChain(settings, clock)
        case _:
            assert_never(kind)
