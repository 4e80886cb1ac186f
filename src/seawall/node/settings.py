"""How a node is set up.  The rule: nothing here changes what an entry of the journal means."""

from pathlib import Path

from msgspec import Struct

from seawall.model import limits


class NodeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the node keeps its data, and how it calls itself."""

    data: Path
    name: str = "solo"
    ticks: bool = True
    """Journal a `Tick` after each second without another entry; off where time is played."""
    relay: bool = True
    """Carry messages between the cells; off where a test carries them itself."""
    snapshot_entries: int = limits.SNAPSHOT_ENTRIES
    checkpoint_entries: int = limits.CHECKPOINT_ENTRIES
    snapshot_at_close: bool = True
