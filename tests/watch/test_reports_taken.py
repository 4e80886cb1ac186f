"""A watcher's report at a real gateway: what leaves here is taken there."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.gateway.exchange import RunningClock, open_exchange
from tests.watch.test_watcher import World

from seawall.gateway.server import GatewayServer
from seawall.model.control_commands import RegisterWatcher
from seawall.watch.reporter import Reporter
from seawall.watch.signing import Numbers, public_half, sign


async def test_a_whole_picture_is_taken_once_and_another_key_is_not_believed(
    tmp_path: Path,
) -> None:
    key, clock = Ed25519PrivateKey.generate(), RunningClock(0)
    async with open_exchange(tmp_path / "data", clock=clock) as exchange:
        command = RegisterWatcher(watcher="w", provider="amber", key=public_half(key), person="ann")
        assert (await exchange.node.submit_control(command)).answer is None
        server = GatewayServer(exchange.app)
        await server.start()
        reporter = Reporter([server.url], key, answer_s=30)
        world = World()
        world.run(3)
        numbers = Numbers(tmp_path / "w.number", clock.now_ns)
        try:
            for _ in range(3):
                number = numbers.next()
                report = world.watcher.report(world.now_ns, number=number, wall_ns=clock.now_ns())
                delivery = await reporter.deliver(sign(report, key), number)
                assert delivery.accepted, delivery
            again = await reporter.deliver(sign(report, key), number)
            assert "HTTP 409" in again.detail
            forged = await reporter.deliver(sign(report, Ed25519PrivateKey.generate()), number + 1)
            assert "HTTP 401" in forged.detail
        finally:
            await reporter.close()
            numbers.close()
            await server.stop()
        taken = exchange.node.control.book.watchers["w"]
        assert (taken.number, taken.observed_ns) == (number, report.observed_ns)
