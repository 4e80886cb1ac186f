"""What may be configured.  The rule: `defaults.toml` gives every value, so none is hidden here."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from seawall.gateway.settings import ThrottleSettings


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections share: an unknown key is refused."""


class ExchangeSection(Section, frozen=True, kw_only=True):
    name: str
    data: str
    demo: bool


class GatewaySection(Section, frozen=True, kw_only=True):
    host: str
    port: Annotated[int, Meta(ge=0, le=65_535)]
    trusted_proxies: tuple[str, ...]
    access_log: bool
    throttle: ThrottleSettings


class NodeSection(Section, frozen=True, kw_only=True):
    name: Annotated[str, Meta(pattern="^[a-z0-9-]{1,32}$")]
    snapshot_entries: Annotated[int, Meta(ge=1)]


class LogSection(Section, frozen=True, kw_only=True):
    level: Literal["debug", "info", "warning", "error"]
    to: Literal["file", "stderr"]


class AssetSection(Section, frozen=True, kw_only=True):
    name: str
    decimals: Annotated[int, Meta(ge=0, le=36)]


class TierSection(Section, frozen=True, kw_only=True):
    """`maker` and `taker` are rates: 0.001 is a tenth of a percent."""

    maker: str
    taker: str
    max_orders: int = 0


class MarketSection(Section, frozen=True, kw_only=True):
    """Decimal numbers in quotes; an empty one takes the value named beside it."""

    base: str
    quote: str
    tick: str
    lot: str
    min_price: str = ""  # the tick
    max_price: str
    min_size: str = ""  # the lot
    max_size: str
    max_market_size: str = ""  # max_size
    min_notional: str
    max_notional: str
    bid_up: str = "5"
    bid_down: str = "0.2"
    ask_up: str = "5"
    ask_down: str = "0.2"
    max_orders: int = 200
    max_algo_orders: int = 5
    max_iceberg_orders: int = 200
    iceberg_parts: int = 100
    max_position: str = ""  # no limit
    trailing_min_bps: int = 10
    trailing_max_bps: int = 2_000


class Configuration(Section, frozen=True, kw_only=True):
    """The whole of it."""

    exchange: ExchangeSection
    gateway: GatewaySection
    node: NodeSection
    log: LogSection
    assets: dict[str, AssetSection] = field(default_factory=dict)
    tiers: dict[str, TierSection] = field(default_factory=dict)
    markets: dict[str, MarketSection] = field(default_factory=dict)
