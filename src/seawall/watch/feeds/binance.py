"""Binance's system status.  The rule: number and word must say the same."""

from typing import Final

from msgspec import Struct

from seawall.model.watch_facts import Health
from seawall.watch.feeds.page import Draft, json

URL: Final = "https://api.binance.com/sapi/v1/system/status"
WORDS: Final = {"0 normal": Health.OK, "1 system_maintenance": Health.MAINTENANCE}


class Status(Struct, frozen=True, kw_only=True):
    """The answer."""

    status: int
    msg: str


def adapt(draft: Draft) -> None:
    answer = json(draft, Status)
    word = f"{answer.status} {answer.msg}"
    health = draft.word(WORDS, word, "the system's status")
    if health is not Health.OK:
        draft.add(incident_id="system", title=answer.msg, health=health, word=word)
