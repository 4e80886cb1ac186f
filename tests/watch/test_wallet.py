"""On a real Anvil: weeks of past, a silence, a frozen node, the command, and the page."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from seawall.lab.devchain import DevChain
from seawall.watch.activity import hour_of_week
from seawall.watch.chain_silence import Reason, Verdict
from seawall.watch.pulse import Health
from seawall.watch.wallet import WalletWatch, WatchSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAYEE = "0x00000000000000000000000000000000000000A1"
DAYS = 5
HOUR_S = 3_600
WHOLE = 10**18
SAID_S = 60
SILENT_S = 12 * HOUR_S


def usual(hour: int) -> float:
    """Return the chance of a payment in a third of an hour."""
    return 0.9 if 8 <= hour % 24 < 20 else 0.6


class Lived:
    """A chain with five days of past: account 0 fell silent, account 1 goes on."""

    def __init__(self, chain: DevChain) -> None:
        self.chain = chain
        self.silent, self.busy = chain.accounts[:2]
        self.last_s = 0
        self.paid = 0

    async def live(self) -> None:
        rng = random.Random(1)
        now_s = int(time.time())
        begin_s = now_s - DAYS * 24 * HOUR_S
        self.last_s = now_s - SILENT_S
        await self.chain.rpc("evm_setTime", begin_s - 60)
        contract = await self.chain.deploy_token("SOS", 18, 10**9 * WHOLE)
        for at_s in range(begin_s, now_s - 60, 1_200):
            pays = rng.random() < usual(hour_of_week(at_s))
            if pays and at_s < self.last_s - 1_200:
                await self.chain.pay(PAYEE, 1)
                self.paid += 1
            if pays or at_s > now_s - 1_300:
                await self.chain.pay(PAYEE, WHOLE // 2, account=1)
            if at_s <= self.last_s < at_s + 1_200:
                await self.chain.pay_token(contract, PAYEE, 10**6 * WHOLE)
                self.paid += 1
                await self.mine(self.last_s)
            elif pays or at_s > now_s - 1_300:
                await self.mine(at_s)

    async def mine(self, at_s: int) -> None:
        await self.chain.rpc("evm_setNextBlockTimestamp", at_s)
        await self.chain.mine()

    async def freshen(self, now_s: int = 0) -> None:
        """Mine a block for each of the last seconds, as a chain of such blocks has them."""
        head = await self.chain.rpc("eth_getBlockByNumber", "latest", False)
        now_s = now_s or int(time.time())
        for at_s in range(max(now_s - 22, int(head["timestamp"], 16) + 1), now_s + 1):
            await self.mine(at_s)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lived(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    chain = DevChain(tmp_path_factory.mktemp("watch") / "anvil")
    await chain.start()
    made = Lived(chain)
    try:
        await made.live()
        yield made
    finally:
        await chain.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(lived: Lived) -> Lived:
    await lived.freshen()
    return lived


async def command(*arguments: str) -> tuple[int, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "seawall", "watch", "wallet", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, json.loads(out)


async def test_the_command_names_a_silence_and_what_came_last(fresh: Lived) -> None:
    url = fresh.chain.url
    code, report = await command(fresh.silent, "--rpc", url, "--once", "--json")
    assert code == 1
    found = report["assessment"]
    assert found["verdict"] == "wallet_silent"
    assert found["lastSentS"] == fresh.last_s
    assert found["probability"] < 1e-4
    assert fresh.last_s < found["silentSinceS"] < fresh.last_s + SILENT_S
    last = report["last"]
    assert (last["amount"], last["asset"], last["to"]) == ("1,000,000", "SOS", PAYEE)
    assert (last["kind"], last["failed"]) == ("token", False)
    assert report["history"]["transactions"] == fresh.paid


async def test_a_wallet_that_sends_as_usual_is_active(fresh: Lived) -> None:
    code, report = await command(fresh.busy, "--rpc", fresh.chain.url, "--once", "--json")
    assert (code, report["assessment"]["verdict"]) == (0, "active")
    last = report["last"]
    assert (last["kind"], last["amount"], last["asset"]) == ("payment", "0.5", "ETH")


async def test_wrong_addresses_are_refused(fresh: Lived) -> None:
    checksum_broken = fresh.silent[:-2] + fresh.silent[-2:].swapcase() + "0"
    # From a third account: the silent one is to stay silent.
    token = ("string,uint8,uint256,uint256", "SOS", 18, 1, 0)
    contract = await fresh.chain.deploy("token", *token, account=2)
    for address, words in ((checksum_broken, "checksum"), (contract, "is a contract")):
        code, refused = await command(address, "--rpc", fresh.chain.url, "--once", "--json")
        assert code == 2
        assert words in refused["error"]


async def test_without_history_nothing_is_said(fresh: Lived) -> None:
    code, report = await command(PAYEE, "--rpc", fresh.chain.url, "--once", "--json")
    assert code == 3
    assert report["assessment"]["verdict"] == "unknown"
    assert report["assessment"]["probability"] is None
    assert report["last"] is None


async def test_a_second_endpoint_that_does_not_answer_is_named(fresh: Lived) -> None:
    urls = (fresh.chain.url, "http://127.0.0.1:9/key")
    watch = WalletWatch(WatchSettings(wallet=fresh.busy, urls=urls))
    try:
        found = (await watch.once()).assessment
    finally:
        await watch.close()
    assert (found.verdict, found.reason) == (Verdict.ENDPOINTS_DISAGREE, Reason.ONE_STALLED)
    assert [each.health for each in found.endpoints] == [Health.CURRENT, Health.UNREACHED]
    assert not any("key" in each.name + each.trouble for each in found.endpoints)


async def test_the_page_is_served_until_a_signal(fresh: Lived) -> None:
    await fresh.chain.rpc("evm_setIntervalMining", 1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "seawall", "watch", "wallet", fresh.silent,
        "--rpc", fresh.chain.url, "--serve", "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        url = (await process.stderr.readline()).decode().split()[1]
        async with asyncio.timeout(SAID_S):
            while b"silent" not in (told := await process.stdout.readline()):
                assert told, "the watch ended"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            answer = (await client.get("/api/wallet")).json()
            english = (await client.get("/", params={"lang": "en"})).text
            arabic = (await client.get("/", headers={"accept-language": "ar-EG,ar"})).text
            stranger = await client.get("/", headers={"host": "elsewhere.example"})
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        code = await process.wait()
        await fresh.chain.rpc("evm_setIntervalMining", 0)
    assert code == 0
    assert answer["assessment"]["verdict"] == "wallet_silent"
    assert answer["assessment"]["lastSentS"] == fresh.last_s
    assert 'data-verdict="wallet_silent"' in english
    assert "The wallet is silent" in english
    assert "1,000,000 SOS" in english
    assert 'dir="rtl"' in arabic
    assert "المحفظة صامتة" in arabic
    assert "<script" not in english + arabic
    assert stranger.status_code == 400


async def test_a_frozen_node_is_what_stopped(fresh: Lived) -> None:
    """SIGSTOP for long enough to be a silence; then life, seen in the blocks that were missed.

    The last test of this chain: it leaves it half a day in the future.
    """
    skipped_s = 0.0
    watch = WalletWatch(
        WatchSettings(wallet=fresh.busy, urls=(fresh.chain.url,)),
        wall=lambda: time.time() + skipped_s,
        elapsed=lambda: time.monotonic() + skipped_s,
    )
    (name,) = watch.detector.pulses
    try:
        assert (await watch.once()).assessment.verdict is Verdict.ACTIVE
        fresh.chain.freeze()
        skipped_s = 12.0 * HOUR_S
        await watch.look(name)
        found = watch.report().assessment
        assert (found.verdict, found.silent_since_s) == (Verdict.NODE_STALLED, None)
        assert found.endpoints[0].trouble
        fresh.chain.thaw()
        now_s = int(time.time() + skipped_s)
        await fresh.chain.pay(PAYEE, 5, account=1)
        await fresh.mine(now_s - 7 * HOUR_S)
        await fresh.freshen(now_s)
        await watch.look(name)
        assert watch.report().assessment.reason is Reason.CATCHING_UP
        await watch.catch_up()
        found = watch.report().assessment
        assert found.last_sent_s == now_s - 7 * HOUR_S, "what was missed is looked at first"
        assert found.silence_s == pytest.approx(7 * HOUR_S, abs=5)
        assert found.verdict is Verdict.WALLET_SILENT
    finally:
        fresh.chain.thaw()
        await watch.close()
