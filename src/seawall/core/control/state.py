"""The control cell's state.  The rule: all of it is in digest and snapshot, but what is derived."""

from hashlib import sha256

from msgspec.json import Decoder, Encoder

from seawall.core.control.runbook_text import decode_runbook
from seawall.model.control_rows import ControlBook
from seawall.model.posture import Stage
from seawall.model.runbook import DependencyTerms, Ladder, Runbook, StageTerms

NO_RUNBOOK = Runbook(
    version="none",
    market=Ladder(
        stage=(
            StageTerms(stage=Stage.CANCEL_ONLY),
            StageTerms(stage=Stage.POST_ONLY),
            StageTerms(stage=Stage.OPEN, approvals=1),
        )
    ),
    withdrawal=Ladder(
        stage=(StageTerms(stage=Stage.PAUSED), StageTerms(stage=Stage.OPEN, approvals=1))
    ),
    other=Ladder(stage=(StageTerms(stage=Stage.PAUSED), StageTerms(stage=Stage.OPEN, approvals=1))),
)
"""Until one is adopted: no verdicts, no rules, no lease; what people stop, people start again."""


class ControlState:
    """Verdicts, services, incidents and plans."""

    def __init__(self) -> None:
        self.book = ControlBook()
        self.runbook = NO_RUNBOOK
        """Derived from the book's text."""
        self.terms: dict[str, DependencyTerms] = {}
        """The runbook's terms by dependency, as far as they were looked up."""

    @property
    def sequence(self) -> int:
        return self.book.sequence

    @property
    def at_ns(self) -> int:
        return self.book.at_ns

    @property
    def epoch(self) -> int:
        return self.book.epoch


_encoder = Encoder()
_decoder = Decoder(ControlBook)


def dump_control(state: ControlState) -> bytes:
    """Return the whole state; dicts keep the order of the journal, the same in every replica."""
    return _encoder.encode(state.book)


def load_control(data: bytes) -> ControlState:
    """Return the state that `dump_control` wrote."""
    state = ControlState()
    state.book = _decoder.decode(data)
    if state.book.runbook_text:
        state.runbook = decode_runbook(state.book.runbook_text)
    return state


def digest_control(state: ControlState) -> str:
    """Return SHA-256 over the dump, in hex."""
    return sha256(dump_control(state)).hexdigest()
