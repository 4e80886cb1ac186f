"""Binance's own wallet SDK and python-binance move money over a real socket.

The SDK's models are strict about types, and tell what an answer lacks and what it has besides.
"""

import asyncio
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import BadRequestError
from binance_sdk_wallet.wallet import Wallet
from pydantic import BaseModel
from tests.gateway.exchange import RunningClock
from tests.gateway.money import ETHER, PAYEE, client, deposit, open_bank, pay
from tests.gateway.test_clients import Venue

from seawall.gateway.server import GatewayServer

with warnings.catch_warnings():
    # It still imports what its own WebSocket library has retired.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance.base_client import BaseClient
    from binance.client import Client
    from binance.exceptions import BinanceAPIException

NOT_OURS = {"travelRuleStatus", "denomination"}
"""Travel rules are not run here, and no listing is a multiple of a coin."""
OURS = {"network", "info", "clientTranId"}
"""Told besides: an address's network, why a deposit was not credited, a transfer's own id."""


def differences(found: Any) -> tuple[set[str], set[str]]:
    """Return the fields that an answer lacks, and those that the models do not know."""
    lacking: set[str] = set()
    besides: set[str] = set()
    if isinstance(found, list):
        for one in found:
            less, more = differences(one)
            lacking |= less
            besides |= more
    elif isinstance(found, BaseModel):
        for name, field in type(found).model_fields.items():
            value = getattr(found, name)
            if name == "additional_properties":
                besides |= set(value)
            elif value is None:
                lacking.add(field.alias or name)
            else:
                less, more = differences(value)
                lacking |= less
                besides |= more
    return lacking, besides


def full(answer: Any, *absent: str) -> Any:
    data = answer.data()
    lacking, besides = differences(data)
    assert lacking <= NOT_OURS.union(absent), data
    assert besides <= OURS, data
    return data


def sdk(venue: Venue) -> Any:
    return Wallet(
        config_rest_api=ConfigurationRestAPI(
            api_key=venue.alice.api_key,
            api_secret=venue.alice.secret,
            base_path=venue.url,
            timeout=30_000,
        )
    ).rest_api


def before(venue: Venue) -> str:
    rest = sdk(venue)
    assert full(rest.system_status()).status == 0
    may = full(rest.get_api_key_permission())
    assert (may.enable_reading, may.enable_withdrawals, may.ip_restrict) == (True, True, False)
    coins = {coin.coin: coin for coin in full(rest.all_coins_information())}
    (network,) = coins["USDT"].network_list
    assert (network.network, network.withdraw_integer_multiple) == ("ETH", "0.000001")
    assert (network.deposit_enable, network.withdraw_enable, network.busy) == (True, True, False)
    assert not coins["LTC"].network_list, "a coin without a network"
    moved = full(rest.user_universal_transfer("MAIN_FUNDING", "ETH", 4.0))
    listed = full(rest.query_user_universal_transfer_history("MAIN_FUNDING"))
    assert [(row.tran_id, row.status) for row in listed.rows] == [(moved.tran_id, "CONFIRMED")]
    assert full(rest.funding_wallet(asset="ETH"))[0].free == "4.000000000000000000"
    assert full(rest.user_asset(asset="ETH"))[0].free == "6.000000000000000000"
    sent = full(rest.withdraw("ETH", PAYEE, 1.5, withdraw_order_id="w1", network="ETH"))
    (row,) = full(rest.withdraw_history(coin="ETH"), "completeTime")
    assert (row.id, row.status, row.tx_id, row.amount) == (sent.id, 4, "", "1.49")
    with pytest.raises(BadRequestError):
        rest.withdraw("ETH", "0x12", 1.0)
    address: str = full(rest.deposit_address("ETH")).address
    rest._session.close()
    return address


def after(venue: Venue) -> None:
    rest = sdk(venue)
    (row,) = full(rest.deposit_history(coin="ETH"))
    assert (row.status, row.amount, row.confirm_times, row.unlock_confirm) == (1, "3", "3/3", 3)
    (paid,) = full(rest.withdraw_history(withdraw_order_id="w1"))
    assert (paid.status, paid.tx_id, paid.confirm_no) == (6, "0xtx1", 3)
    assert len(paid.complete_time) == len("2026-01-01 00:00:00")
    rest._session.close()


async def follow(
    tmp_path: Path, first: Callable[[Venue], str], last: Callable[[Venue], None]
) -> None:
    """Let a client withdraw and ask for an address, do the treasury's part, and let it look."""
    async with open_bank(tmp_path, clock=RunningClock()) as bank:
        alice = await client(bank, "alice", ETH="10")
        server = GatewayServer(bank.app)
        await server.start()
        venue = Venue(bank, server, alice, alice)
        address = await asyncio.to_thread(first, venue)
        await deposit(bank, address, 3 * ETHER)
        await pay(bank, 1)
        await asyncio.to_thread(last, venue)
        await server.stop()


async def test_binances_own_sdk_moves_money_in_and_out(tmp_path: Path) -> None:
    await follow(tmp_path, before, after)


async def test_python_binance_moves_money_in_and_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(venue: Venue) -> Any:
        monkeypatch.setattr(BaseClient, "API_URL", f"{venue.url}/api")
        monkeypatch.setattr(BaseClient, "MARGIN_API_URL", f"{venue.url}/sapi")
        return Client(venue.alice.api_key, venue.alice.secret)

    def close(at: Any) -> None:
        at.session.close()
        at.loop.close()

    def first(venue: Venue) -> str:
        at = connect(venue)
        may = at.get_account_api_permissions()
        assert (may["enableWithdrawals"], may["permitsUniversalTransfer"]) == (True, True)
        assert at.get_account_status() == {"data": "Normal"}
        moved = at.make_universal_transfer(type="MAIN_FUNDING", asset="ETH", amount="2")
        (row,) = at.query_universal_transfer_history(type="MAIN_FUNDING")["rows"]
        assert row["tranId"] == moved["tranId"]
        assert at.funding_wallet(asset="ETH")[0]["free"] == "2.000000000000000000"
        assert at.get_user_asset(asset="ETH")[0]["free"] == "8.000000000000000000"
        sent = at.withdraw(coin="ETH", address=PAYEE, amount="1.5", withdrawOrderId="w1")
        assert at.get_withdraw_history_id(sent["id"])["withdrawOrderId"] == "w1"
        with pytest.raises(BinanceAPIException) as refused:
            at.withdraw(coin="ETH", address=PAYEE, amount="50")
        assert refused.value.code == -4026
        address: str = at.get_deposit_address(coin="ETH", network="ETH")["address"]
        close(at)
        return address

    def last(venue: Venue) -> None:
        at = connect(venue)
        (row,) = at.get_deposit_history(coin="ETH")
        assert (row["amount"], row["status"]) == ("3", 1)
        (paid,) = at.get_withdraw_history(coin="ETH")
        assert (paid["txId"], paid["status"]) == ("0xtx1", 6)
        close(at)

    await follow(tmp_path, first, last)
