"""The kinds of feeds.  The rule: a kind is one adapter, its usual address and its terms."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from seawall.watch.feeds import (
    alibaba,
    aws_events,
    aws_rss,
    azure_rss,
    binance,
    google_cloud,
    kraken,
    okx,
    statuspage,
)
from seawall.watch.feeds.page import Adapter

DAY_S: Final = 86_400


class Kind(Struct, frozen=True, kw_only=True):
    """One kind."""

    adapt: Adapter
    url: str = ""
    """Empty where each feed of the kind has its own."""
    path: str = ""
    """What is appended to a feed's own address."""
    party: str = ""
    every_s: int = 60
    unchanged_s: int | None = None
    signed: bool = False
    """Whether it needs an access key."""


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "aws-events": Kind(adapt=aws_events.adapt, url=aws_events.URL, party="AWS"),
        "aws-rss": Kind(adapt=aws_rss.adapt, url=aws_rss.URL, party="AWS"),
        "google-cloud": Kind(adapt=google_cloud.adapt, url=google_cloud.URL, party="Google Cloud"),
        "azure-rss": Kind(
            adapt=azure_rss.adapt, url=azure_rss.URL, party="Azure", unchanged_s=DAY_S
        ),
        "alibaba": Kind(adapt=alibaba.adapt, url=alibaba.URL, party="Alibaba Cloud", signed=True),
        "statuspage": Kind(adapt=statuspage.adapt_summary, path="/api/v2/summary.json"),
        "statuspage-components": Kind(
            adapt=statuspage.adapt_components, path="/api/v2/components.json"
        ),
        "statuspage-incidents": Kind(
            adapt=statuspage.adapt_incidents, path="/api/v2/incidents.json"
        ),
        "binance": Kind(adapt=binance.adapt, url=binance.URL, party="Binance"),
        "okx": Kind(adapt=okx.adapt, url=okx.URL, party="OKX"),
        "kraken": Kind(adapt=kraken.adapt, url=kraken.URL, party="Kraken", unchanged_s=600),
    }
)
