"""A treasury beside an exchange: what keeps it off is told, what breaks it breaks nothing else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.cli.test_configuration import treasury
from tests.treasury.signer.vault_keys import make_keys

from seawall.cli import treasury as runner
from seawall.cli.bootstrap import bootstrap
from seawall.cli.configuration import load
from seawall.cli.treasury_definitions import NetworkPlan, treasuries
from seawall.cli.treasury_note import ScanNote
from seawall.gateway.treasury_port import AddressRefusedError, TreasuryOffError
from seawall.model.funding import Service, ServiceStatus
from seawall.model.funding_commands import OpenDepositAddress
from seawall.model.ids import UserId
from seawall.node.node import Node
from seawall.node.settings import NodeSettings
from seawall.treasury.driver import NetworkTreasury
from seawall.treasury.evm_bytes import canonical_address
from seawall.treasury.signer.messages import Who
from seawall.treasury.signer.protocol import load_token
from seawall.treasury.signer.server import SignerServer
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import SignerSettings
from seawall.treasury.signer.store import SignatureStore

PAYEE = "0x" + "ab" * 20


class Broken(runner.NetworkRunner):
    """Meets an error that nobody foresaw."""

    def _begin(self, who: Who) -> NetworkTreasury:
        raise ZeroDivisionError(len(who.wallets))


class Place:
    """A node, a plan with endpoints that nobody serves, and a signer that can be started."""

    def __init__(self, folder: Path, node: Node, plan: NetworkPlan) -> None:
        self.folder, self.node, self.plan = folder, node, plan
        self.keys = make_keys(folder / "keys")
        self.store = SignatureStore(folder / "signatures.sqlite")
        service = SignerService(SignerSettings(networks={}), self.keys, self.store, lambda: 1)
        self.server = SignerServer(service, load_token(plan.token, create=True), plan.signer)

    async def close(self) -> None:
        await self.server.close()
        self.store.close()
        await self.node.close()


@pytest_asyncio.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "cfg.toml"
    file.write_text(treasury("200").replace(":854", ":1"))
    configuration = load(file, {"SEAWALL_DATA": "d"})
    node = await Node.open(NodeSettings(data=tmp_path / "d", ticks=False, relay=False))
    await bootstrap(node, configuration)
    (plan,) = treasuries(configuration)
    plan.signer.parent.mkdir()
    found = Place(tmp_path, node, plan)
    yield found
    await found.close()


async def until_off(running: runner.NetworkRunner, reason: str) -> None:
    async with asyncio.timeout(60):
        while running.off(Service.DEPOSIT) != reason:  # noqa: ASYNC110  (users ask it so, too)
            await asyncio.sleep(0.02)


async def test_without_a_signer_it_waits_and_with_one_it_begins(place: Place) -> None:
    running = runner.NetworkRunner(place.node, place.plan, place.folder)
    running.start()
    await until_off(running, runner.SIGNER_SILENT)
    with pytest.raises(TreasuryOffError, match="does not answer"):
        running.derive(0)
    assert running.payee(PAYEE).lower() == PAYEE, "that takes neither signer nor endpoints"
    with pytest.raises(AddressRefusedError, match="token"):
        running.payee(place.plan.chain.tokens[0])
    await place.server.start()
    await until_off(running, "")
    assert running.derive(0) == place.keys.deposit_address(0)
    await running.stop()


async def test_the_exchanges_own_wallets_are_nobodys_payee(place: Place) -> None:
    cold = "0x" + "c0" * 20
    plan = replace(place.plan, cold=(canonical_address(cold),))
    running = runner.Treasuries(place.node, [plan], place.folder / "notes")
    with pytest.raises(AddressRefusedError, match="own"):
        await running.payee("ETH", cold)
    (hot,) = place.keys.wallets()
    await place.server.start()
    running.start()
    async with asyncio.timeout(60):
        while running.off("ETH", Service.DEPOSIT):  # noqa: ASYNC110  (users ask it so, too)
            await asyncio.sleep(0.02)
    with pytest.raises(AddressRefusedError, match="own"):
        await running.payee("ETH", hot.lower())
    assert (await running.payee("ETH", PAYEE)).lower() == PAYEE
    await running.stop()


async def test_users_are_told_when_fees_or_the_signers_lease_make_payments_wait(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = runner.Treasuries(place.node, [place.plan], place.folder / "notes")
    assert (running.waits("ETH"), running.waits("MOON")) == ("", "")
    await place.server.start()
    running.start()
    async with asyncio.timeout(60):
        while running.off("ETH", Service.DEPOSIT):  # noqa: ASYNC110  (users ask it so, too)
            await asyncio.sleep(0.02)
    assert running.waits("ETH") == ""
    monkeypatch.setattr(NetworkTreasury, "dear", True)
    assert running.waits("ETH") == runner.FEES_HIGH
    monkeypatch.setattr(NetworkTreasury, "unleased", True)
    assert running.waits("ETH") == runner.UNLEASED
    await running.stop()


async def test_only_the_leaders_treasury_works(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads, works = [False], []

    async def run(_: NetworkTreasury) -> None:
        works.append(True)
        try:
            await asyncio.Event().wait()
        finally:
            works.pop()

    monkeypatch.setattr(place.node, "leads", lambda _cell: leads[0])
    monkeypatch.setattr(NetworkTreasury, "run", run)
    running = runner.NetworkRunner(place.node, place.plan, place.folder)
    await place.server.start()
    running.start()
    await until_off(running, "")
    # It follows: users are served, and nothing is paid from here.
    assert running.derive(0) == place.keys.deposit_address(0)
    assert not works
    for leading in (True, False, True):
        leads[0] = leading
        async with asyncio.timeout(60):
            while bool(works) is not leading:  # noqa: ASYNC110  (the runner tells nobody)
                await asyncio.sleep(0.02)
        assert running.off(Service.WITHDRAWAL) == ""
    await running.stop()
    assert not works


async def test_with_other_keys_than_before_it_does_not_begin(place: Place) -> None:
    opened = OpenDepositAddress(user_id=UserId(1), network="ETH", index=0, address=PAYEE)
    await place.node.submit_funding(opened)
    await place.server.start()
    running = runner.NetworkRunner(place.node, place.plan, place.folder)
    running.start()
    await until_off(running, runner.WRONG_KEYS)
    with pytest.raises(TreasuryOffError):
        running.derive(1)
    await running.stop()


async def test_what_nobody_foresaw_pauses_its_withdrawals_and_nothing_else(place: Place) -> None:
    await place.server.start()
    running = Broken(place.node, place.plan, place.folder)
    running.start()
    await until_off(running, runner.CRASHED)
    listings = place.node.funding.book.listings.values()
    # Its task ends once the pauses are in the journal.
    async with asyncio.timeout(60):
        await running.ended()
    assert {row.withdrawal.reason for row in listings} == {runner.CRASHED}
    assert {row.deposit.status for row in listings} == {ServiceStatus.OPEN}
    assert {row.withdrawal.status for row in listings} == {ServiceStatus.PAUSED}
    assert place.node.ready
    await running.stop()


def test_a_note_newer_than_the_journal_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "ETH.json"
    assert ScanNote(path, lambda: 9).read() == 0
    ScanNote(path, lambda: 9).write(70)
    assert ScanNote(path, lambda: 9).read() == 70
    assert ScanNote(path, lambda: 8).read() == 0
    path.write_text("{")
    assert ScanNote(path, lambda: 9).read() == 0
