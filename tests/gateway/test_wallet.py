"""Deposits, withdrawals, transfers and the address book, as clients meet them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
from msgspec.structs import replace
from tests.gateway.exchange import Exchange, RunningClock, User
from tests.gateway.money import (
    ETHER,
    NETWORK,
    OTHER,
    PAYEE,
    MadeUpTreasury,
    act,
    client,
    deposit,
    open_bank,
    pay,
)
from tests.gateway.test_clients import Venue, ccxt_client

from seawall.gateway.server import GatewayServer
from seawall.model.commands import Tick
from seawall.model.funding import NetworkKind, Service
from seawall.model.funding_commands import ListNetwork

ADDRESS = "/sapi/v1/capital/deposit/address"
APPLY = "/sapi/v1/capital/withdraw/apply"


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_bank(tmp_path) as opened:
        yield opened


@pytest.fixture
async def alice(bank: Exchange) -> User:
    return await client(bank, "alice", ETH="10", USDT="1000")


async def good(bank: Exchange, verb: str, path: str, user: User, **params: Any) -> Any:
    answer = await bank.signed(verb, path, user, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(bank: Exchange, verb: str, path: str, user: User, **params: Any) -> int:
    answer = await bank.signed(verb, path, user, **params)
    assert answer.status_code >= 400, answer.text
    code: int = answer.json()["code"]
    return code


async def move(bank: Exchange, user: User, kind: str, amount: str, **params: Any) -> int:
    answer = await good(
        bank,
        "POST",
        "/sapi/v1/asset/transfer",
        user,
        type=kind,
        asset="ETH",
        amount=amount,
        **params,
    )
    number: int = answer["tranId"]
    return number


def wallets(bank: Exchange, asset: str = "ETH") -> tuple[int, int]:
    """Return what alice has free in spot and funding."""
    return bank.node.spot.ledger.free(1, asset), bank.node.funding.ledger.free(1, asset)


async def test_transfers_take_effect_once_and_are_listed(bank: Exchange, alice: User) -> None:
    first = await move(bank, alice, "MAIN_FUNDING", "4", clientTranId="a")
    assert await move(bank, alice, "MAIN_FUNDING", "4", clientTranId="a") == first
    path, other = "/sapi/v1/asset/transfer", {"asset": "ETH", "amount": "5", "clientTranId": "a"}
    assert await refused(bank, "POST", path, alice, type="MAIN_FUNDING", **other) == -1130
    second = await move(bank, alice, "FUNDING_MAIN", "1.5")
    assert second != first
    assert wallets(bank) == (75 * ETHER // 10, 25 * ETHER // 10)
    rows = await good(bank, "GET", "/sapi/v1/asset/transfer", alice, type="MAIN_FUNDING")
    assert rows["total"] == 1
    assert [(row["tranId"], row["amount"], row["status"]) for row in rows["rows"]] == [
        (first, "4", "CONFIRMED")
    ]
    own = await good(bank, "GET", "/seawall/v1/transfers", alice)
    assert [(row["id"], row["state"], row["source"]) for row in own["transfers"]] == [
        (second, "confirmed", "funding"),
        (first, "confirmed", "spot"),
    ]
    (funding,) = await good(bank, "POST", "/sapi/v1/asset/get-funding-asset", alice)
    assert (funding["asset"], funding["free"]) == ("ETH", "2.500000000000000000")
    path = "/sapi/v1/asset/transfer"
    eth = {"asset": "ETH", "amount": "1"}
    assert await refused(bank, "POST", path, alice, type="MAIN_UMFUTURE", **eth) == -1130
    assert await refused(bank, "POST", path, alice, **eth) == -1102
    too_much = {"asset": "ETH", "amount": "99"}
    assert await refused(bank, "POST", path, alice, type="FUNDING_MAIN", **too_much) == -5013


async def test_a_deposit_has_an_address_a_history_and_arrives(bank: Exchange, alice: User) -> None:
    path = "/sapi/v1/capital/deposit/address"
    bob = await client(bank, "bob")
    mine = (await good(bank, "GET", path, alice, coin="ETH"))["address"]
    hers, again = await asyncio.gather(
        good(bank, "GET", path, bob, coin="USDT", network="ETH"),
        good(bank, "GET", path, alice, coin="USDT"),
    )
    assert again["address"] == mine, "one address for each network"
    assert hers["address"] != mine
    await deposit(bank, mine, 3 * ETHER)
    (row,) = await good(bank, "GET", "/sapi/v1/capital/deposit/hisrec", alice, coin="ETH")
    assert (row["amount"], row["status"], row["confirmTimes"]) == ("3", 1, "3/3")
    assert wallets(bank)[1] == 3 * ETHER
    assert not await good(bank, "GET", "/sapi/v1/capital/deposit/hisrec", bob)
    assert await refused(bank, "GET", path, alice, coin="ETH", network="TRX") == -1130
    assert await refused(bank, "GET", path, alice, coin="LTC") == -4018
    assert await refused(bank, "GET", path, alice, coin="DOGE") == -1130


async def test_an_address_is_opened_wherever_it_is_the_same(bank: Exchange, alice: User) -> None:
    """What is sent to it over the wrong network is seen there, and is nobody else's."""
    path, networks = "/sapi/v1/capital/deposit/address", bank.node.funding.book.networks
    bob = await client(bank, "bob")
    mine = (await good(bank, "GET", path, alice, coin="ETH", network="ETH"))["address"]
    await act(bank, ListNetwork(network=replace(NETWORK, code="TWIN", chain_id=5)))
    await act(bank, ListNetwork(network=replace(NETWORK, code="COINS", kind=NetworkKind.UTXO)))
    hers = (await good(bank, "GET", path, bob, coin="ETH", network="ETH"))["address"]
    assert networks["TWIN"].owners == {hers: 2}
    again = await good(bank, "GET", path, alice, coin="ETH", network="ETH")
    assert again["address"] == mine
    assert networks["TWIN"].owners == {hers: 2, mine: 1}, "what was missing is made up for"
    assert not networks["COINS"].owners, "another kind has addresses of its own"


async def test_many_ask_for_an_address_at_once(bank: Exchange) -> None:
    users = [await client(bank, f"u{number}") for number in range(8)]
    answers = await asyncio.gather(
        *[good(bank, "GET", "/sapi/v1/capital/deposit/address", u, coin="ETH") for u in users]
    )
    assert len({answer["address"] for answer in answers}) == 8


async def test_a_withdrawal_once_from_either_wallet(bank: Exchange, alice: User) -> None:
    await move(bank, alice, "MAIN_FUNDING", "1")
    order = {"coin": "ETH", "address": PAYEE.upper().replace("X", "x"), "amount": "3"}
    # One is there; what is missing comes over from spot.
    first = await good(bank, "POST", APPLY, alice, withdrawOrderId="w1", **order)
    assert await good(bank, "POST", APPLY, alice, withdrawOrderId="w1", **order) == first
    other = {**order, "amount": "2"}
    assert await refused(bank, "POST", APPLY, alice, withdrawOrderId="w1", **other) == -1130
    assert wallets(bank) == (7 * ETHER, 0)
    assert await refused(bank, "POST", APPLY, alice, walletType=1, **order) == -4026
    second = await good(bank, "POST", APPLY, alice, walletType=0, withdrawOrderId="w2", **order)
    assert wallets(bank) == (4 * ETHER, 0)
    await pay(bank, int(first["id"]))
    rows = await good(bank, "GET", "/sapi/v1/capital/withdraw/history", alice, coin="ETH")
    assert [(row["id"], row["status"], row["amount"]) for row in rows] == [
        (second["id"], 4, "2.99"),
        (first["id"], 6, "2.99"),
    ]
    paid = rows[1]
    assert (paid["txId"], paid["address"], paid["transactionFee"]) == ("0xtx1", PAYEE, "0.01")
    assert paid["withdrawOrderId"] == "w1"
    (coin,) = [
        row
        for row in await good(bank, "GET", "/sapi/v1/capital/config/getall", alice)
        if row["coin"] == "ETH"
    ]
    assert coin["withdrawing"] == "3.000000000000000000"
    found = await good(bank, "GET", "/seawall/v1/withdrawals", alice, open="true")
    (waiting,) = found["withdrawals"]
    assert (waiting["state"], waiting["position"], waiting["estimateMs"]) == ("queued", 1, 36_000)
    canceled = await good(bank, "DELETE", "/seawall/v1/withdrawals", alice, id=second["id"])
    assert canceled["state"] == "canceled"
    assert wallets(bank) == (4 * ETHER, 3 * ETHER)
    assert await refused(bank, "DELETE", "/seawall/v1/withdrawals", alice, id=first["id"]) == -4031


async def test_balances_are_worth_bitcoin_at_last_trades(bank: Exchange) -> None:
    alice = await client(bank, "alice", ETH="10", LTC="3", BTC="1.5", USDT="100")
    bob = await bank.add_user("bob", BTC="1", USDT="100000")
    path = "/sapi/v3/asset/getUserAsset"

    async def worth(**params: str) -> dict[str, str]:
        rows = await good(bank, "POST", path, alice, **params)
        return {row["asset"]: row["btcValuation"] for row in rows}

    assert set((await worth()).values()) == {"0"}, "only when it is asked for"
    before = await worth(needBtcValuation="true")
    assert before == {"ETH": "0", "LTC": "0", "BTC": "1.50000000", "USDT": "0"}
    await bank.limit(bob, "SELL", "0.001", "50000")
    await bank.limit(alice, "BUY", "0.001", "50000")
    await bank.limit(bob, "BUY", "1", "2500", symbol="ETHUSDT")
    await bank.limit(alice, "SELL", "1", "2500", symbol="ETHUSDT")
    after = await worth(needBtcValuation="true", asset="ETH")
    # 9 ETH at 2,500 USDT, and 50,000 USDT for a bitcoin.
    assert after == {"ETH": "0.45000000"}
    assert (await worth(needBtcValuation="true"))["LTC"] == "0", "it never traded"
    assert await refused(bank, "POST", path, alice, needBtcValuation="perhaps") == -1130
    await move(bank, alice, "MAIN_FUNDING", "4")
    (funding,) = await good(
        bank, "POST", "/sapi/v1/asset/get-funding-asset", alice, needBtcValuation="true"
    )
    assert funding["btcValuation"] == "0.20000000"


async def test_high_fees_are_told_to_those_who_wait(bank: Exchange, alice: User) -> None:
    treasury = bank.app.context.addresses
    assert isinstance(treasury, MadeUpTreasury)
    treasury.slow = "fees are high"
    order = {"coin": "ETH", "address": PAYEE, "amount": "1"}
    await good(bank, "POST", APPLY, alice, **order)
    await good(bank, "POST", APPLY, alice, **order)
    path = "/seawall/v1/withdrawals"
    second, first = (await good(bank, "GET", path, alice))["withdrawals"]
    assert (first["reason"], first["detail"]) == ("about_to_be_signed", "fees are high")
    assert first["estimateMs"] is None, "nobody knows when they fall"
    assert (second["reason"], second["detail"]) == ("others_are_before_it", "")
    coins = await good(bank, "GET", "/sapi/v1/capital/config/getall", alice)
    (network,) = next(row for row in coins if row["coin"] == "ETH")["networkList"]
    assert (network["withdrawEnable"], network["specialWithdrawTips"]) == (True, "fees are high")
    treasury.slow = ""
    _, first = (await good(bank, "GET", path, alice))["withdrawals"]
    assert (first["detail"], first["estimateMs"]) == ("", 36_000)


@pytest.mark.parametrize(
    "code,change",
    [
        (-4007, {"address": "0x12"}),
        (-4007, {"address": "bc1qxyz"}),
        (-4022, {"amount": "0.01"}),
        (-4022, {"amount": "0"}),
        (-1111, {"amount": "1.0000000000000000001"}),
        (-4021, {"coin": "USDT", "amount": "20.1234567"}),
        (-4026, {"amount": "11"}),
        (-1130, {"network": "BTC"}),
        (-1130, {"coin": "DOGE"}),
        (-4018, {"coin": "LTC"}),
        (-1106, {"addressTag": "7"}),
        (-1130, {"walletType": "2"}),
        (-1100, {"amount": "-1"}),
    ],
)
async def test_a_withdrawal_that_cannot_be_moves_no_money(
    bank: Exchange, alice: User, code: int, change: dict[str, str]
) -> None:
    before = bank.substance()
    order = {"coin": "ETH", "address": PAYEE, "amount": "1"} | change
    assert await refused(bank, "POST", APPLY, alice, **order) == code
    assert bank.substance() == before
    assert not bank.node.funding.book.withdrawals


async def test_own_addresses_and_the_book(bank: Exchange, alice: User) -> None:
    order = {"coin": "ETH", "amount": "1"}
    mine = await good(bank, "GET", "/sapi/v1/capital/deposit/address", alice, coin="ETH")
    own = mine["address"]
    assert await refused(bank, "POST", APPLY, alice, address=own, **order) == -4033
    at = "/seawall/v1/addresses"
    await good(bank, "POST", f"{at}/only", alice, onlyBook="true")
    assert await refused(bank, "POST", APPLY, alice, address=PAYEE, **order) == -4035
    book = await good(bank, "POST", at, alice, network="ETH", address=PAYEE, label="cold")
    assert book["onlyBook"]
    assert [row["label"] for row in book["addresses"]] == ["cold"]
    assert await refused(bank, "POST", APPLY, alice, address=PAYEE, **order) == -4036
    bank.clock.advance(61 * 10**9)
    await act(bank, Tick())
    await good(bank, "POST", APPLY, alice, address=PAYEE, **order)
    left = await good(bank, "DELETE", at, alice, network="ETH", address=PAYEE)
    assert not left["addresses"]
    left = await good(bank, "POST", f"{at}/only", alice, onlyBook="false")
    assert left["onlyBook"], "until the waiting time is over"
    assert await refused(bank, "POST", APPLY, alice, address=OTHER, **order) == -4035


async def test_a_key_withdraws_only_if_it_may(bank: Exchange, alice: User) -> None:
    plain = bank.users["alice"]
    order = {"coin": "ETH", "address": PAYEE, "amount": "1"}
    assert await refused(bank, "POST", APPLY, plain, **order) == -2015
    path = "/sapi/v1/account/apiRestrictions"
    flags = [(await good(bank, "GET", path, user))["enableWithdrawals"] for user in (plain, alice)]
    assert flags == [False, True]
    assert (await good(bank, "GET", "/api/v3/account", alice))["canWithdraw"]


async def test_operators_approve_in_twos_pause_and_say_why(bank: Exchange, alice: User) -> None:
    order = {"coin": "ETH", "address": PAYEE, "amount": "6", "withdrawOrderId": "large"}
    number = int((await good(bank, "POST", APPLY, alice, **order))["id"])
    for person, state in (("ann", "awaiting_approval"), ("bob", "queued")):
        row = await bank.operate("funding/approve", {"id": number, "person": person})
        assert row["state"] == state
    service = {"asset": "ETH", "network": "ETH", "person": "ann"}
    paused = await bank.operate("funding/pause", {**service, "reason": "node upgrade"})
    assert paused["withdrawal"]["status"] == "paused"
    (row,) = (await good(bank, "GET", "/seawall/v1/withdrawals", alice))["withdrawals"]
    assert (row["reason"], row["detail"]) == ("withdrawals_paused", "node upgrade")
    coins = await good(bank, "GET", "/sapi/v1/capital/config/getall", alice)
    (network,) = next(row for row in coins if row["coin"] == "ETH")["networkList"]
    assert (network["withdrawEnable"], network["withdrawDesc"]) == (False, "node upgrade")
    assert network["depositEnable"]
    small = {"coin": "ETH", "address": PAYEE, "amount": "1"}
    assert await refused(bank, "POST", APPLY, alice, **small) == -4019
    assert wallets(bank) == (4 * ETHER, 0), "nothing came over for what is refused"
    await bank.operate("funding/resume", {**service, "reason": "done"})
    found = await bank.client.get(
        "/seawall/v1/operator/funding/queue", headers=bank.operator_headers
    )
    (row,) = found.json()["withdrawals"]
    assert (row["user"], row["approvals"], row["position"]) == ("alice", ["ann", "bob"], 1)
    refusal = {"id": number, "person": "eve", "reason": "stolen key"}
    assert (await bank.operate("funding/reject", refusal))["state"] == "rejected"
    assert wallets(bank) == (4 * ETHER, 6 * ETHER)
    denied = await bank.client.get("/seawall/v1/operator/funding/queue")
    assert denied.status_code == 403
    nobody = await bank.client.post(
        "/seawall/v1/operator/funding/reconcile", headers=bank.operator_headers
    )
    assert nobody.status_code == 503


async def test_a_network_that_does_not_serve_says_why(bank: Exchange, alice: User) -> None:
    treasury = bank.app.context.addresses
    assert isinstance(treasury, MadeUpTreasury)

    async def flags() -> list[object]:
        coins = await good(bank, "GET", "/sapi/v1/capital/config/getall", alice)
        (network,) = next(row for row in coins if row["coin"] == "ETH")["networkList"]
        names = ("depositEnable", "depositDesc", "withdrawEnable", "withdrawDesc")
        return [network[name] for name in names]

    assert await flags() == [True, "", True, ""]
    treasury.reasons["ETH", Service.WITHDRAWAL] = "nobody signs"
    assert await flags() == [True, "", False, "nobody signs"]
    treasury.reasons["ETH", Service.DEPOSIT] = "the chain is dark"
    assert await flags() == [False, "the chain is dark", False, "nobody signs"]
    assert await refused(bank, "GET", ADDRESS, alice, coin="ETH") == -4019
    service = {"asset": "ETH", "network": "ETH", "person": "ann", "reason": "node upgrade"}
    await bank.operate("funding/pause", service)
    assert await flags() == [False, "the chain is dark", False, "node upgrade"]
    treasury.reasons.clear()
    assert (await good(bank, "GET", ADDRESS, alice, coin="ETH"))["address"]
    queued = {"coin": "ETH", "address": PAYEE, "amount": "1"}
    await bank.operate("funding/resume", service)
    treasury.reasons["ETH", Service.WITHDRAWAL] = "nobody signs"
    assert (await good(bank, "POST", APPLY, alice, **queued))["id"], "it waits, and is paid later"


async def test_without_a_treasury_nothing_is_promised(tmp_path: Path) -> None:
    async with open_bank(tmp_path, treasury=False) as bank:
        alice = await client(bank, "alice", ETH="10")
        coins = await good(bank, "GET", "/sapi/v1/capital/config/getall", alice)
        for coin in coins:
            assert not coin["depositAllEnable"]
            assert not coin["withdrawAllEnable"]
        path = "/sapi/v1/capital/deposit/address"
        assert await refused(bank, "GET", path, alice, coin="ETH") == -4019
        order = {"coin": "ETH", "address": PAYEE, "amount": "1"}
        assert await refused(bank, "POST", APPLY, alice, **order) == -4019
        assert await move(bank, alice, "MAIN_FUNDING", "1"), "wallets work without one"


def session(venue: Venue) -> str:
    at = ccxt_client(venue)
    at.load_markets()
    networks = at.fetch_currencies()["USDT"]["networks"]
    (network,) = networks.values()
    assert (network["deposit"], network["withdraw"], network["fee"]) == (True, True, 0.01)
    moved = at.transfer("ETH", 4, "spot", "funding")
    assert moved["id"]
    (listed,) = at.fetch_transfers(
        "ETH", None, None, {"fromAccount": "spot", "toAccount": "funding"}
    )
    assert (listed["id"], listed["amount"], listed["status"]) == (moved["id"], 4, "ok")
    assert at.fetch_balance({"type": "funding"})["ETH"]["free"] == 4
    sent = at.withdraw("ETH", 2, PAYEE)
    (withdrawal,) = at.fetch_withdrawals("ETH")
    assert (withdrawal["id"], withdrawal["status"]) == (sent["id"], "pending")
    assert (withdrawal["amount"], withdrawal["fee"]["cost"]) == (1.99, 0.01)
    with pytest.raises(ccxt.InsufficientFunds):
        at.withdraw("ETH", 99, PAYEE)
    address: str = at.fetch_deposit_address("ETH")["address"]
    return address


def deposits(venue: Venue) -> None:
    (row,) = ccxt_client(venue).fetch_deposits("ETH")
    assert (row["amount"], row["status"], row["currency"]) == (3, "ok", "ETH")


async def test_ccxt_moves_money_in_and_out(tmp_path: Path) -> None:
    async with open_bank(tmp_path, clock=RunningClock()) as bank:
        alice = await client(bank, "alice", ETH="10")
        server = GatewayServer(bank.app)
        await server.start()
        venue = Venue(bank, server, alice, alice)
        address = await asyncio.to_thread(session, venue)
        await deposit(bank, address, 3 * ETHER)
        await asyncio.to_thread(deposits, venue)
        await server.stop()
