"""What a demo leaves behind.  The rule: `demo/chain.json` is there while its chain runs."""

from pathlib import Path
from typing import Final

from msgspec import Struct

KEYS_FILE: Final = "demo-keys.json"
CHAIN_FILE: Final = Path("demo") / "chain.json"


class ChainFile(Struct, frozen=True, kw_only=True):
    """What `demo/chain.json` says."""

    url: str
    network: str
    program: str
    contracts: dict[str, str]
    """By asset; "" is the network's own coin."""
    decimals: dict[str, int]
    """On chain, by asset."""
