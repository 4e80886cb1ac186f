"""Users' reports in a watcher's own: two gateways, one crowd, and a token that sees and no more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.gateway.exchange import Exchange, RunningClock, open_exchange
from tests.gateway.test_incident_control import RUNBOOK

from seawall.cli.output import CliError, Exit
from seawall.cli.watch_run import WatchPlan, key_file, run_watch
from seawall.gateway.operators import OPERATORS_FILE, Role, add_person
from seawall.gateway.secrets import make_secrets, share_secrets
from seawall.gateway.server import GatewayServer
from seawall.model.control_commands import RegisterWatcher
from seawall.model.control_rows import Verdict
from seawall.model.signals import Signal, SignalKind
from seawall.model.topology import EtcdPlace, NodePlace, Provider, Topology
from seawall.model.watch_facts import Health
from seawall.node.topology_file import TopologyFile
from seawall.watch.signing import make_key
from seawall.watch.watch_page import WatchTold
from seawall.watch.watch_settings import WatchSettings

NODES = ("amber", "blue")
PEOPLE = 12
WAIT_S = 60
"""Only a hang takes so long."""
TOPIC = "users/withdrawals"
# Named in full: of what the runbook does not name, one watcher's word alone makes no verdict.
NAMING = RUNBOOK.replace("[[dependency]]", f'[[dependency]]\nname = "{TOPIC}"\n\n[[dependency]]', 1)


class Watch:
    """A watcher's run, as it goes on."""

    def __init__(self) -> None:
        self.signals: dict[str, Signal] = {}
        self._shown = asyncio.Event()

    def show(self, told: WatchTold) -> None:
        self.signals = {row.signal.dependency: row.signal for row in told.rows}
        self._shown.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                self._shown.clear()
                await self._shown.wait()


@asynccontextmanager
async def two_gateways(folder: Path) -> AsyncIterator[dict[str, tuple[Exchange, GatewayServer]]]:
    make_secrets(folder / "shared")
    for name in NODES:
        share_secrets(folder / "shared", folder / name)
    clock = RunningClock(0)
    async with (
        open_exchange(folder / "amber", clock=clock) as amber,
        open_exchange(folder / "blue", clock=clock) as blue,
    ):
        found = {
            name: (exchange, GatewayServer(exchange.app))
            for name, exchange in zip(NODES, (amber, blue), strict=True)
        }
        for _, server in found.values():
            await server.start()
        try:
            yield found
        finally:
            for _, server in found.values():
                await server.stop()


def plan_of(folder: Path, ports: dict[str, int], users_token: str) -> WatchPlan:
    topology = Topology(
        name="two",
        provider=tuple(Provider(name=name) for name in NODES),
        # Nothing listens there: the watcher says so, and goes on.
        etcd=(EtcdPlace(name="e", provider="amber", client="127.0.0.1:1", peer="127.0.0.1:2"),),
        node=tuple(
            NodePlace(
                name=name, provider=name, gateway=f"127.0.0.1:{port}", peer=f"127.0.0.1:{place}"
            )
            for place, (name, port) in enumerate(ports.items(), start=3)
        ),
    )
    return WatchPlan(
        file=TopologyFile(folder=folder, topology=topology),
        settings=WatchSettings(users_token=users_token, every_ms=200, peers=False),
        name="amber",
        provider="amber",
        data=folder / "watcher",
        report_to=(),
    )


async def complain(exchange: Exchange, count: int) -> None:
    for number in range(count):
        user = await exchange.add_user(f"user-{number}")
        query = urlencode({"topic": "withdrawals", "timestamp": exchange.now_ms()})
        answer = await exchange.client.post(
            "/seawall/v1/user-reports",
            content=f"{query}&signature={user.sign(query)}",
            headers=user.headers,
        )
        assert answer.json()["counted"] is True


async def test_what_users_say_goes_along_in_a_watchers_report(tmp_path: Path) -> None:
    async with two_gateways(tmp_path) as gateways:
        plan = plan_of(tmp_path, {name: each[1].port for name, each in gateways.items()}, "users")
        public = make_key(key_file(plan.data, plan.name))
        # Whoever may see may read them, and each node knows the same people.
        token = add_person(tmp_path / "shared" / OPERATORS_FILE, "watcher amber", [Role.VIEWER])
        token_file = plan.data / "users"
        token_file.write_text(token + "\n")
        token_file.chmod(0o600)
        for name, (exchange, _) in gateways.items():
            await exchange.operate("runbook", {"text": NAMING, "person": "ann"})
            share_secrets(tmp_path / "shared", tmp_path / name)
            register = RegisterWatcher(watcher="amber", provider="amber", key=public, person="ann")
            assert (await exchange.node.submit_control(register)).answer is None
        # Half of the crowd complains at both nodes, and is still one crowd.
        for place, (exchange, _) in enumerate(gateways.values()):
            await complain(exchange, PEOPLE if place == 0 else PEOPLE // 2)
        watch = Watch()
        running = asyncio.create_task(run_watch(plan, watch.show, lambda _: None))
        try:
            await watch.until(lambda: watch.signals.get(TOPIC) is not None)
            await watch.until(lambda: watch.signals[TOPIC].health is Health.DEGRADED)
            said = watch.signals[TOPIC]
            assert said.kind is SignalKind.USERS
            assert said.detail.startswith(f"{PEOPLE} users reported")
            assert watch.signals["users/trading"].health is Health.OK
            books = [each.node.control.book for each, _ in gateways.values()]

            def verdict() -> Verdict | None:
                """Return that of the node which was told: both are exchanges of their own."""
                rows = [book.verdicts[TOPIC] for book in books if TOPIC in book.verdicts]
                words = (Health.DEGRADED,)
                return next(
                    (row for row in rows if tuple(w.health for w in row.words.values()) == words),
                    None,
                )

            await watch.until(lambda: verdict() is not None)
            found = verdict()
            assert found is not None
            # It explains and decides nothing: nobody's word but users' says so.
            assert found.health is Health.UNKNOWN
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert (plan.data / "watch" / "amber.users.json").is_file()


async def test_without_a_token_nothing_is_said_of_users(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"amber": 5, "blue": 6}, "")
    make_key(key_file(plan.data, plan.name))
    watch = Watch()
    running = asyncio.create_task(run_watch(plan, watch.show, lambda _: None))
    try:
        await watch.until(lambda: "node/blue" in watch.signals)
        assert not [name for name in watch.signals if name.startswith("users/")]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    "text, mode, words",
    [(None, 0o600, "cannot be read"), ("secret", 0o644, "chmod 600"), ("", 0o600, "no token"),
     ("a\nb", 0o600, "no token")],
)  # fmt: skip
async def test_a_token_that_cannot_be_used_is_named_before_anything_starts(
    tmp_path: Path, text: str | None, mode: int, words: str
) -> None:
    plan = plan_of(tmp_path, {"amber": 5, "blue": 6}, "users")
    make_key(key_file(plan.data, plan.name))
    if text is not None:
        (plan.data / "users").write_text(text)
        (plan.data / "users").chmod(mode)
    with pytest.raises(CliError, match=words) as refused:
        await run_watch(plan, lambda _: None, lambda _: None)
    assert refused.value.code is Exit.USAGE
