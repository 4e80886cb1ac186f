"""Alibaba Cloud's list of events in progress.  The rule: an impact lasts until it has recovered.

The API is asked with an access key, which signs the request (ACS3-HMAC-SHA256).  A product's
region that nobody asked for tells nothing, so the regions asked for stand in the feed's row.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from seawall.model.watch_facts import Doubt, Health
from seawall.watch.feeds.page import DoubtError, Draft, each, from_milliseconds, json, optional

URL: Final = "https://status.aliyuncs.com/"
ACTION: Final = "ListEventInProgress"
VERSION: Final = "2020-01-17"
_ALGORITHM: Final = "ACS3-HMAC-SHA256"


class Product(Struct, frozen=True, kw_only=True, rename="pascal"):
    """A product."""

    product_id: str
    product_name: str = ""


class Region(Struct, frozen=True, kw_only=True, rename="pascal"):
    """A region."""

    region_id: str
    region_name: str = ""


class Impact(Struct, frozen=True, kw_only=True, rename="pascal"):
    """One product in one region."""

    product: Product
    region: Region
    start_time: int | str | None = None
    recovery_time: int | str | None = None


class Event(Struct, frozen=True, kw_only=True, rename="pascal"):
    """One event; its texts are Chinese."""

    id: str | int
    start_time: int | str
    title: str
    impacts: list[Impact]
    event_updates: list[dict[str, object]] = []


class Document(Struct, frozen=True, kw_only=True, rename="pascal"):
    """The answer; a refusal has a code, and no data."""

    data: list[msgspec.Raw] | None = None
    code: str | int | None = None
    message: str | None = None


def adapt(draft: Draft) -> None:
    document = json(draft, Document)
    if document.data is None:
        raise DoubtError(Doubt.REFUSED, f"{document.code}: {document.message}")
    for event in each(draft, document.data, Event, "event"):
        with draft.record(str(event.id)):
            _add(draft, event)


def _add(draft: Draft, event: Event) -> None:
    open_now = [
        impact
        for impact in event.impacts
        if optional(from_milliseconds, impact.recovery_time) is None
    ]
    recovered = [optional(from_milliseconds, impact.recovery_time) for impact in event.impacts]
    over = bool(event.impacts) and not open_now
    named = open_now or event.impacts
    draft.add(
        incident_id=str(event.id),
        title=event.title,
        health=Health.OK if over else Health.DEGRADED,
        word="recovered" if over else "in progress",
        services=tuple(dict.fromkeys(impact.product.product_id for impact in named)),
        regions=tuple(dict.fromkeys(impact.region.region_id for impact in named)),
        began_ns=from_milliseconds(event.start_time),
        ended_ns=max((at for at in recovered if at is not None), default=None) if over else None,
        url="https://status.alibabacloud.com/",
    )


def sign(
    *,
    key_id: str,
    secret: str,
    host: str,
    query: Mapping[str, str],
    date: str,
    nonce: str,
    action: str = ACTION,
    version: str = VERSION,
) -> dict[str, str]:
    """Return the headers of a signed POST without a body."""
    empty = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": empty,
        "x-acs-date": date,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [
            "POST",
            "/",
            canonical_query(query),
            "".join(f"{name}:{headers[name]}\n" for name in sorted(headers)),
            names,
            empty,
        ]
    )
    to_sign = f"{_ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"
    )
    return headers


def canonical_query(query: Mapping[str, str]) -> str:
    """Return the query as it is signed and sent."""
    return "&".join(
        f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query)
    )
