"""What may be configured.  The rule: `defaults.toml` gives every value, so none is hidden here."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from seawall.gateway.settings import ThrottleSettings
from seawall.model.funding import NetworkKind
from seawall.status.settings import StatusSettings
from seawall.treasury.settings import EndpointSettings
from seawall.watch.watch_settings import WatchSettings


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections share: an unknown key is refused."""


class ExchangeSection(Section, frozen=True, kw_only=True):
    name: str
    data: str
    demo: bool


class GatewaySection(Section, frozen=True, kw_only=True):
    host: str
    port: Annotated[int, Meta(ge=0, le=65_535)]
    operators: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    access_log: bool
    throttle: ThrottleSettings


class NodeSection(Section, frozen=True, kw_only=True):
    name: Annotated[str, Meta(pattern="^[a-z0-9-]{1,32}$")]
    snapshot_entries: Annotated[int, Meta(ge=1)]
    listen: str


class WatcherSection(Section, frozen=True, kw_only=True):
    """Who is believed; `seawall watch key` makes and prints the key."""

    name: Annotated[str, Meta(pattern="^[a-z0-9-]{1,32}$")]
    provider: str
    key: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class ControlSection(Section, frozen=True, kw_only=True):
    """`runbook` is the name of a shipped one or a file's; empty takes the usual one."""

    runbook: str
    watcher: list[WatcherSection] = field(default_factory=list)


class LogSection(Section, frozen=True, kw_only=True):
    level: Literal["debug", "info", "warning", "error"]
    to: Literal["file", "stderr"]


class TelemetrySection(Section, frozen=True, kw_only=True):
    """`traces` is empty, a collector's URL, `stderr` or `file:PATH`; `sampled` is a rate."""

    traces: str
    sampled: str


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


class NetworkSection(Section, frozen=True, kw_only=True):
    """One chain; listed once, then it stays as it is."""

    code: str
    name: str
    kind: NetworkKind
    chain_id: int
    native: str
    finality: Annotated[int, Meta(ge=1)]
    finality_in_demo: Annotated[int, Meta(ge=0)] = 0  # as finality
    block_ms: Annotated[int, Meta(ge=1)]


class ListingSection(Section, frozen=True, kw_only=True):
    """One asset on one network; amounts are decimal numbers in quotes."""

    asset: str
    network: str
    contract: str = ""  # the network's own coin
    chain_decimals: Annotated[int, Meta(ge=0, le=36)]
    min_deposit: str
    min_withdrawal: str
    withdrawal_fee: str
    approval_above: str
    limited_max: str
    hot_floor: str = "0"


class DailyLimitSection(Section, frozen=True, kw_only=True):
    """What users of a tier may withdraw of an asset in 24 hours."""

    tier: Annotated[int, Meta(ge=0)]
    asset: str
    amount: str


class FundingSection(Section, frozen=True, kw_only=True):
    address_wait_s: Annotated[int, Meta(ge=0)]


class DemoSection(Section, frozen=True, kw_only=True):
    """What `up --demo` brings along."""

    chain: bool
    status: bool
    block_ms: Annotated[int, Meta(ge=100)]
    idle_block_ms: Annotated[int, Meta(ge=100)]


class SweepSection(Section, frozen=True, kw_only=True):
    """What is gathered of one asset, and what the hot wallet holds; decimal numbers in quotes."""

    asset: str
    least: str
    hot_most: str = "0"  # no bound
    hot_target: str = "0"


class TreasurySection(Section, frozen=True, kw_only=True):
    """How one network is reached, and what may be done there."""

    signer: str
    endpoint: list[EndpointSettings]
    fee_cap: str
    tip_floor: str = "0"
    cold: tuple[str, ...] = ()
    lanes: tuple[str, ...] = ()
    start_block: Annotated[int, Meta(ge=0)] = 0
    quorum: Annotated[int, Meta(ge=0)] = 0
    lone_endpoint: bool = False
    address_prefix: str = ""
    sweep: list[SweepSection] = field(default_factory=list)


class Configuration(Section, frozen=True, kw_only=True):
    """The whole of it."""

    exchange: ExchangeSection
    gateway: GatewaySection
    node: NodeSection
    control: ControlSection
    log: LogSection
    telemetry: TelemetrySection
    funding: FundingSection
    demo: DemoSection
    watch: WatchSettings
    status: StatusSettings
    assets: dict[str, AssetSection] = field(default_factory=dict)
    tiers: dict[str, TierSection] = field(default_factory=dict)
    markets: dict[str, MarketSection] = field(default_factory=dict)
    network: list[NetworkSection] = field(default_factory=list)
    listing: list[ListingSection] = field(default_factory=list)
    daily_limit: list[DailyLimitSection] = field(default_factory=list)
    treasury: dict[str, TreasurySection] = field(default_factory=dict)
