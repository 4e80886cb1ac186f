"""Reads users' reports from all gateways.  The rule: one that does not answer stops no other.

A thin driver of `UserReports`: it asks each gateway for its summary with an operator's token (a
viewer's is enough), and saves what it knows once a minute and at its end.
"""

import asyncio
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog

from seawall.model.signals import Signal
from seawall.model.user_reports import ReportSummary
from seawall.watch.probes.http import Asker, NoAnswerError
from seawall.watch.report_store import ReportStore
from seawall.watch.user_reports import ReportTerms

PATH: Final = "/seawall/v1/user-reports/summary"
HEADER: Final = "x-seawall-operator"
EVERY_S: Final = 10.0
ANSWER_S: Final = 5.0
SAVE_S: Final = 60.0
BYTES_MOST: Final = 4 << 20

_LOG = structlog.stdlib.get_logger(__name__)


class NoTokenError(Exception):
    """There is no token that may be used; the message says why."""


def read_token(file: Path) -> str:
    """Read a token, which nobody but its owner may read; NoTokenError if it is not so."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise NoTokenError(f"{file} may be read by others: chmod 600 it")
        token = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoTokenError(f"{file} cannot be read: {error}") from None
    if not token or not token.isprintable() or " " in token:
        raise NoTokenError(f"{file} has no token in one line")
    return token


class ReportReader:
    """All gateways, by the name of their node."""

    def __init__(
        self,
        gateways: Mapping[str, str],
        token: str,
        store: ReportStore,
        *,
        terms: ReportTerms | None = None,
        every_s: float = EVERY_S,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._askers = {name: Asker(url, bytes_most=BYTES_MOST) for name, url in gateways.items()}
        self._headers = {HEADER: token}
        self._store = store
        self._every_s = every_s
        self._now_ns = now_ns
        self._trouble: dict[str, str] = {}
        self.reports = store.load(terms=terms, nodes=tuple(gateways))

    def signals(self) -> tuple[Signal, ...]:
        """Return one signal per topic, as of now."""
        return self.reports.signals(self._now_ns())

    async def run(self) -> None:
        """Ask for ever."""
        saved_s = time.monotonic()
        while True:
            await self.ask()
            if time.monotonic() - saved_s >= SAVE_S:
                self.save()
                saved_s = time.monotonic()
            await asyncio.sleep(self._every_s)

    async def ask(self) -> None:
        """Ask every gateway once."""
        await asyncio.gather(*(self._ask(name, asker) for name, asker in self._askers.items()))

    async def close(self) -> None:
        self.save()
        await asyncio.gather(*(asker.close() for asker in self._askers.values()))

    def save(self) -> None:
        """Save; a disk that does not take it is told of and keeps nothing from going on."""
        try:
            self._store.save(self.reports)
        except OSError as error:
            _LOG.warning("user_reports_not_saved", error=str(error))

    async def _ask(self, name: str, asker: Asker) -> None:
        trouble = ""
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await asker.ask("GET", PATH, headers=self._headers)
            if answer.status == 200:
                summary = msgspec.json.decode(answer.body, type=ReportSummary)
                self.reports.on_summary(name, summary, self._now_ns())
            else:
                trouble = f"HTTP {answer.status}"
        except TimeoutError:
            trouble = "no answer in time"
        except NoAnswerError as error:
            trouble = error.outcome.detail
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            trouble = f"no summary: {error}"
        if trouble and trouble != self._trouble.get(name):
            _LOG.warning("user_reports_unread", gateway=name, reason=trouble)
        self._trouble[name] = trouble
