"""Providers as network namespaces on one machine.  The rule: what is removed was made here.

Each provider is a namespace with one address, joined to a bridge that has the first address of the
network, so that the machine itself is a client of all of them.  A cut gives the sender a neighbour
that nobody is: its packets are lost without a word, as in a real cut, and nobody is told.  What a
provider sends (out), what it is sent (in), or both are lost.  Needs root and `ip`.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Final

PREFIX: Final = 24
_NAME_CHARS: Final = 8
_IN: Final = "in"
_OUT: Final = "out"
NOBODY: Final = "02:00:00:00:00:01"


class NetworkError(Exception):
    """The network could not be made or changed; the message has what `ip` said."""


async def can_make_namespaces() -> bool:
    """Try it: rights and kernel decide, and neither can be asked."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"sw-try-{os.getpid()}"
    try:
        await run_ip("netns", "add", name)
        await run_ip("netns", "del", name)
    except NetworkError:
        return False
    return True


class Network:
    """A bridge and the namespaces on it."""

    def __init__(self, name: str, addresses: Mapping[str, str]) -> None:
        """`addresses`: each provider's, all of one /24."""
        self.name = name[:_NAME_CHARS]
        self.addresses = dict(addresses)
        networks = {address.rpartition(".")[0] for address in addresses.values()}
        if len(networks) != 1:
            raise NetworkError("providers' addresses must be of one /24 network")
        self.host_address = f"{networks.pop()}.1"
        self._cut: set[tuple[str, str]] = set()
        """From, to: providers' names, or "" for the machine itself."""

    def namespace(self, provider: str) -> str:
        return f"{self.name}-{provider}"

    def launcher(self, provider: str) -> list[str]:
        """Return what is put before a command to run it at the provider."""
        return ["ip", "netns", "exec", self.namespace(provider)]

    async def up(self) -> None:
        """Make bridge and namespaces; what an earlier run left under the same name goes first."""
        await self.down()
        bridge = f"{self.name}-br"
        await run_ip("link", "add", bridge, "type", "bridge")
        await run_ip("addr", "add", f"{self.host_address}/{PREFIX}", "dev", bridge)
        await run_ip("link", "set", bridge, "up")
        for number, (provider, address) in enumerate(self.addresses.items()):
            namespace, outer, inner = self.namespace(provider), *self._ends(number)
            await run_ip("netns", "add", namespace)
            await run_ip("link", "add", outer, "type", "veth", "peer", "name", inner)
            await run_ip("link", "set", inner, "netns", namespace)
            await run_ip("link", "set", outer, "master", bridge, "up")
            await self._inside(provider, "addr", "add", f"{address}/{PREFIX}", "dev", inner)
            await self._inside(provider, "link", "set", inner, "up")
            await self._inside(provider, "link", "set", "lo", "up")

    async def down(self) -> None:
        """Remove what `up` makes, as far as it is there."""
        for number, provider in enumerate(self.addresses):
            outer, _ = self._ends(number)
            for arguments in (("link", "del", outer), ("netns", "del", self.namespace(provider))):
                with contextlib.suppress(NetworkError):
                    await run_ip(*arguments)
        with contextlib.suppress(NetworkError):
            await run_ip("link", "del", f"{self.name}-br")
        self._cut.clear()

    async def cut(self, provider: str, one_way: str = "", *, clients: bool = False) -> None:
        """Cut a provider off the others: both ways, or only what comes `in` or goes `out`.

        The machine itself still reaches it, as users of another network do, unless `clients`.
        """
        others = [name for name in self.addresses if name != provider]
        if clients:
            others.append("")
        for other in others:
            if one_way != _IN:
                await self._block(provider, other)
            if one_way != _OUT:
                await self._block(other, provider)

    async def heal(self, provider: str) -> None:
        """Undo every cut of this provider's."""
        for source, target in sorted(self._cut):
            if provider in (source, target):
                await self._neighbour(source, "del", target)
                self._cut.discard((source, target))

    async def slow(self, provider: str, delay_ms: int, loss_percent: float = 0.0) -> None:
        """Delay and lose what the provider sends; raises NetworkError where there is no netem."""
        netem = ["netem", "delay", f"{delay_ms}ms", "loss", f"{loss_percent:g}%"]
        await self._discipline(provider, "replace", *netem)

    async def hasten(self, provider: str) -> None:
        """Undo `slow`; raises NetworkError if there was nothing to undo."""
        await self._discipline(provider, "del")

    async def _discipline(self, provider: str, verb: str, *what: str) -> None:
        _, device = self._ends(list(self.addresses).index(provider))
        command = ["tc", "-n", self.namespace(provider), "qdisc", verb, "dev", device, "root"]
        await run([*command, *what])

    async def _block(self, source: str, target: str) -> None:
        if (source, target) not in self._cut:
            lost = ("lladdr", NOBODY, "nud", "permanent")
            await self._neighbour(source, "replace", target, *lost)
            self._cut.add((source, target))

    async def _neighbour(self, source: str, verb: str, target: str, *state: str) -> None:
        address = self.addresses.get(target, self.host_address)
        if source:
            _, device = self._ends(list(self.addresses).index(source))
            await self._inside(source, "neigh", verb, address, *state, "dev", device)
        else:
            await run_ip("neigh", verb, address, *state, "dev", f"{self.name}-br")

    async def _inside(self, provider: str, *arguments: str) -> None:
        await run_ip("-n", self.namespace(provider), *arguments)

    def _ends(self, number: int) -> tuple[str, str]:
        return f"{self.name}-v{number}", f"{self.name}-i{number}"


async def run_ip(*arguments: str) -> None:
    """Run `ip`; raise NetworkError with its words if it refuses."""
    await run(["ip", *arguments])


async def run(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode:
        words = said.decode(errors="replace").strip()
        raise NetworkError(f"{' '.join(command)}: {words or process.returncode}")
