"""The small capture that ships with Seawall.  The rule: real data, its licence beside it."""

from pathlib import Path
from typing import Final

SMALL_CAPTURE: Final = Path(__file__).parent / "data" / "btcusdt-2024-08-08.gz"
