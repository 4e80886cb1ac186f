"""From a user's word to a watcher's signal.  The rule: two gateways, one crowd, counted once."""

from pathlib import Path
from urllib.parse import urlencode

from tests.gateway.exchange import Exchange, User, open_exchange

from seawall.gateway.secrets import make_secrets, share_secrets
from seawall.gateway.server import GatewayServer
from seawall.model.watch_facts import Health
from seawall.watch.report_reader import ReportReader
from seawall.watch.report_store import ReportStore

PEOPLE = 12


async def report(exchange: Exchange, user: User) -> None:
    query = urlencode({"topic": "withdrawals", "timestamp": exchange.now_ms()})
    answer = await exchange.client.post(
        "/seawall/v1/user-reports",
        content=f"{query}&signature={user.sign(query)}",
        headers=user.headers,
    )
    assert answer.json()["counted"] is True


async def test_a_crowd_at_two_gateways_becomes_one_signal(tmp_path: Path) -> None:
    make_secrets(tmp_path / "shared")
    for name in ("amber", "blue"):
        share_secrets(tmp_path / "shared", tmp_path / name)
    async with open_exchange(tmp_path / "amber") as amber, open_exchange(tmp_path / "blue") as blue:
        servers = [GatewayServer(each.app) for each in (amber, blue)]
        for server in servers:
            await server.start()
        token = amber.operator_headers["x-seawall-operator"]
        assert token == blue.operator_headers["x-seawall-operator"]
        reader = ReportReader(
            {
                name: f"http://127.0.0.1:{server.port}"
                for name, server in zip(("amber", "blue"), servers, strict=True)
            },
            token,
            ReportStore(tmp_path / "reports.json"),
            now_ns=amber.clock.now_ns,
        )
        try:
            await reader.ask()
            assert {each.health for each in reader.signals()} == {Health.OK}
            for number in range(PEOPLE):
                for exchange in (amber, blue):
                    await report(exchange, await exchange.add_user(f"user-{number}"))
            await reader.ask()
            found = {each.dependency: each for each in reader.signals()}
            assert found["users/withdrawals"].detail.startswith(f"{PEOPLE} users reported")
            assert found["users/withdrawals"].health is Health.DEGRADED
            assert found["users/trading"].health is Health.OK
        finally:
            await reader.close()
            for server in servers:
                await server.stop()
