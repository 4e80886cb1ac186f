"""One feed as it is configured, and a look at it.  The rule: no failure of one is another's.

Redirects lead only to the same host or over https; a body is read up to a bound; whatever goes
wrong becomes a doubt, and the address is never part of it, for it may hold a token.
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import httpx
from msgspec import Struct, structs

from seawall.model.watch_facts import Doubt, Fact, Reading, Uncertain, conclude
from seawall.watch.feeds import alibaba
from seawall.watch.feeds.freshness import Seen, Terms, judge
from seawall.watch.feeds.keep import Payloads
from seawall.watch.feeds.kinds import KINDS
from seawall.watch.feeds.page import (
    BYTES_MOST,
    SECOND_NS,
    Answer,
    DoubtError,
    Source,
    failed,
    read,
)

ANSWER_S: Final = 15.0
"""For the whole answer, so that one byte a second is no answer."""
REDIRECTS: Final = 3
AGENT: Final = "seawall-watch"
HELD: Final = {"date", "age", "last-modified", "content-type", "etag"}


class FeedSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of the table."""

    name: str
    kind: str
    party: str = ""
    """Whose feed; a kind that has one owner needs none."""
    url: str = ""
    regions: tuple[str, ...] = ()
    """Only trouble in these; what names no region counts always."""
    services: tuple[str, ...] = ()
    """Only trouble of these; what names no service counts always."""
    every_s: int = 0
    unchanged_s: int = 0
    """How old an unchanged page may be; 0: as usual for the kind."""
    key_file: str = ""
    """Access key: `id:secret` in one line, readable by its owner only."""


class Feed:
    """A feed that is looked at again and again."""

    def __init__(self, settings: FeedSettings, *, payloads: Payloads | None, key: str = "") -> None:
        self.settings = settings
        self.kind = KINDS[settings.kind]
        self._payloads = payloads
        self._key = key
        self._seen = Seen()
        base = settings.url or self.kind.url
        self._url = base.rstrip("/") + self.kind.path if self.kind.path else base
        parts = httpx.URL(base)
        self.source = Source(
            feed=settings.name,
            party=settings.party or self.kind.party,
            # Without user, password and query: a public page's address, and no secret.
            url=f"{parts.scheme}://{parts.netloc.decode()}",
        )

    @property
    def every_s(self) -> int:
        return self.settings.every_s or self.kind.every_s

    async def look(self, client: httpx.AsyncClient, now_ns: Callable[[], int]) -> Reading:
        """Look once.  Never raises for what the other side does."""
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._fetch(client, now_ns)
        except TimeoutError:
            return failed(self.source, now_ns(), Doubt.UNREACHED, "no answer in time")
        except DoubtError as error:
            return failed(self.source, now_ns(), error.doubt, str(error))
        except httpx.HTTPError as error:
            # Its own text may have the address.
            return failed(self.source, now_ns(), Doubt.UNREACHED, type(error).__name__)
        return await self._take(answer)

    async def _take(self, answer: Answer) -> Reading:
        # In a thread: a large or hostile document must not hold up the others.
        reading = await asyncio.to_thread(read, self.kind.adapt, self.source, answer)
        if not await self._keep(answer):
            reading = structs.replace(reading, payload="")
        unchanged_s = self.settings.unchanged_s or self.kind.unchanged_s
        wrong, self._seen = judge(
            answer.headers, reading.told_ns, answer.at_ns, self._seen,
            Terms(unchanged_s=unchanged_s),
        )  # fmt: skip
        doubts = reading.doubts
        facts = tuple(fact for fact in reading.facts if concerns(self.settings, fact))
        if wrong:
            # A page of yesterday tells neither calm nor trouble of now.
            doubts, facts = (*doubts, Uncertain(doubt=Doubt.STALE, detail=wrong)), ()
        return conclude(
            feed=reading.feed, party=reading.party, at_ns=reading.at_ns, facts=facts,
            doubts=doubts, told_ns=reading.told_ns, payload=reading.payload,
        )  # fmt: skip

    async def _keep(self, answer: Answer) -> bool:
        if self._payloads is None:
            return False
        try:
            await asyncio.to_thread(self._payloads.keep, answer.sha256, answer.body)
        except OSError:
            return False
        return True

    async def _fetch(self, client: httpx.AsyncClient, now_ns: Callable[[], int]) -> Answer:
        url = httpx.URL(self._url)
        method, headers = "GET", {"user-agent": AGENT, "accept-encoding": "identity"}
        if self.kind.signed:
            method, url = "POST", self._signed_url(url)
            headers |= self._signature(url, now_ns())
        for _ in range(REDIRECTS + 1):
            async with client.stream(method, url, headers=headers) as response:
                if response.has_redirect_location and not self.kind.signed:
                    url = _next(url, url.join(response.headers["location"]))
                    continue
                if response.status_code != httpx.codes.OK:
                    raise DoubtError(Doubt.HTTP_STATUS, f"HTTP {response.status_code}")
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > BYTES_MOST:
                        raise DoubtError(Doubt.TOO_LARGE, f"more than {BYTES_MOST:,} bytes")
                told = {name: response.headers[name] for name in HELD if name in response.headers}
                return Answer(at_ns=now_ns(), body=bytes(body), headers=told)
        raise DoubtError(Doubt.HTTP_STATUS, f"more than {REDIRECTS} redirects")

    def _signed_url(self, url: httpx.URL) -> httpx.URL:
        query = {"RegionIds": json.dumps(list(self.settings.regions))}
        return url.copy_with(query=alibaba.canonical_query(query).encode())

    def _signature(self, url: httpx.URL, at_ns: int) -> dict[str, str]:
        key_id, _, secret = self._key.strip().partition(":")
        if not secret:
            raise DoubtError(Doubt.NOT_PUBLIC, "it answers only to an access key, and has none")
        date = datetime.fromtimestamp(at_ns // SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return alibaba.sign(
            key_id=key_id, secret=secret, host=url.netloc.decode(), query=dict(url.params),
            date=date, nonce=secrets.token_hex(16),
        )  # fmt: skip


def _next(url: httpx.URL, target: httpx.URL) -> httpx.URL:
    """Return where a redirect leads: over https, or within the same host."""
    if target.scheme == "https" or (target.scheme, target.netloc) == (url.scheme, url.netloc):
        return target
    raise DoubtError(Doubt.HTTP_STATUS, "it redirects to an address without https")


def concerns(settings: FeedSettings, fact: Fact) -> bool:
    """Whether a fact is about what the row asks for, or does not tell."""
    return _meets(settings.regions, fact.regions) and _meets(settings.services, fact.services)


def _meets(asked: tuple[str, ...], told: tuple[str, ...]) -> bool:
    if not asked or not told:
        return True
    lower = [each.lower() for each in told]
    return any(each.lower() in place for each in asked for place in lower)
