"""Brings reports to the exchange.  The rule: the newest counts, so nothing ever waits in a queue.

Any gateway takes a report.  They are asked one after another, each a moment after the one before
has not answered: a report carries its number, so whatever arrives twice counts once.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from seawall.model.signals import SignedReport, WatchReport
from seawall.watch.probes.http import Answer, Asker, NoAnswerError
from seawall.watch.signing import sign

PATH: Final = "/seawall/v1/watch/reports"
HEDGE_S: Final = 0.3
ANSWER_S: Final = 1.0
TAKEN_BEFORE: Final = 409
BYTES_MOST: Final = 64 << 10
HEADERS: Final = {"content-type": "application/json"}


class Delivery(Struct, frozen=True, kw_only=True):
    """What became of one report."""

    number: int
    accepted: bool
    detail: str
    gateway: str = ""
    took_ns: int = 0


class Reporter:
    """All gateways."""

    def __init__(
        self,
        urls: Sequence[str],
        key: Ed25519PrivateKey,
        *,
        told: Callable[[Delivery], None] = lambda _delivery: None,
        answer_s: float = ANSWER_S,
        hedge_s: float = HEDGE_S,
    ) -> None:
        self._askers = [Asker(url, bytes_most=BYTES_MOST) for url in urls]
        self._key = key
        self._told = told
        self._answer_s = answer_s
        self._hedge_s = hedge_s
        self._at = 0
        self._waiting: SignedReport | None = None
        self._number = 0
        self._wake = asyncio.Event()
        self.accepted = 0
        self.refused = 0
        self.lost = 0
        self.dropped = 0
        self.last: Delivery | None = None

    async def close(self) -> None:
        await asyncio.gather(*(asker.close() for asker in self._askers))

    def put(self, report: WatchReport) -> None:
        """Send this one next; an older one that still waits is dropped."""
        if self._waiting is not None:
            self.dropped += 1
        self._waiting = sign(report, self._key)
        self._number = report.number
        self._wake.set()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            report, self._waiting = self._waiting, None
            if report is not None:
                self._count(await self.deliver(report, self._number))

    async def deliver(self, report: SignedReport, number: int) -> Delivery:
        """Bring one report to the first gateway that takes it."""
        began_ns = time.monotonic_ns()
        content = msgspec.json.encode(report)
        order = [(self._at + step) % len(self._askers) for step in range(len(self._askers))]
        tasks: dict[asyncio.Task[tuple[int, str]], int] = {}
        asked = 0
        answer = Delivery(number=number, accepted=False, detail="there is no gateway to tell")
        try:
            async with asyncio.timeout(self._answer_s):
                while order or tasks:
                    if order:
                        at = order.pop(0)
                        asked += 1
                        tasks[asyncio.create_task(self._post(at, content))] = at
                    done, _ = await asyncio.wait(
                        tasks,
                        timeout=self._hedge_s if order else None,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    for task in done:
                        at = tasks.pop(task)
                        final, detail = task.result()
                        if final == TAKEN_BEFORE and asked > 1:
                            # By another that was asked a moment ago, and has not said so.
                            detail = ""
                        answer = Delivery(
                            number=number, accepted=bool(final) and not detail, detail=detail,
                            gateway=self._askers[at].name if final else "",
                            took_ns=time.monotonic_ns() - began_ns,
                        )  # fmt: skip
                        if answer.accepted:
                            self._at = at
                            return answer
                        if final:
                            # Who else was asked may have taken it: this one's refusal can be
                            # that it has come twice.
                            order.clear()
        except TimeoutError:
            detail = f"no gateway answered within {self._answer_s:g} s"
            answer = Delivery(number=number, accepted=False, detail=detail)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return answer

    async def _post(self, at: int, content: bytes) -> tuple[int, str]:
        """Return this gateway's decision, 0 if it is none, and why it refused."""
        try:
            found = await self._askers[at].ask("POST", PATH, headers=HEADERS, content=content)
        except NoAnswerError as error:
            return 0, f"{self._askers[at].name}: {error.outcome.detail}"
        if found.status == 200:
            return 200, ""
        # What one gateway refuses for the report's sake, all do; a gateway in trouble does not.
        final = 400 <= found.status < 500 and found.status not in {404, 405, 408, 418, 429}
        return (
            found.status if final else 0,
            f"{self._askers[at].name}: HTTP {found.status}{_reason(found)}",
        )

    def _count(self, delivery: Delivery) -> None:
        self.last = delivery
        if delivery.accepted:
            self.accepted += 1
        elif delivery.gateway:
            self.refused += 1
        else:
            self.lost += 1
        self._told(delivery)


def _reason(found: Answer) -> str:
    try:
        told = msgspec.json.decode(found.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    for name in ("reason", "msg"):
        if isinstance(told, dict) and isinstance(told.get(name), str):
            return f" {told[name][:120]}"
    return ""
