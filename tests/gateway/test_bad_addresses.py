"""What is no place to send money to, over the API and with the networks' own readers of addresses.

Each is refused with the code for its kind and words that say what is wrong, and nothing changes.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.gateway.exchange import Exchange, User, open_exchange
from tests.gateway.money import ETHER, NETWORK, MadeUpTreasury, act, client, listing
from tests.treasury.test_addresses import ABANDON, account_of

from seawall.core.funding_state import dump_funding
from seawall.gateway.treasury_port import AddressRefusedError
from seawall.model.commands import ListAsset
from seawall.model.funding import NetworkKind, Vault
from seawall.model.funding_commands import BookCapital, ListNetwork, OfferAsset
from seawall.model.ids import AssetCode
from seawall.treasury import evm_bytes, utxo_bytes
from seawall.treasury.addresses import DepositAddresses
from seawall.treasury.chain import AddressError

GOOD_ETH = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
GOOD_LTC = "ltc1qtp7fhly84qm6q4hhzmp0nh5frtdugmyswv86v5"
LITECOIN = replace(
    NETWORK, code="LTC", name="Litecoin", kind=NetworkKind.UTXO, chain_id=0,
    native=AssetCode("LTC"), native_decimals=8,
)  # fmt: skip
APPLY = "/sapi/v1/capital/withdraw/apply"


class RealAddresses(MadeUpTreasury):
    """Derives and reads addresses as the treasury does."""

    def __init__(self) -> None:
        super().__init__()
        self._derived = {
            "ETH": DepositAddresses(
                account_of(ABANDON, "m/44h/60h/0h").to_public().to_base58(), NetworkKind.EVM
            ),
            "LTC": DepositAddresses(
                account_of(ABANDON, "m/84h/2h/0h").to_public().to_base58(), NetworkKind.UTXO, "ltc"
            ),
        }

    async def derive(self, network: str, index: int) -> str:
        return self._derived[network].address(index)

    async def payee(self, network: str, text: str) -> str:
        try:
            if network == "ETH":
                return evm_bytes.canonical_address(text)
            return utxo_bytes.canonical_address(text, "ltc")
        except AddressError as error:
            raise AddressRefusedError(str(error)) from None


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_exchange(tmp_path, addresses=RealAddresses()) as exchange:
        for asset in exchange.node.spot.assets.values():
            await act(exchange, ListAsset(asset=asset))
        for network in (NETWORK, LITECOIN):
            await act(exchange, ListNetwork(network=network))
        await act(exchange, OfferAsset(listing=listing("ETH", 18, "", ETHER)))
        await act(
            exchange, OfferAsset(listing=replace(listing("LTC", 8, "", 10**8), network="LTC"))
        )
        for code, atoms in (("ETH", 100 * ETHER), ("LTC", 100 * 10**8)):
            await act(
                exchange,
                BookCapital(
                    network=code, asset=AssetCode(code), vault=Vault.HOT, atoms=atoms,
                    reference=code, person="ann",
                ),
            )  # fmt: skip
        yield exchange


@pytest.fixture
async def alice(bank: Exchange) -> User:
    return await client(bank, "alice", ETH="10", LTC="10")


def money(bank: Exchange) -> object:
    """Return all that both cells hold but their places in the journals."""
    funding = json.loads(dump_funding(bank.node.funding))
    del funding["book"]["sequence"], funding["book"]["at_ns"]
    return bank.substance(), funding


async def refused(bank: Exchange, user: User, **order: Any) -> tuple[int, str]:
    before = money(bank)
    answer = await bank.signed("POST", APPLY, user, **order)
    assert answer.status_code == 400, answer.text
    assert money(bank) == before
    told = answer.json()
    return told["code"], told["msg"]


@pytest.mark.parametrize(
    "coin, address, words",
    [
        ("ETH", GOOD_ETH.replace("d8dA", "d8da"), "checksum is wrong"),
        ("ETH", GOOD_ETH[:-1], "40 hexadecimal digits"),
        ("ETH", GOOD_ETH + "0", "40 hexadecimal digits"),
        ("ETH", GOOD_ETH[2:], "begins with 0x"),
        ("ETH", "0x" + "0" * 40, "zero address"),
        ("ETH", GOOD_LTC, "begins with 0x"),
        ("ETH", "vitalik.eth", "begins with 0x"),
        ("LTC", GOOD_ETH, "no address of this network"),
        ("LTC", GOOD_LTC[:-1] + "q", "checksum is wrong"),
        ("LTC", GOOD_LTC.replace("ltc1q", "ltc1Q"), "lower case"),
        ("LTC", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "no address of this network"),
        ("LTC", "tltc1qtp7fhly84qm6q4hhzmp0nh5frtdugmyse7ynl7", "no address of this network"),
        ("LTC", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "another network"),
        ("LTC", "3P14159f73E4gFr7JterCCQh9QjiTjiZrG", "another network"),
    ],
)
async def test_what_is_no_address_here(
    bank: Exchange, alice: User, coin: str, address: str, words: str
) -> None:
    code, message = await refused(bank, alice, coin=coin, address=address, amount="1")
    assert code == -4007
    assert words in message


async def test_an_address_is_one_in_any_spelling(bank: Exchange, alice: User) -> None:
    for coin, good in (("ETH", GOOD_ETH), ("LTC", GOOD_LTC)):
        for number, text in enumerate((good, good.lower(), good.upper().replace("0X", "0x"))):
            order: dict[str, Any] = {"coin": coin, "address": text, "amount": "1"}
            answer = await bank.signed(
                "POST", APPLY, alice, withdrawOrderId=f"{coin}{number}", **order
            )
            assert answer.status_code == 200, answer.text
    rows = bank.node.funding.book.withdrawals.values()
    assert {row.address for row in rows} == {GOOD_ETH, GOOD_LTC}


async def test_ones_own_deposit_address_in_any_spelling(bank: Exchange, alice: User) -> None:
    for coin in ("ETH", "LTC"):
        found = await bank.signed("GET", "/sapi/v1/capital/deposit/address", alice, coin=coin)
        own = found.json()["address"]
        for text in (own, own.lower(), own.upper().replace("0X", "0x")):
            code, message = await refused(bank, alice, coin=coin, address=text, amount="1")
            assert code == -4033
            assert "takes deposits to this exchange" in message


@pytest.mark.parametrize(
    "code, change",
    [
        (-4022, {"amount": "0"}),
        (-4022, {"amount": "0.0000000000"}),
        (-1100, {"amount": "-1"}),
        (-1100, {"amount": "1e3"}),
        (-1100, {"amount": "nan"}),
        (-1100, {"amount": "\u0661"}),
        (-1111, {"amount": "1.123456789"}),
        (-4026, {"amount": "10.00000001"}),
        (-4026, {"amount": "9" * 20}),
        (-1105, {"amount": ""}),
        (-1102, {"address": ""}),
        (-1130, {"network": "ETH"}),
    ],
)
async def test_what_is_no_amount_or_no_network_of_it(
    bank: Exchange, alice: User, code: int, change: dict[str, str]
) -> None:
    order = {"coin": "LTC", "address": GOOD_LTC, "amount": "1"} | change
    assert (await refused(bank, alice, **order))[0] == code
