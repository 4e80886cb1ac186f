"""Where the document comes from.  The rule: the newest that any gateway has, and never back.

The last one is kept on disk, so that the site goes on and shows its age when nobody answers, and
when its own process starts anew.
"""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
import structlog
from msgspec import structs

from seawall.model.status_document import StatusDocument

_log = structlog.get_logger("seawall.status")

PATH: Final = "/seawall/v1/status-document"
ANSWER_S: Final = 4.0
BYTES_MOST: Final = 16 * 1024 * 1024
AHEAD_MOST_NS: Final = 60_000_000_000
"""A document may come from a clock that is so far ahead of ours, not more."""


class DocumentError(Exception):
    """What came is no document that may be shown."""


def decode(content: bytes) -> StatusDocument:
    """Return the document; fields that only a later release knows are left out."""
    try:
        return msgspec.json.decode(content, type=StatusDocument)
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(f"it is no status document: {error}") from None
    try:
        return msgspec.convert(_known(msgspec.json.decode(content), StatusDocument), StatusDocument)
    except (msgspec.ValidationError, RecursionError) as error:
        raise DocumentError(f"it is no status document: {error}") from None


def _known(value: Any, kind: Any) -> Any:
    """Return the value without the fields that its struct does not have."""
    if isinstance(value, list):
        inner = next((each for each in getattr(kind, "__args__", ()) if each is not Ellipsis), None)
        return [_known(each, inner) for each in value]
    kinds = getattr(kind, "__args__", (kind,))
    struct = next((each for each in kinds if hasattr(each, "__struct_fields__")), None)
    if not isinstance(value, dict) or struct is None:
        return value
    fields = {field.encode_name: field.type for field in structs.fields(struct)}
    return {name: _known(each, fields[name]) for name, each in value.items() if name in fields}


class Kept:
    """The newest document that was ever taken."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.document: StatusDocument | None = None
        if path is not None and path.is_file():
            try:
                self.document = decode(path.read_bytes())
            except DocumentError as error:
                _log.error("kept document is damaged", path=str(path), error=str(error))

    def take(self, document: StatusDocument, now_ns: int) -> bool:
        """Keep a document if it is newer; raise DocumentError if it may not be believed."""
        if document.at_ns > now_ns + AHEAD_MOST_NS:
            raise DocumentError("it is from the future: a clock is wrong")
        last = self.document
        if last is not None:
            if document.exchange != last.exchange:
                raise DocumentError(
                    f"it is of {document.exchange!r}, this site is of {last.exchange!r}"
                )
            if (document.sequence, document.made_ns) <= (last.sequence, last.made_ns):
                # While the control cell stands still, what the other cells tell goes on.
                return False
            if document.at_ns < last.at_ns:
                raise DocumentError("its sequence goes on, and its time goes back")
        self.document = document
        self._write(document)
        return True

    def _write(self, document: StatusDocument) -> None:
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, made = tempfile.mkstemp(dir=self.path.parent, prefix=".")
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(document))
            Path(made).replace(self.path)
        except OSError as error:
            # The site goes on without; it would only begin anew without its last word.
            _log.error("document cannot be kept", path=str(self.path), error=str(error))


class Gateways:
    """Several gateways of one exchange."""

    def __init__(self, urls: tuple[str, ...], client: httpx.AsyncClient, kept: Kept) -> None:
        self._urls = urls
        self._client = client
        self._kept = kept
        self.faults: dict[str, str] = {}
        """By URL, why nothing could be taken from it."""

    async def ask(self, now_ns: int) -> bool:
        """Ask all at once; True if something newer came."""
        answers = await asyncio.gather(*(self._fetch(url) for url in self._urls))
        newer = False
        for url, answer in zip(self._urls, answers, strict=True):
            if isinstance(answer, str):
                self._note(url, answer)
                continue
            try:
                newer |= self._kept.take(answer, now_ns)
            except DocumentError as error:
                self._note(url, str(error))
            else:
                self._note(url, "")
        return newer

    async def _fetch(self, url: str) -> StatusDocument | str:
        try:
            async with asyncio.timeout(ANSWER_S):
                return decode(await fetch(self._client, url.rstrip("/") + PATH))
        except TimeoutError:
            return "no answer in time"
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        except DocumentError as error:
            return str(error)

    def _note(self, url: str, fault: str) -> None:
        before = self.faults.get(url, "")
        if fault and not before:
            _log.warning("gateway tells nothing", url=url, error=fault)
        elif before and not fault:
            _log.info("gateway tells again", url=url)
        self.faults[url] = fault


async def fetch(client: httpx.AsyncClient, url: str) -> bytes:
    """Return a body, up to a bound; raise httpx.HTTPError or DocumentError."""
    body = bytearray()
    async with client.stream("GET", url, headers={"accept": "application/json"}) as response:
        if response.status_code != httpx.codes.OK:
            raise DocumentError(f"HTTP {response.status_code}")
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > BYTES_MOST:
                raise DocumentError(f"more than {BYTES_MOST:,} bytes")
    return bytes(body)
