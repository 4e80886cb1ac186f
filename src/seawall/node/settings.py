"""How a node is set up.  The rule: nothing here changes what an entry of the journal means."""

from pathlib import Path

from msgspec import Struct

from seawall.model import limits


class GateTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gates of a way back ask of the gateway's answers."""

    errors_ppm: int = 10_000
    """Of a million answers so many may fail with a 5xx."""
    p99_us: int = 250_000
    """Of a hundred orders 99 are answered within so many microseconds."""


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
    gates: GateTerms = GateTerms()
    controls: bool = True
    """Carry out control's orders and measure its gates; off too where time is played."""
