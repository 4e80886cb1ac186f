"""A topology in its file.  The rule: its paths are relative to the file."""

import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from seawall.model.topology import Topology, TopologyError


class TlsPaths(Struct, frozen=True, kw_only=True):
    """One node's or member's certificates."""

    ca: Path
    certificate: Path
    key: Path


class TopologyFile(Struct, frozen=True, kw_only=True):
    """A topology, and the folder that it lies in."""

    folder: Path
    topology: Topology

    def tls(self, name: str) -> TlsPaths | None:
        """Return the files of the node or member; None where the cluster uses no TLS."""
        files = self.topology.tls
        if files is None:
            return None
        ca, certificate, key = (
            self.folder / path.replace("{name}", name)
            for path in (files.ca, files.certificate, files.key)
        )
        return TlsPaths(ca=ca, certificate=certificate, key=key)

    def archives(self) -> list[str]:
        """Return where sealed segments go: URLs, and folders by their whole path."""
        return [_archive(self.folder, place.url) for place in self.topology.archive]

    def data(self, node: str) -> Path:
        """Return where the node keeps its data, unless it is told otherwise."""
        return self.folder / (self.topology.find_node(node).data or node)


def _archive(folder: Path, url: str) -> str:
    if "://" in url and not url.startswith("file:"):
        return url
    return str(folder / url.removeprefix("file:").removeprefix("//"))


def read_topology(path: Path) -> TopologyFile:
    """Read and check a topology; raise TopologyError, whose message says what to mend."""
    try:
        text = path.read_text("utf-8")
        topology = msgspec.convert(tomllib.loads(text), Topology)
    except (OSError, UnicodeDecodeError) as error:
        raise TopologyError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise TopologyError(f"{path} is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise TopologyError(f"{path}: {error}") from None
    try:
        topology.check()
    except TopologyError as error:
        raise TopologyError(f"{path}: {error}") from None
    return TopologyFile(folder=path.absolute().parent, topology=topology)
