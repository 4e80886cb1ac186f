"""Where everything stands: providers, members, nodes, cells, archives.  The rule: said once.

Nodes find each other by it, and whatever asks what one provider's loss takes down reads the same.
A provider is what fails together and is paid together; regions, zones and placement groups are
smaller shares of one fate.
"""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from seawall.model.ids import CELLS


class TopologyError(ValueError):
    """The topology cannot be meant; the message names the place and how to mend it."""


class Provider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider of machines."""

    name: str
    region: str = ""
    zone: str = ""
    placement: str = ""
    """A rack, a placement group: what the provider says shares power and network."""


class EtcdPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One member of the journal."""

    name: str
    provider: str
    client: str
    """host:port for clients."""
    peer: str
    """host:port for the other members."""


class NodePlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node."""

    name: str
    provider: str
    gateway: str
    """host:port for clients."""
    peer: str
    """host:port for the other nodes."""
    data: str = ""
    """Its own directory; beside the topology under its name unless told."""


class CellPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who should lead a cell."""

    name: str
    prefer: tuple[str, ...]
    """All nodes that may lead it, the best first."""


class ArchivePlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where sealed segments go."""

    name: str
    provider: str
    url: str


class SealingTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of each journal stays in etcd; the same for all nodes, so that they cut alike."""

    quota_bytes: int = 2 << 30
    """As the members are told it."""
    segment_entries: int = 50_000
    keep_entries: int = 50_000
    """The newest entries of each cell stay."""


class Approver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may approve what needs two people, such as a repair of the journal."""

    name: str
    key: str
    """Public key in hexadecimal, as `seawall cluster approver` prints it."""


class TlsFiles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Certificates; `{name}` stands for the node's or member's name."""

    ca: str
    certificate: str
    key: str


class Topology(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cluster."""

    name: str
    provider: tuple[Provider, ...]
    etcd: tuple[EtcdPlace, ...]
    node: tuple[NodePlace, ...]
    cell: tuple[CellPlace, ...] = ()
    archive: tuple[ArchivePlace, ...] = ()
    sealing: SealingTerms = SealingTerms()
    approver: tuple[Approver, ...] = ()
    tls: TlsFiles | None = None

    def check(self) -> None:
        """Raise TopologyError unless names, places and preferences fit together."""
        if not self.name:
            raise TopologyError("the topology needs a name")
        for what, named in (
            ("provider", self.provider),
            ("etcd", self.etcd),
            ("node", self.node),
            ("cell", self.cell),
            ("archive", self.archive),
        ):
            _once(f"[[{what}]] name", (each.name for each in named))
        _once("address", self._addresses())
        _once(
            "[[approver]] name", (" ".join(each.name.casefold().split()) for each in self.approver)
        )
        _once("[[approver]] key", (each.key.casefold() for each in self.approver))
        providers = {provider.name for provider in self.provider}
        placed = [(place.name, place.provider) for place in self.etcd]
        placed += [(place.name, place.provider) for place in self.node]
        placed += [(place.name, place.provider) for place in self.archive]
        for name, provider in placed:
            if provider not in providers:
                raise TopologyError(f"{name}: there is no provider {provider}; add a [[provider]]")
        if not self.node or not self.etcd:
            raise TopologyError("a cluster has at least one [[node]] and one [[etcd]]")
        if len(self.etcd) % 2 == 0:
            raise TopologyError(
                f"{len(self.etcd)} etcd members: an even number survives no more than one fewer"
            )
        if len(self.archive) == 1:
            raise TopologyError("one [[archive]] is no second copy: name two, or none")
        if min(self.sealing.segment_entries, self.sealing.quota_bytes) < 1:
            raise TopologyError("[sealing] segment_entries and quota_bytes start at 1")
        if self.sealing.keep_entries < 0 or self.sealing.segment_entries > 1_000_000:
            raise TopologyError("[sealing] keeps 0 entries or more, in segments up to 1,000,000")
        self._check_cells()

    def _check_cells(self) -> None:
        nodes = [node.name for node in self.node]
        for cell in self.cell:
            if cell.name not in CELLS:
                raise TopologyError(f"there is no cell {cell.name}; cells are {', '.join(CELLS)}")
            _once(f"cell {cell.name}: node in prefer", cell.prefer)
            for name in cell.prefer:
                if name not in nodes:
                    raise TopologyError(f"cell {cell.name}: there is no node {name}")

    def _addresses(self) -> list[str]:
        found = [address for place in self.etcd for address in (place.client, place.peer)]
        found += [address for place in self.node for address in (place.gateway, place.peer)]
        for address in found:
            split_address(address)
        return found

    def preference(self, cell: str) -> tuple[str, ...]:
        """Return the nodes that may lead the cell, the best first."""
        for place in self.cell:
            if place.name == cell:
                return place.prefer
        return tuple(node.name for node in self.node)

    def find_node(self, name: str) -> NodePlace:
        """Return the node, or raise TopologyError."""
        for node in self.node:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.node)
        raise TopologyError(f"there is no node {name}; nodes are {known}")

    def etcd_for(self, provider: str) -> tuple[str, ...]:
        """Return all members' client addresses, the provider's own first."""
        own = [place.client for place in self.etcd if place.provider == provider]
        others = [place.client for place in self.etcd if place.provider != provider]
        return (*own, *others)


def split_address(address: str) -> tuple[str, int]:
    """Return host and port, or raise TopologyError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise TopologyError(f"{address!r} is no host:port")
    return host.strip("[]"), int(port)


def _once(what: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1 or not name:
            raise TopologyError(f"{what} {name!r} stands {count} times; each needs its own")
