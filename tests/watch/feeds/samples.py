"""Answers of every kind of feed, in the recorded shapes: one calm, one that tells of trouble."""

import json
from typing import Any

from seawall.watch.feeds.page import SECOND_NS, Answer, Source

NOW_S = 1_760_950_000
"""2025-10-20 08:46:40 UTC, in the middle of a great outage."""
NOW_NS = NOW_S * SECOND_NS
SOURCE = Source(feed="feed", party="party", url="https://status.example")

AWS_EVENT = {
    "date": str(NOW_S - 3_600),
    "arn": "arn:aws:health:us-east-1::event/DYNAMODB/AWS_DYNAMODB_OPERATIONAL_ISSUE/abc",
    "region_name": "N. Virginia",
    "status": "3",
    "service": "dynamodb-us-east-1",
    "summary": "Increased Error Rates",
    "event_log": [
        {"summary": "Investigating", "status": 2, "timestamp": NOW_S - 3_600, "message": "…"},
        {"summary": "In use1-az4 and others", "status": 3, "timestamp": NOW_S - 600},
    ],
    "impacted_services": {"dynamodb-us-east-1": {"current": "3", "max": "3"}},
}

GOOGLE_INCIDENT = {
    "id": "ow5i3PPK96RduMcb1SsW",
    "number": "5011",
    "begin": "2025-10-20T07:51:00+00:00",
    "created": "2025-10-20T08:00:00+00:00",
    "end": None,
    "modified": "2025-10-20T08:40:00+00:00",
    "external_desc": "Multiple products are failing",
    "updates": [],
    "most_recent_update": {
        "when": "2025-10-20T08:40:00+00:00",
        "status": "SERVICE_OUTAGE",
        "text": "We are investigating.",
        "affected_locations": [],
    },
    "status_impact": "SERVICE_OUTAGE",
    "severity": "high",
    "service_key": "zall",
    "service_name": "Multiple Products",
    "affected_products": [{"title": "Identity and Access", "id": "adnGEDEt9zWzs8uF1oKA"}],
    "uri": "incidents/ow5i3PPK96RduMcb1SsW",
    "currently_affected_locations": [
        {"title": "Iowa (us-central1)", "id": "us-central1"},
        {"title": "us-east4-b", "id": "us-east4-b"},
    ],
    "previously_affected_locations": [],
}

STATUSPAGE = {
    "page": {
        "id": "p1", "name": "Example", "url": "https://status.example", "time_zone": "Etc/UTC",
        "updated_at": "2025-10-20T08:45:00.000Z",
    },
    "status": {"indicator": "major", "description": "Partial System Outage"},
    "components": [
        {
            "id": "c1", "name": "API", "status": "partial_outage", "position": 1,
            "description": None, "group": False, "group_id": None, "showcase": False,
            "only_show_if_degraded": False, "page_id": "p1", "start_date": None,
            "created_at": "2020-01-01T00:00:00.000Z", "updated_at": "2025-10-20T08:00:00.000Z",
        },
        {
            "id": "c2", "name": "Website", "status": "operational", "position": 2,
            "description": None, "group": False, "group_id": None, "showcase": False,
            "only_show_if_degraded": False, "page_id": "p1", "start_date": None,
            "created_at": "2020-01-01T00:00:00.000Z", "updated_at": "2025-10-01T08:00:00.000Z",
        },
    ],
    "incidents": [
        {
            "id": "i1", "name": "Elevated errors", "status": "identified", "impact": "major",
            "shortlink": "https://stspg.example/i1", "created_at": "2025-10-20T08:00:00.000Z",
            "started_at": "2025-10-20T07:55:00.000Z", "updated_at": "2025-10-20T08:30:00.000Z",
            "monitoring_at": None, "resolved_at": None, "page_id": "p1", "incident_updates": [],
            "components": [{"id": "c1", "name": "API", "status": "partial_outage"}],
        }
    ],
    "scheduled_maintenances": [],
}  # fmt: skip

OKX_EVENT = {
    "title": "Spot matching is down", "state": "ongoing", "begin": str((NOW_S - 600) * 1000),
    "end": "", "preOpenBegin": "", "href": "", "serviceType": "5", "system": "unified",
    "scheDesc": "", "maintType": "3", "env": "1",
}  # fmt: skip

ALIBABA_EVENT = {
    "Id": 42,
    "StartTime": (NOW_S - 3_600) * 1000,
    "Title": "香港地域可用区C设备异常",
    "EventUpdates": [{"Content": "处理中", "PublishTime": (NOW_S - 600) * 1000}],
    "Impacts": [
        {
            "Product": {"ProductId": "ecs", "ProductName": "ECS"},
            "Region": {"RegionId": "cn-hongkong", "RegionName": "香港"},
            "StartTime": (NOW_S - 3_600) * 1000,
        }
    ],
}

CALM_PAGE: dict[str, Any] = {
    **STATUSPAGE,
    "status": {"indicator": "none", "description": "All Systems Operational"},
    "components": [STATUSPAGE["components"][1]],  # type: ignore[index] # the sample's own shape
    "incidents": [],
}

TROUBLED: dict[str, Any] = {
    "aws-events": [AWS_EVENT],
    "google-cloud": [GOOGLE_INCIDENT],
    "alibaba": {"Data": [ALIBABA_EVENT], "RequestId": "r"},
    "statuspage": STATUSPAGE,
    "statuspage-components": {k: STATUSPAGE[k] for k in ("page", "components")},
    "statuspage-incidents": {k: STATUSPAGE[k] for k in ("page", "incidents")},
    "binance": {"status": 1, "msg": "system_maintenance"},
    "okx": {"code": "0", "data": [OKX_EVENT], "msg": ""},
    "kraken": {
        "error": [],
        "result": {"status": "cancel_only", "timestamp": "2025-10-20T08:46:00Z"},
    },
}

CALM: dict[str, Any] = {
    "aws-events": [],
    "google-cloud": [
        {
            **GOOGLE_INCIDENT,
            "end": "2025-10-20T08:40:00+00:00",
            "most_recent_update": {"when": "2025-10-20T08:40:00+00:00", "status": "AVAILABLE"},
            "currently_affected_locations": [],
        }
    ],
    "alibaba": {"Data": [], "RequestId": "r"},
    "statuspage": CALM_PAGE,
    "statuspage-components": {k: CALM_PAGE[k] for k in ("page", "components")},
    "statuspage-incidents": {k: CALM_PAGE[k] for k in ("page", "incidents")},
    "binance": {"status": 0, "msg": "normal"},
    "okx": {"code": "0", "data": [], "msg": ""},
    "kraken": {"error": [], "result": {"status": "online", "timestamp": "2025-10-20T08:46:00Z"}},
}

RSS_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Status</title>'
    "<link>https://status.example/</link><description>d</description>"
    "<lastBuildDate>Mon, 20 Oct 2025 08:46:00 GMT</lastBuildDate>"
)
RSS_TAIL = "</channel></rss>"
AZURE_ITEM = (
    "<item><title>Azure Front Door - Connectivity issues</title><guid>az-1</guid>"
    "<pubDate>Mon, 20 Oct 2025 08:00:00 Z</pubDate><category>Azure Front Door</category>"
    "<description>We are investigating.</description></item>"
)


def aws_item(title: str, when: str, epoch: int, key: str = "ec2-us-east-1") -> str:
    """Return an item as AWS's RSS has it."""
    return (
        f"<item><title><![CDATA[{title}]]></title><pubDate>{when}</pubDate>"
        f'<guid isPermaLink="false">https://status.aws.amazon.com/#{key}_{epoch}</guid>'
        f"<description><![CDATA[Something in use1-az4.]]></description></item>"
    )


RSS_TROUBLED = {
    "azure-rss": AZURE_ITEM,
    "aws-rss": aws_item(
        "Service disruption: Instances are unreachable", "Mon, 20 Oct 2025 01:00:00 PDT", 1
    ),
}


def body(kind: str, document: Any) -> bytes:
    """Encode a document as its kind is sent."""
    if kind.endswith("-rss"):
        return f"{RSS_HEAD}{document}{RSS_TAIL}".encode()
    text = json.dumps(document, ensure_ascii=False)
    return text.encode("utf-16" if kind == "aws-events" else "utf-8")


def troubled(kind: str) -> bytes:
    return body(kind, RSS_TROUBLED[kind] if kind in RSS_TROUBLED else TROUBLED[kind])


def calm(kind: str) -> bytes:
    return body(kind, "" if kind in RSS_TROUBLED else CALM[kind])


def answer(content: bytes, at_ns: int = NOW_NS) -> Answer:
    return Answer(at_ns=at_ns, body=content)
