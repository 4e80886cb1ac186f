"""One HTTP question.  The rule: bounded in bytes, and neither redirects nor proxies unless asked.

An address may hold a key, so it is never part of what is told.
"""

import ssl
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Struct

from seawall.model.watch_facts import Health
from seawall.watch.probes.outcome import Outcome, answered, failed, of_error, unable

BYTES_MOST: Final = 1 << 20
LONGEST_S: Final = 60.0
"""For one part of an answer; the bound on the whole look is its caller's."""
AGENT: Final = "seawall-watch"


class Answer(Struct, frozen=True, kw_only=True):
    status: int
    headers: Mapping[str, str]
    """In small letters."""
    body: bytes
    latency_ns: int

    def json(self) -> Any:
        """Return what the body says; `NoAnswerError` where it is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NoAnswerError(
                answered(Health.DOWN, f"HTTP {self.status}, and what came is no JSON")
            ) from None


class NoAnswerError(Exception):
    """No fit answer came; the outcome says what did."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class AddressError(ValueError):
    """No http or https address."""


def check_url(url: str) -> None:
    """Raise AddressError, which does not tell the address: it may hold an access key."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise AddressError("its address is no http or https URL")


class Asker:
    """One server, asked over connections that are kept."""

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        proxies: bool = False,
        bytes_most: int = BYTES_MOST,
    ) -> None:
        check_url(url)
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        self.name = str(parts.hostname) + (f":{parts.port}" if parts.port else "")
        self._bytes_most = bytes_most
        # Without `verify` httpx reads the whole bundle of authorities, which a plain address
        # never needs.
        verify = tls or (httpx.create_ssl_context() if parts.scheme == "https" else False)
        self._client = httpx.AsyncClient(
            timeout=LONGEST_S, verify=verify, trust_env=proxies, headers={"user-agent": AGENT}
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Answer:
        """Return the answer, whatever its status; raise NoAnswerError."""
        began_ns = time.monotonic_ns()
        try:
            async with self._client.stream(
                method, self.url + path, headers=headers, content=content
            ) as response:
                body = b""
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > self._bytes_most:
                        raise NoAnswerError(
                            answered(
                                Health.DOWN, f"its answer is larger than {self._bytes_most:,} bytes"
                            )
                        )
        except httpx.HTTPError as error:
            raise NoAnswerError(_of_http(error)) from None
        except (OSError, ValueError) as error:
            raise NoAnswerError(of_error(error)) from None
        return Answer(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            latency_ns=time.monotonic_ns() - began_ns,
        )


def _of_http(error: httpx.HTTPError) -> Outcome:
    if isinstance(error, httpx.RemoteProtocolError):
        # Two things have this one name: an answer that broke off, and one that is no HTTP.
        if "disconnected" in str(error) or "peer closed" in str(error):
            return failed("it broke the connection", reached=True)
        return answered(Health.DOWN, "what came is no HTTP")
    if isinstance(error, httpx.DecodingError):
        return answered(Health.DOWN, "its answer cannot be unpacked")
    return of_error(error)


class HttpProbe:
    """Whether an address answers as it should."""

    def __init__(self, asker: Asker, path: str = "", *, status: int = 200, says: str = "") -> None:
        self._asker = asker
        self._path = path
        self._status = status
        self._says = says.encode()

    async def close(self) -> None:
        await self._asker.close()

    async def look(self) -> Outcome:
        try:
            found = await self._asker.ask("GET", self._path)
        except NoAnswerError as error:
            return error.outcome
        return judge_status(found, self._status) or self._judge(found)

    def _judge(self, found: Answer) -> Outcome:
        if self._says not in found.body:
            return answered(Health.DOWN, "it answers, but not what it should")
        return answered(
            Health.OK, f"HTTP {found.status} in {ms(found.latency_ns)}", latency_ns=found.latency_ns
        )


def judge_status(found: Answer, wanted: int = 200) -> Outcome | None:
    """Return what is wrong with the status; None if nothing is."""
    if found.status == wanted:
        return None
    if found.status in {418, 429}:
        return unable(f"HTTP {found.status}: this watcher asks too much")
    return failed(f"HTTP {found.status} instead of {wanted}", reached=True)


def ms(latency_ns: int) -> str:
    return f"{latency_ns / 1_000_000:.1f} ms"
