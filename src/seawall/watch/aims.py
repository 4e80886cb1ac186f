"""What a watcher looks at, from topology and settings.  The rule: all that the topology names.

Two paces: nodes and members each second or as set, for their silence must suspend within seconds;
the rest as slowly as it may.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from seawall.model.topology import Topology, split_address
from seawall.watch.probes.candles import CandlesProbe, PriceSource, Reference
from seawall.watch.probes.disk import DiskProbe
from seawall.watch.probes.dns import DnsProbe
from seawall.watch.probes.etcd import EtcdProbe
from seawall.watch.probes.evm import EvmProbe
from seawall.watch.probes.http import Asker
from seawall.watch.probes.node import ClockProbe, NodeProbe
from seawall.watch.probes.outcome import Probe
from seawall.watch.probes.public_api import ApiKey, PublicApi, SignInProbe
from seawall.watch.probes.tcp import TcpProbe
from seawall.watch.probes.tls import TlsFiles, TlsProbe
from seawall.watch.probes.trading import TradingProbe
from seawall.watch.probes.transfers import TransfersProbe
from seawall.watch.standing import SECOND_NS, Aim
from seawall.watch.watch_settings import WatchSettings
from seawall.watch.watcher import GATEWAY, named

LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
RETRY_S: Final = 1.0
SERVICE_ANSWER_S: Final = 1.0
SERVICE_MISSES: Final = 4
"""With a second between them: longer than a change of the leader takes."""
TRANSFER_ANSWER_S: Final = 7.0
"""The gateway waits five seconds for the money to arrive."""
PEER_S: Final = 5
CLOCK_S: Final = 10
TLS_S: Final = 30
DISK_S: Final = 2


class Target(Struct, frozen=True, kw_only=True):
    """An aim, and the probe that looks at it."""

    aim: Aim
    probe: Probe
    retry_s: float = RETRY_S


class Place(Struct, frozen=True, kw_only=True):
    """Who looks, and from where."""

    name: str
    provider: str
    """Empty: at none of the topology's."""
    folder: Path
    """Of the watcher's own files; its disk is measured."""
    files: TlsFiles | None
    key: ApiKey | None
    wall_ns: Callable[[], int]


class Aims:
    """All targets, and what they share."""

    def __init__(
        self,
        settings: WatchSettings,
        topology: Topology,
        place: Place,
        reference: Reference | None = None,
    ) -> None:
        """Take a `reference`, which is a price from elsewhere, where the settings name none."""
        self._settings = settings
        self._topology = topology
        self._place = place
        self._every_s = settings.every_ms / 1000
        self._timeout_s = settings.timeout_ms / 1000
        self._apis: list[PublicApi] = []
        self._source = (
            PriceSource(outside(settings.price_url), settings.price_field)
            if settings.price_url
            else None
        )
        self._reference: Reference | None = self._source or reference
        self.targets = [
            *self._nodes(),
            *self._members(),
            *self._services(),
            *self._others(),
        ]

    async def close(self) -> None:
        """Close what several probes share; the probes are closed by who runs them."""
        for api in self._apis:
            await api.close()
        if self._source is not None:
            await self._source.close()

    def _target(
        self,
        dependency: str,
        facet: str,
        probe: Probe,
        *,
        every_s: float,
        timeout_s: float | None = None,
        provider: str = "",
        deciding: bool = False,
        misses: int = 3,
    ) -> Target:
        aim = Aim(
            dependency=dependency,
            facet=facet,
            every_ns=int(every_s * SECOND_NS),
            timeout_ns=int((timeout_s or self._timeout_s) * SECOND_NS),
            provider=provider,
            deciding=deciding,
            misses=misses,
        )
        return Target(aim=aim, probe=probe)

    def _nodes(self) -> list[Target]:
        found = []
        for node in self._topology.node:
            name, url = f"node/{node.name}", f"http://{node.gateway}"
            probe = NodeProbe(Asker(url), node.name)
            found += [
                self._target(name, GATEWAY, probe, every_s=self._every_s,
                             provider=node.provider, deciding=True),
                self._target(name, "clock", ClockProbe(Asker(url), wall_ns=self._place.wall_ns),
                             every_s=CLOCK_S, provider=node.provider),
            ]  # fmt: skip
            if self._settings.peers:
                host, port = split_address(node.peer)
                found.append(
                    self._target(name, "peer", TcpProbe(host, port), every_s=PEER_S,
                                 provider=node.provider)
                )  # fmt: skip
                found += self._certificate(name, node.peer, node.provider)
        return found

    def _members(self) -> list[Target]:
        found = []
        for member in self._topology.etcd:
            name = f"etcd/{member.name}"
            # A little less than the whole look has, so that its own words are heard.
            probe = EtcdProbe(member.client, self._place.files, answer_s=0.9 * self._timeout_s)
            found.append(
                self._target(name, "member", probe, every_s=self._every_s,
                             provider=member.provider, deciding=True)
            )  # fmt: skip
            found += self._certificate(name, member.client, member.provider)
        return found

    def _certificate(self, name: str, address: str, provider: str) -> list[Target]:
        if self._topology.tls is None:
            return []
        host, port = split_address(address)
        probe = TlsProbe(host, port, self._place.files, warn_days=self._settings.certificate_days)
        return [
            self._target(name, "certificate", probe, every_s=TLS_S, timeout_s=2, provider=provider)
        ]

    def _services(self) -> list[Target]:
        settings, key = self._settings, self._place.key
        if not settings.symbol:
            return []
        urls = settings.urls or self._gateways()
        api = PublicApi(urls, key=key, answer_s=SERVICE_ANSWER_S, wall_ns=self._place.wall_ns)
        self._apis.append(api)
        every_s = settings.services_every_s
        off_most = float(settings.price_off)
        probes: list[tuple[str, Probe]] = [
            ("trading", TradingProbe(api, settings.symbol, self._place.name)),
            ("candles", CandlesProbe(api, settings.symbol, off_most=off_most,
                                     reference=self._reference)),
        ]  # fmt: skip
        if key is not None:
            probes.append(("sign_in", SignInProbe(api)))
        found = [
            self._target(f"service/{name}", "api", probe, every_s=every_s, timeout_s=5,
                         misses=SERVICE_MISSES)
            for name, probe in probes
        ]  # fmt: skip
        if settings.transfer_asset:
            found.append(self._transfers(urls))
        return found

    def _transfers(self, urls: Sequence[str]) -> Target:
        settings, place = self._settings, self._place
        api = PublicApi(urls, key=place.key, answer_s=TRANSFER_ANSWER_S, wall_ns=place.wall_ns)
        self._apis.append(api)
        probe = TransfersProbe(
            api, place.name, asset=settings.transfer_asset, amount=settings.transfer_amount
        )
        return self._target("service/transfers", "api", probe, every_s=settings.transfers_every_s,
                            timeout_s=4 * TRANSFER_ANSWER_S, misses=2)  # fmt: skip

    def _gateways(self) -> tuple[str, ...]:
        """Return the topology's gateways, those of other providers first."""
        nodes = sorted(self._topology.node, key=lambda node: node.provider == self._place.provider)
        return tuple(f"http://{node.gateway}" for node in nodes)

    def _others(self) -> list[Target]:
        settings = self._settings
        disk = DiskProbe(self._place.folder, slow_ms=settings.disk_ms)
        found = [self._target(f"machine/{self._place.name}", "disk", disk, every_s=DISK_S)]
        for each in settings.rpc:
            rpc = EvmProbe(outside(each.url), stalled_s=each.stalled_s, chain_id=each.chain_id)
            found.append(
                self._target(f"rpc/{each.network}/{each.name}", "rpc", rpc, timeout_s=3,
                             every_s=each.every_s, provider=each.provider)
            )  # fmt: skip
        for name in settings.dns:
            dns = DnsProbe(name.name, servers=name.servers, expect=name.expect, answer_s=2)
            found.append(
                self._target(
                    f"dns/{named(name.name)}", "dns", dns, every_s=name.every_s, timeout_s=3
                )
            )
        for address in settings.landmarks:
            landmark = TcpProbe(*split_address(address))
            found.append(self._target("", address, landmark, every_s=self._every_s))
        return found


def outside(url: str) -> Asker:
    """Return who asks an address that may be reached through this machine's proxy only."""
    return Asker(url, proxies=urlsplit(url).hostname not in LOOPBACK)
