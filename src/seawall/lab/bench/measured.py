"""What a measuring process prints.  The rule: counts and seconds; ratios are made elsewhere."""

from msgspec import Struct


class Measured(Struct, frozen=True):
    steps: int
    seconds: float
    fills: int
    """-1 if the engine does not tell."""
    complete: bool
    """Whether the whole flow was run within the time."""

    @property
    def rate(self) -> float:
        return self.steps / self.seconds
