"""A UTXO network over a real litecoind in regtest: the contract, coins, refusals, bad input."""

from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from embit import ec
from embit.script import Script, Witness, p2pkh_from_p2wpkh, p2wpkh
from embit.transaction import Transaction
from msgspec.structs import replace
from tests.treasury.chain_contract import Bench, ChainContract
from tests.treasury.litecoin_node import LitecoinNode

from seawall.node.clock import SystemClock
from seawall.treasury.addresses import segwit_address
from seawall.treasury.chain import (
    AddressError,
    RefusedError,
    SendOutcome,
    Unsigned,
    UtxoUnsigned,
)
from seawall.treasury.settings import ChainSettings, EndpointSettings, FeeSettings
from seawall.treasury.utxo import UtxoChain
from seawall.treasury.utxo_bytes import canonical_address
from seawall.treasury.utxo_endpoint import classify

PREFIX = "rltc"
LITE = 10**8


class UtxoBench(Bench):
    chain: UtxoChain
    unit = LITE
    wrong_addresses = (
        "",
        "rltc1",
        "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045",
        "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
        "LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1",
    )
    key_number = 1

    def __init__(self, node: LitecoinNode) -> None:
        self.node = node
        self.chain = UtxoChain(
            ChainSettings(
                network="LTC",
                endpoints=(EndpointSettings(name="dev", url=node.url),),
                fees=FeeSettings(cap=1_000_000, tip_floor=20_000),
                address_prefix=PREFIX,
                lone_endpoint=True,
            ),
            SystemClock(),
        )
        # A wallet of its own for each test: the node lives through all of them.
        UtxoBench.key_number += 1
        self.key = ec.PrivateKey(UtxoBench.key_number.to_bytes(32, "big"))
        self.hot = segwit_address(self.key.get_public_key(), PREFIX)

    async def address(self) -> str:
        return str(self.node.call("getnewaddress", "", "bech32"))

    async def pay(self, address: str, units: int) -> str:
        return self.node.pay(address, units)

    async def mine(self, blocks: int = 1) -> None:
        self.node.mine(blocks)

    async def reorganise(self, depth: int) -> None:
        self.node.reorganise(depth)

    def sign(self, unsigned: Unsigned) -> bytes:
        fields = unsigned.fields
        assert isinstance(fields, UtxoUnsigned)
        transaction = Transaction.read_from(BytesIO(bytes.fromhex(fields.raw)))
        public = self.key.get_public_key()
        code = p2pkh_from_p2wpkh(p2wpkh(public))
        for place, coin in enumerate(fields.coins):
            digest = transaction.sighash_segwit(place, code, coin.units)
            signature = self.key.sign(digest).serialize() + b"\x01"
            transaction.vin[place].witness = Witness([signature, public.sec()])
        return bytes(transaction.serialize())

    async def slots(self) -> tuple[str, ...]:
        return ()


@pytest.fixture(scope="module")
def node(litecoind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LitecoinNode]:
    folder: Path = tmp_path_factory.mktemp("litecoin")
    made = LitecoinNode(litecoind, folder)
    made.start()
    yield made
    made.stop()


@pytest_asyncio.fixture
async def bench(node: LitecoinNode) -> AsyncIterator[UtxoBench]:
    made = UtxoBench(node)
    for _ in range(3):
        node.pay(made.hot, 10 * LITE)
    node.mine(1)
    yield made
    await made.chain.close()


class TestUtxoChain(ChainContract):
    pass


async def test_small_coins_are_gathered_and_change_comes_back(bench: UtxoBench) -> None:
    payee = await bench.address()
    unsigned = await bench.chain.build(await bench.order(payee, 25 * LITE))
    fields = unsigned.fields
    assert isinstance(fields, UtxoUnsigned)
    assert len(unsigned.slots) == 3
    assert fields.change == bench.hot
    assert fields.change_units + 25 * LITE + unsigned.max_cost == 30 * LITE
    signed = bench.sign(unsigned)
    assert bench.chain.decode(signed).source == bench.hot
    assert (await bench.chain.send(signed)).outcome is SendOutcome.ACCEPTED
    await bench.mine()
    receipt = await bench.chain.receipt(bench.chain.decode(signed).tx_id)
    assert receipt is not None
    assert receipt.cost == unsigned.max_cost
    head = await bench.chain.head()
    assert await bench.chain.balance(bench.hot, "", head) == fields.change_units


async def test_coins_of_other_payments_are_left_alone(bench: UtxoBench) -> None:
    payee = await bench.address()
    first = await bench.chain.build(await bench.order(payee, LITE))
    second = await bench.chain.build(await bench.order(payee, LITE), first.slots)
    assert not set(first.slots) & set(second.slots)
    everything = [coin.slot for coin in await bench.chain.coins(bench.hot)]
    with pytest.raises(RefusedError, match="insufficient funds"):
        await bench.chain.build(await bench.order(payee, LITE), everything)
    with pytest.raises(RefusedError, match="insufficient funds"):
        await bench.chain.build(await bench.order(payee, 30 * LITE))


async def test_a_replacement_spends_the_first_ones_coins_and_no_others(bench: UtxoBench) -> None:
    payee = await bench.address()
    order = await bench.order(payee, 10 * LITE - 1_000)
    first = await bench.chain.build(order)
    assert len(first.slots) == 2
    again = replace(order, slots=first.slots, quote=order.quote.raised(100))
    second = await bench.chain.build(again)
    assert second.slots == first.slots
    assert second.max_cost > first.max_cost
    with pytest.raises(RefusedError, match="insufficient funds"):
        await bench.chain.build(replace(order, slots=first.slots[:1]))


async def test_what_is_no_payment_of_ours_is_refused(bench: UtxoBench) -> None:
    payee = await bench.address()
    unsigned = await bench.chain.build(await bench.order(payee, LITE))
    fields = unsigned.fields
    assert isinstance(fields, UtxoUnsigned)
    with pytest.raises(RefusedError):
        bench.chain.decode(bytes.fromhex(fields.raw))
    signed = Transaction.read_from(BytesIO(bench.sign(unsigned)))
    signed.vout[1].script_pubkey = Script(bytes.fromhex("0014" + 20 * "ab"))
    with pytest.raises(RefusedError, match="more than one address"):
        bench.chain.decode(bytes(signed.serialize()))


@pytest.mark.parametrize(
    "words, outcome",
    [
        ("Transaction already in block chain", SendOutcome.ALREADY_KNOWN),
        ("txn-already-in-mempool", SendOutcome.ALREADY_KNOWN),
        ("bad-txns-inputs-missingorspent", SendOutcome.SLOT_USED),
        ("txn-mempool-conflict", SendOutcome.UNDERPRICED),
        ("insufficient fee, rejecting replacement", SendOutcome.UNDERPRICED),
        ("min relay fee not met, 100 < 1410", SendOutcome.UNDERPRICED),
        ("TX decode failed", SendOutcome.REFUSED),
        ("Loading block index...", SendOutcome.UNKNOWN),
    ],
)
def test_what_nodes_say(words: str, outcome: SendOutcome) -> None:
    assert classify(words) is outcome


def test_addresses_of_the_main_network() -> None:
    for good in (
        "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9",
        "LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1",
    ):
        assert canonical_address(good, "ltc") == good
    upper = "LTC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KGMN4N9"
    assert canonical_address(upper, "ltc") == upper.lower()
    for wrong in (
        "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n8",
        "ltc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9",
        "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    ):
        with pytest.raises(AddressError):
            canonical_address(wrong, "ltc")
