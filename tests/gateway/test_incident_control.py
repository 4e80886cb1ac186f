"""Incident control through the gateway: what watchers see stops services, gates open them again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from tests.gateway.exchange import START_NS, Exchange, RunningClock, open_exchange
from tests.gateway.money import ETHER, NETWORK, act, listing
from tests.gateway.watching import PromptTreasury, Sky, Watcher, post, stages

from seawall.model.commands import ListAsset
from seawall.model.funding import Vault
from seawall.model.funding_commands import BookCapital, ListNetwork, OfferAsset
from seawall.model.ids import AssetCode
from seawall.model.posture import PlanStatus, Posture
from seawall.model.status_document import StatusDocument
from seawall.model.watch_facts import Health
from seawall.node.statement import Signed, problems
from seawall.node.verify import verify_data

MARKET = "market/BTCUSDT"
WITHDRAWAL = "withdrawal/ETH/ETH"
WAIT_S = 60
"""Only a hang takes so long."""

RUNBOOK = """
version = "story-1"

[signals]
fresh_s = 4

[lease]
seconds = 4
lapse_s = 60

[[dependency]]
name = "*"
down_after_s = 0
ok_after_s = 1

[[rule]]
name = "the cloud is lost"
when = "provider/cloud"
severity = "critical"
kind = "provider_lost"

[[rule.move]]
services = "market/*"
to = "cancel_only"

[[rule.move]]
services = "withdrawal/*"
to = "paused"

[market]
needs = ["provider/cloud"]
healthy_s = 1

[[market.stage]]
stage = "cancel_only"

[[market.stage]]
stage = "post_only"
gates = ["dependencies_healthy", "replicas_equal", "ledger_zero_sum"]
at_least_s = 1

[[market.stage]]
stage = "auction"
gates = ["users_had_access"]
at_least_s = 1

[[market.stage]]
stage = "open_collared"
gates = ["users_had_access", "auction_ready"]
collar_bps = 1000
at_least_s = 1

[[market.stage]]
stage = "open"
gates = ["users_had_access"]

[withdrawal]
needs = ["provider/cloud"]
healthy_s = 1

[[withdrawal.stage]]
stage = "paused"

[[withdrawal.stage]]
stage = "verify"
gates = ["dependencies_healthy"]

[[withdrawal.stage]]
stage = "canary"
gates = ["ledger_zero_sum", "chain_reconciled", "statement_signed", "replicas_equal"]

[[withdrawal.stage]]
stage = "limited"
gates = ["canary_settled", "hot_wallet_covers"]
per_withdrawal_ppm = 20000
at_least_s = 1

[[withdrawal.stage]]
stage = "open"
gates = ["users_had_access", "chain_reconciled"]
approvals = 2

[other]
healthy_s = 1

[[other.stage]]
stage = "paused"

[[other.stage]]
stage = "open"
"""


@asynccontextmanager
async def _bank(data: Path) -> AsyncIterator[Exchange]:
    """Open an exchange whose time runs, with one listing."""
    treasury = PromptTreasury()
    async with open_exchange(
        data, clock=RunningClock(START_NS), ticks=True, addresses=treasury, reconciling=treasury
    ) as exchange:
        treasury.node = exchange.node
        if not exchange.node.funding.book.listings:
            for asset in exchange.node.spot.assets.values():
                await act(exchange, ListAsset(asset=asset))
            await act(exchange, ListNetwork(network=NETWORK))
            await act(exchange, OfferAsset(listing=listing("ETH", 18, "", ETHER)))
            await act(
                exchange,
                BookCapital(
                    network="ETH",
                    asset=AssetCode("ETH"),
                    vault=Vault.HOT,
                    atoms=100 * ETHER,
                    reference="first",
                    person="ann",
                ),
            )
        yield exchange


async def _until(what: str, holds: Callable[[], bool]) -> None:
    """Wait until something holds, looking a few times a second."""
    tries = iter(range(WAIT_S * 50))
    while not holds():
        assert next(tries, None) is not None, f"never: {what}"
        await asyncio.sleep(0.02)


def _stands(exchange: Exchange, service: str) -> tuple[str, Posture]:
    """Return the posture in the service's own cell, and control's stage."""
    row = exchange.node.control.book.services[service]
    node = exchange.node
    if service == MARKET:
        return str(row.stage or ""), Posture(node.spot.markets["BTCUSDT"].status.value)
    listed = node.funding.book.listings["ETH/ETH"]
    return str(row.stage or ""), Posture(listed.withdrawal.status.value)


async def _document(exchange: Exchange) -> StatusDocument:
    answer = await exchange.client.get("/seawall/v1/status-document")
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=StatusDocument)


async def test_an_outage_from_the_first_report_to_the_last_stage(tmp_path: Path) -> None:
    sky = Sky("provider_cloud")
    watchers = [Watcher("w-amber", "amber"), Watcher("w-blue", "blue")]
    async with _bank(tmp_path) as exchange:
        node = exchange.node
        await _until("services are known", lambda: WITHDRAWAL in node.control.book.services)
        for watcher in watchers:
            await watcher.register(exchange)
        checked = await exchange.operate("runbook/check", {"text": RUNBOOK})
        adopted = await exchange.operate("runbook", {"text": RUNBOOK, "person": "ann"})
        assert checked["version"] == adopted["version"] == "story-1"
        async with sky.watched(exchange, watchers):
            await _until("a lease is granted", lambda: node.funding.book.lease_number > 0)
            sky.seen["provider_cloud"] = Health.DOWN
            await _until("trading stops", lambda: _stands(exchange, MARKET)[1] == "cancel_only")
            await _until("payouts stop", lambda: _stands(exchange, WITHDRAWAL)[1] == "paused")
            await _told_of_the_outage(exchange)
            sky.seen["provider_cloud"] = Health.OK
            await _until("post-only", lambda: "post_only" in stages(node.control, MARKET))
    # The process ends in the middle of the way back, and another one takes it up.
    async with _bank(tmp_path) as exchange:
        node = exchange.node
        async with sky.watched(exchange, watchers):
            await _until("open with a collar", lambda: _collared(exchange))
            await _until("trading is open", lambda: _open(exchange, MARKET))
            await _until("people are asked", lambda: _asked(exchange))
            assert _stands(exchange, WITHDRAWAL) == ("limited", Posture.LIMITED)
            await _approve(exchange)
            await _until("payouts are open", lambda: _open(exchange, WITHDRAWAL))
            order = [*dict.fromkeys(stages(node.control, WITHDRAWAL))]
            assert order == ["paused", "verify", "canary", "limited", "open"]
            await _until(
                "the incident ends",
                lambda: all(row.resolved_ns for row in node.control.book.incidents.values()),
            )
            _check_statement(await _document(exchange), exchange)
    assert (await verify_data(tmp_path)).ok


async def _told_of_the_outage(exchange: Exchange) -> None:
    """Check what the public is told while all is shut."""
    document = None
    async with asyncio.timeout(WAIT_S):
        while document is None or not document.incidents:
            document = await _document(exchange)
    (incident,) = document.incidents
    assert (incident.kind, incident.severity) == ("provider_lost", "critical")
    lines = {line.service: line for line in document.services}
    assert {lines[MARKET].posture, lines[WITHDRAWAL].posture} <= {"cancel_only", "paused"}
    assert document.queues[0].posture == "paused"
    status = await exchange.client.get("/sapi/v1/system/status")
    assert status.json() == {"status": 1, "msg": "system_maintenance"}
    (told,) = (await exchange.client.get("/api/v5/system/status")).json()["data"]
    assert told["state"] == "ongoing"


def _open(exchange: Exchange, service: str) -> bool:
    row = exchange.node.control.book.services[service]
    settled = row.posture is Posture.OPEN and not row.collar_bps
    return settled and _stands(exchange, service)[1] is Posture.OPEN


def _collared(exchange: Exchange) -> bool:
    return "open_collared" in stages(exchange.node.control, MARKET)


def _asked(exchange: Exchange) -> bool:
    plans = exchange.node.control.book.plans.values()
    return any(plan.status is PlanStatus.APPROVAL for plan in plans)


async def _approve(exchange: Exchange) -> None:
    """Let two people agree; one of them tries to be both."""
    plans = exchange.node.control.book.plans.values()
    (plan,) = [plan for plan in plans if plan.status is PlanStatus.APPROVAL]
    path = f"plans/{plan.plan_id}/approve"
    await exchange.operate(path, {"stage": "open", "person": "Ann"})
    again = await _operate(exchange, path, {"stage": "open", "person": " ann "})
    assert again.status_code == 400, again.text
    await exchange.operate(path, {"stage": "open", "person": "bob", "role": "treasury"})


async def _operate(exchange: Exchange, path: str, body: dict[str, Any]) -> Any:
    return await exchange.client.post(
        f"/seawall/v1/operator/{path}", json=body, headers=exchange.operator_headers
    )


def _check_statement(document: StatusDocument, exchange: Exchange) -> None:
    line = document.statement
    assert line is not None
    signed = Signed(text=line.statement, signature=line.signature, public_key=line.public_key)
    assert problems(signed, line.at_ns, 0) == []
    forged = Signed(
        text=line.statement.replace('"users":"0"', '"users":"1"'),
        signature=line.signature,
        public_key=line.public_key,
    )
    assert problems(forged, line.at_ns, 0) == ["the signature is not that of the key"]
    assert line.public_key == exchange.node.controlling.gates.public_key


async def test_forged_repeated_and_strange_reports_are_refused(tmp_path: Path) -> None:
    async with open_exchange(tmp_path) as exchange:
        client, clock = exchange.client, exchange.clock
        amber, stranger = Watcher("w-amber", "amber"), Watcher("w-amber", "amber")
        report = amber.report(clock.now_ns(), provider_cloud=Health.OK)
        assert (await post(client, report)).status_code == 401, "not registered"
        await amber.register(exchange)
        entries = exchange.node.control.sequence
        forged = stranger.report(clock.now_ns(), provider_cloud=Health.DOWN)
        assert (await post(client, forged)).status_code == 401
        other = msgspec.structs.replace(report, signature="zz")
        assert (await post(client, other)).status_code == 401
        longer = msgspec.structs.replace(report, report=report.report + " ")
        assert (await post(client, longer)).status_code == 401
        for body in (b"", b"{}", b'{"report": "{}", "signature": ""}', b"\xff"):
            answer = await client.post("/seawall/v1/watch/reports", content=body)
            assert answer.status_code == 400, answer.text
        assert exchange.node.control.sequence == entries, "nothing of it came to the journal"
        assert (await post(client, report)).status_code == 200
        assert (await post(client, report)).status_code == 409
        early = amber.report(clock.now_ns() - 3_600 * 10**9, provider_cloud=Health.OK)
        refused = await post(client, early)
        assert refused.status_code == 400, refused.text
        assert "moment" in refused.json()["msg"]


async def test_what_people_do_needs_the_token_and_a_name(tmp_path: Path) -> None:
    async with open_exchange(tmp_path) as exchange:
        exchange.node.controlling.enactor.start()
        body = {"services": ["market/*"], "posture": "halted", "reason": "a drill"}
        path = "/seawall/v1/operator/posture"
        answer = await exchange.client.post(path, json=body | {"person": "ann"})
        assert answer.status_code == 403
        assert (await _operate(exchange, "posture", body)).status_code == 400
        assert (await _operate(exchange, "posture", body | {"person": " "})).status_code == 400
        await _until("known", lambda: MARKET in exchange.node.control.book.services)
        await exchange.operate("posture", body | {"person": "ann"})
        await _until("halted", lambda: _stands(exchange, MARKET)[1] is Posture.HALTED)
        opened = await _operate(exchange, "posture", body | {"posture": "open", "person": "ann"})
        assert opened.status_code == 400, "the way back is a plan"
        words = {"severity": "minor", "services": ["sign_in"], "titleEn": "Slow", "person": "ann"}
        number = (await exchange.operate("incidents", words))["incident"]
        said = {"wordsEn": "It is the DNS.", "phase": "identified", "person": "bob"}
        told = await exchange.operate(f"incidents/{number}/updates", said)
        assert told["updates"][-1]["words_en"] == "It is the DNS."
        gone = await _operate(exchange, "incidents/99/updates", said)
        assert gone.status_code == 400
        wrong = await _operate(exchange, "runbook/check", {"text": "version = 1"})
        assert wrong.status_code == 400
        assert "line" in wrong.json()["msg"]


async def test_nobody_signs_in_while_that_is_paused(tmp_path: Path) -> None:
    async with open_exchange(tmp_path) as exchange:
        exchange.node.controlling.enactor.start()
        alice = await exchange.add_user("alice")
        await _until("known", lambda: "sign_in" in exchange.node.control.book.services)
        opened = await exchange.client.post("/api/v3/userDataStream", headers=alice.headers)
        assert opened.status_code == 200
        body = {"services": ["sign_in"], "posture": "paused", "reason": "stolen keys"}
        await exchange.operate("posture", body | {"person": "ann"})
        refused = await exchange.client.post("/api/v3/userDataStream", headers=alice.headers)
        assert refused.status_code == 503
        assert "stolen keys" in refused.json()["msg"]
