"""What the gateway may be told.  The rule: every limit has a default that fits one machine."""

from pathlib import Path

from msgspec import Struct, field

from seawall.model import limits


class ThrottleSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fixed windows as Binance counts them; a ban doubles with each repetition."""

    weight_per_minute: int = 6_000
    orders_per_10_s: int = 100
    orders_per_day: int = 200_000
    requests_per_5_minutes: int = 61_000
    stream_messages_per_second: int = 5
    """Control messages, pings and pongs of one stream socket; 0 does not count them."""
    ban_after_refusals: int = 500
    """Refused requests of one address within one minute that turn 429 into 418."""
    ban_s: int = 120
    ban_s_max: int = 259_200
    addresses_max: int = 50_000
    """Addresses counted apart in one window; later ones share a counter."""


class GatewaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the gateway listens and how much it takes on."""

    data: Path
    """Where `secrets/master.key` and `operator.token` stand."""
    name: str = "Seawall"
    """Of the exchange, for its public."""
    host: str = "127.0.0.1"
    port: int = 8080
    demo: bool = False
    """Whether operators may credit accounts out of nothing."""
    throttle: ThrottleSettings = field(default_factory=ThrottleSettings)
    operators: tuple[str, ...] = ()
    """Addresses besides this machine's own from which operators' calls are taken."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For is believed."""
    header_bytes_max: int = limits.HTTP_HEADER_BYTES
    body_bytes_max: int = limits.HTTP_BODY_BYTES
    request_s: float = limits.REQUEST_S
    keep_alive_s: int = 75
    connections_max: int = limits.WS_SOCKETS
    access_log: bool = False
