"""What a watcher looks at besides the topology.  The rule: what cannot be meant is refused."""

import ipaddress
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from seawall.model.topology import TopologyError, split_address
from seawall.watch.probes import dns
from seawall.watch.probes.dns_message import TYPE_A, encode
from seawall.watch.probes.http import AddressError, check_url

NAME_PATTERN: Final = r"^[a-z0-9-]{1,32}$"
"""Of a watcher."""
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,32}$")]


class WatchSettingsError(ValueError):
    """The settings cannot be meant; the message names the key."""


class RpcSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node of an EVM chain."""

    network: Name
    name: Name
    url: str
    chain_id: Annotated[int, Meta(ge=0)] = 0
    """0: any."""
    stalled_s: Annotated[int, Meta(ge=1)] = 90
    """A newest block that is older means that it stands still."""
    provider: str = ""
    """The topology's provider where it runs, if it is one of them."""
    every_s: Annotated[int, Meta(ge=1, le=3_600)] = 3


class DnsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One name that customers look up."""

    name: str
    servers: tuple[str, ...] = ()
    """Addresses of name servers; empty: this machine's."""
    expect: tuple[str, ...] = ()
    """All addresses that it may lead to; empty: any."""
    every_s: Annotated[int, Meta(ge=1, le=3_600)] = 10


class WatchSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[watch]`; `defaults.toml` says what each is."""

    every_ms: Annotated[int, Meta(ge=100, le=60_000)] = 1_000
    timeout_ms: Annotated[int, Meta(ge=50, le=10_000)] = 1_200
    """With a pace of a second one lost look is no outage: the next is answered in time."""
    clock_ms: Annotated[int, Meta(ge=1)] = 500
    disk_ms: Annotated[int, Meta(ge=1)] = 250
    certificate_days: Annotated[int, Meta(ge=0)] = 14
    peers: bool = True
    landmarks: tuple[str, ...] = ()
    report_to: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    services_every_s: Annotated[int, Meta(ge=1, le=3_600)] = 5
    symbol: str = ""
    key_file: str = ""
    transfer_asset: str = ""
    transfer_amount: str = "0.00001"
    transfers_every_s: Annotated[int, Meta(ge=1, le=86_400)] = 30
    price_url: str = ""
    price_field: str = "price"
    price_off: str = "0.02"
    board: str = ""
    users_token: str = ""
    dns: tuple[DnsSettings, ...] = field(default=())
    rpc: tuple[RpcSettings, ...] = field(default=())

    def check(self, providers: Sequence[str]) -> None:
        """Raise WatchSettingsError unless all of it can be meant."""
        for address in self.landmarks:
            try:
                split_address(address)
            except TopologyError as error:
                raise WatchSettingsError(f"landmarks: {error}") from None
        for key in ("report_to", "urls"):
            for url in getattr(self, key):
                _check_url(key, url)
        if self.price_url:
            _check_url("price_url", self.price_url)
        for key in ("transfer_amount", "price_off"):
            _check_positive(key, getattr(self, key))
        if self.transfer_asset and not self.key_file:
            raise WatchSettingsError("transfer_asset needs a key_file: somebody's money is moved")
        if self.key_file and not self.symbol:
            raise WatchSettingsError("key_file needs a symbol, for an order to be tried there")
        self._check_dns()
        self._check_rpc(providers)

    def _check_dns(self) -> None:
        _check_once("dns", [each.name for each in self.dns])
        for each in self.dns:
            try:
                encode(0, each.name, TYPE_A)
                for server in each.servers:
                    dns.address(server)
                for expected in each.expect:
                    ipaddress.ip_address(expected)
            except ValueError as error:
                raise WatchSettingsError(f"dns {each.name}: {error}") from None

    def _check_rpc(self, providers: Sequence[str]) -> None:
        _check_once("rpc", [f"{each.network}/{each.name}" for each in self.rpc])
        for each in self.rpc:
            _check_url(f"rpc {each.network}/{each.name}", each.url)
            if each.provider and each.provider not in providers:
                raise WatchSettingsError(
                    f"rpc {each.network}/{each.name}: the topology has no provider {each.provider}"
                )


def _check_url(key: str, url: str) -> None:
    try:
        check_url(url)
    except AddressError as error:
        raise WatchSettingsError(f"{key}: {error}") from None


def _check_positive(key: str, text: str) -> None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or number <= 0:
        raise WatchSettingsError(f"{key} is a decimal number above zero, and not {text!r}")


def _check_once(what: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise WatchSettingsError(f"{what} {name} stands there twice")
