"""The exchange's public API, as a customer's program uses it.  The rule: no rights but theirs.

Every address is tried before "no answer" is said, as customers' programs do, and what a request
changes carries an id of its own, so that asking again elsewhere does it only once.
"""

import asyncio
import hashlib
import hmac
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import Answer, Asker, NoAnswerError, ms
from seawall.watch.probes.outcome import Outcome, answered, failed, unable

AS_OF_STALE: Final = "x-seawall-stale"
KEY_HEADER: Final = "X-MBX-APIKEY"
COMMAND_ID: Final = "X-Seawall-Command-Id"
OURS: Final = {
    -1002: "the key may not do this",
    -1021: "this machine's clock differs too much",
    -1022: "the key's secret is wrong",
    -1121: "the symbol is unknown",
    -2014: "the key is unknown",
    -2015: "the key is unknown or may not do this",
}
"""Refusals that are this watcher's own fault: they tell nothing of the service."""


class NoKeyError(ValueError):
    """The file holds no key; the message says why."""


class ApiKey(Struct, frozen=True, kw_only=True):
    """A probe user's key."""

    key: str
    secret: str

    def sign(self, query: str) -> str:
        return hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()


class RefusedError(Exception):
    """It was understood and refused."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.status = status
        self.code = code
        self.text = text

    @property
    def outcome(self) -> Outcome:
        """Return what it means to a probe that did not expect it."""
        if self.code in OURS:
            return unable(f"{OURS[self.code]} ({self.code})")
        return failed(f"refused: {self.code} {self.text}", reached=True)


class Told(Struct, frozen=True, kw_only=True):
    """An answer that was no refusal."""

    content: Any
    stale: str
    """Empty for what is current; else for how many seconds it may not be, or `unknown`."""
    latency_ns: int


def read_key(file: Path) -> ApiKey:
    """Read `key:secret`, which nobody but its owner may read; NoKeyError if it is not so."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise NoKeyError(f"{file} may be read by others: chmod 600 it")
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoKeyError(f"{file} cannot be read: {error}") from None
    key, _, secret = text.partition(":")
    if not key or not secret or "\n" in text:
        raise NoKeyError(f"{file} has no `key:secret` in one line")
    return ApiKey(key=key, secret=secret)


class PublicApi:
    """The API at its addresses."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        key: ApiKey | None = None,
        answer_s: float,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.key = key
        self._askers = [Asker(url) for url in urls]
        self._answer_s = answer_s
        self._wall_ns = wall_ns
        self._at = 0

    async def close(self) -> None:
        await asyncio.gather(*(asker.close() for asker in self._askers))

    async def get(self, path: str, params: Mapping[str, str]) -> Told:
        """Ask what anybody may; raise NoAnswerError or RefusedError."""
        return await self._ask("GET", f"{path}?{urlencode(params)}", {})

    async def signed(
        self, method: str, path: str, params: Mapping[str, str], command_id: str = ""
    ) -> Told:
        """Ask as the probe's user; what has a `command_id` happens once, however often asked."""
        if self.key is None:
            raise NoAnswerError(unable("this watcher has no key"))
        stamped = {**params, "timestamp": str(self._wall_ns() // 1_000_000), "recvWindow": "10000"}
        query = urlencode(stamped)
        target = f"{path}?{query}&signature={self.key.sign(query)}"
        headers = {KEY_HEADER: self.key.key}
        if command_id:
            headers[COMMAND_ID] = command_id
        return await self._ask(method, target, headers)

    async def _ask(self, method: str, target: str, headers: Mapping[str, str]) -> Told:
        """Ask the one that answered last, then the others."""
        outcome = unable("there is no address to ask")
        refusal: RefusedError | None = None
        for step in range(len(self._askers)):
            at = (self._at + step) % len(self._askers)
            try:
                async with asyncio.timeout(self._answer_s):
                    found = await self._askers[at].ask(method, target, headers=headers)
                told = _told(found)
            except TimeoutError:
                outcome = failed(f"no answer within {self._answer_s:g} s", reached=False)
            except NoAnswerError as error:
                outcome = error.outcome
            except RefusedError as error:
                if error.status < 500:
                    self._at = at
                    raise
                refusal = error
            else:
                self._at = at
                return told
        raise refusal or NoAnswerError(outcome)


def _told(found: Answer) -> Told:
    if found.status in {418, 429}:
        raise NoAnswerError(unable(f"HTTP {found.status}: this watcher asks too much"))
    if found.status >= 500 and not found.body.startswith(b"{"):
        # What stands before the gateways may speak for them, in its own words.
        raise RefusedError(found.status, 0, f"HTTP {found.status}")
    content = found.json()
    if found.status != 200:
        fields = content if isinstance(content, dict) else {}
        code, text = fields.get("code"), fields.get("msg")
        raise RefusedError(
            found.status, code if isinstance(code, int) else 0, str(text or f"HTTP {found.status}")
        )
    return Told(
        content=content, stale=found.headers.get(AS_OF_STALE, ""), latency_ns=found.latency_ns
    )


def read(content: Any, *path: str | int) -> Any:
    """Return a part of an answer; NoAnswerError where it is not there."""
    for step in path:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            raise NoAnswerError(
                answered(Health.DOWN, f"its answer has no {step!r} where it belongs")
            ) from None
    return content


class SignInProbe:
    """Whether a user gets at what is his."""

    def __init__(self, api: PublicApi) -> None:
        self._api = api

    async def close(self) -> None:
        """Leave the connections to whoever made them."""

    async def look(self) -> Outcome:
        try:
            told = await self._api.signed("GET", "/api/v3/account", {"omitZeroBalances": "true"})
            read(told.content, "balances")
        except (NoAnswerError, RefusedError) as error:
            return error.outcome
        if told.stale:
            return answered(Health.DEGRADED, f"the account is told as it was {told.stale} s ago")
        return answered(
            Health.OK, f"a signed request in {ms(told.latency_ns)}", latency_ns=told.latency_ns
        )
