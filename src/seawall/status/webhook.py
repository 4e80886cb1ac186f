"""Notices as JSON, and as chat messages.  The rule: the receiver can know who sent it.

A webhook's body is signed with HMAC-SHA256 over `TIMESTAMP.BODY`; its key of idempotency is the
same at every try.  A chat is anything that takes Telegram's `sendMessage`.
"""

import hashlib
import hmac
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import httpx
import msgspec

from seawall.status import addresses
from seawall.status.moments import SECOND_NS, iso
from seawall.status.notices import Notice
from seawall.status.ports import Context, NotSentError
from seawall.status.words import LANGUAGES, Words

ANSWER_S: Final = 10.0
CHAT_MOST: Final = 4096
"""Telegram's limit, in UTF-16's units."""
_PASSING: Final = {408, 409, 425, 429}
"""Refusals that a later try may not meet."""


class Webhook:
    """`POST` of one JSON document for each notice."""

    def __init__(
        self, name: str, url: str, key: bytes, client: httpx.AsyncClient, now_ns: Callable[[], int]
    ) -> None:
        self.name = name
        self.recipients: tuple[str, ...] = ("",)
        self._url = url
        self._key = key
        self._client = client
        self._now_ns = now_ns

    async def send(self, notice: Notice, _recipient: str, context: Context) -> None:
        body = msgspec.json.encode(payload(notice, context))
        at = str(self._now_ns() // SECOND_NS)
        headers = {
            "content-type": "application/json",
            "user-agent": "seawall-status",
            "idempotency-key": notice.key,
            "x-seawall-timestamp": at,
        }
        if self._key:
            headers["x-seawall-signature"] = sign(self._key, at, body)
        await post(self._client, self._url, body, headers)


class Chat:
    """One message for each notice, in one language."""

    def __init__(
        self, name: str, url: str, chat_id: str, language: str, client: httpx.AsyncClient
    ) -> None:
        self.name = name
        self.recipients: tuple[str, ...] = (chat_id,)
        self._url = url
        self._words = Words(language)
        self._client = client

    async def send(self, notice: Notice, recipient: str, context: Context) -> None:
        body = {
            "chat_id": recipient,
            "text": chat_text(notice, context, self._words),
            "disable_web_page_preview": True,
        }
        headers = {"content-type": "application/json", "user-agent": "seawall-status"}
        await post(self._client, self._url, msgspec.json.encode(body), headers)


def sign(key: bytes, at: str, body: bytes) -> str:
    """Return the signature's header: `sha256=` and the HMAC in hexadecimal."""
    return "sha256=" + hmac.new(key, at.encode() + b"." + body, hashlib.sha256).hexdigest()


def payload(notice: Notice, context: Context) -> dict[str, Any]:
    """Return a webhook's document; docs/operating/status-site.md describes it."""
    update = notice.update
    texts = {
        language: {
            "title": notice.title(words).plain(),
            "phase": notice.phase(words),
            "body": notice.body(words),
        }
        for language, words in ((each, Words(each)) for each in LANGUAGES)
    }
    found: dict[str, Any] = {
        "id": notice.key,
        "thread": notice.thread,
        "exchange": context.exchange,
        "at": iso(notice.at_ns),
        "url": addresses.whole(context.url, notice.path),
        "services": notice.services,
        "texts": texts,
    }
    if notice.incident is not None:
        found |= {
            "severity": notice.incident.severity,
            "phase": None if update is None else update.phase,
            "kind": None if update is None else update.kind,
            "facts": {} if update is None else update.facts,
            "nextUpdate": iso(notice.incident.next_update_ns)
            if notice.incident.next_update_ns
            else None,
        }
    return found


def chat_text(notice: Notice, context: Context, words: Words) -> str:
    """Return the message, cut to what a chat takes; the link always fits."""
    link = words("mail_more", url=addresses.whole(context.url, notice.path)).plain()
    head = f"{context.exchange}: {notice.title(words).plain()}"
    phase = notice.phase(words)
    text = "\n".join((f"{head}\n{phase}".strip(), "", notice.body(words)))
    tail = f"\n\n{link}"
    return cut(text, CHAT_MOST - _units(tail)) + tail


def cut(text: str, most: int) -> str:
    """Return at most so many of UTF-16's units, with an ellipsis where something is missing."""
    if _units(text) <= most:
        return text
    found = text.encode("utf-16-le", "replace")[: 2 * max(most - 1, 0)]
    return found.decode("utf-16-le", "ignore") + "…"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "replace")) // 2


async def post(client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> None:
    """Post once; NotSentError, which never holds the address, for it may hold a token."""
    try:
        response = await client.post(url, content=body, headers=headers, timeout=ANSWER_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotSentError(type(error).__name__) from None
    if response.is_success:
        return
    status = response.status_code
    raise NotSentError(
        f"HTTP {status}",
        wait_s=_asked_wait_s(response),
        refused=400 <= status < 500 and status not in _PASSING,
    )


def _asked_wait_s(response: httpx.Response) -> float:
    """Return how long the other side asks us to wait: a header, or Telegram's own field."""
    told: Any = response.headers.get("retry-after", "")
    with suppress(ValueError, KeyError, TypeError):
        told = response.json()["parameters"]["retry_after"]
    try:
        return min(max(float(told), 0.0), 3_600.0)
    except (ValueError, TypeError):
        return 0.0
