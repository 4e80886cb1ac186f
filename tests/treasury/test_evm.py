"""An EVM network over a real Anvil: the contract, tokens of every kind, refusals, bad input."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from eth_account import Account
from msgspec.structs import replace
from tests.treasury.chain_contract import Bench, ChainContract

from seawall.lab.devchain import DevChain
from seawall.node.clock import SystemClock
from seawall.treasury.chain import (
    AddressError,
    EvmUnsigned,
    PaymentOrder,
    RefusedError,
    SendOutcome,
    UnknownError,
    Unsigned,
    lane_slot,
)
from seawall.treasury.endpoints import Health
from seawall.treasury.evm import EvmChain
from seawall.treasury.evm_bytes import canonical_address
from seawall.treasury.evm_refusals import classify
from seawall.treasury.settings import ChainSettings, EndpointSettings, FeeSettings

HOT = Account.from_key(b"\x07" * 32)
ETHER = 10**18
VITALIK = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"


def settings_of(
    devchain: DevChain, tokens: tuple[str, ...] = (), chain_id: int = 0
) -> ChainSettings:
    return ChainSettings(
        network="ETH",
        endpoints=(EndpointSettings(name="dev", url=devchain.url),),
        fees=FeeSettings(cap=500 * 10**9, tip_floor=10**9),
        chain_id=chain_id or devchain.chain_id,
        tokens=tokens,
        lone_endpoint=True,
    )


def by_account(unsigned: EvmUnsigned) -> dict[str, object]:
    """Return the fields as eth-account signs them."""
    return {
        "type": 2,
        "chainId": unsigned.chain_id,
        "nonce": unsigned.nonce,
        "to": unsigned.to,
        "value": unsigned.value,
        "data": unsigned.data,
        "gas": unsigned.gas,
        "maxPriorityFeePerGas": unsigned.tip_per_gas,
        "maxFeePerGas": unsigned.most_per_gas,
    }


class EvmBench(Bench):
    chain: EvmChain
    unit = ETHER
    wrong_addresses = (
        "",
        "0x",
        "d8dA6BF26964aF9D7eEd9e03E53415D37aA96045",
        "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA9604",
        "0xD8dA6BF26964aF9D7eEd9e03E53415D37aA96045",
        "0x" + 40 * "0",
        "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9",
        VITALIK + " ",
    )

    def __init__(self, devchain: DevChain, tokens: tuple[str, ...] = ()) -> None:
        self.devchain = devchain
        self.chain = EvmChain(settings_of(devchain, tokens), SystemClock())
        self.hot = HOT.address
        self._next = 1

    async def address(self) -> str:
        self._next += 1
        return str(Account.from_key(self._next.to_bytes(32, "big")).address)

    async def pay(self, address: str, units: int) -> str:
        return await self.devchain.pay(address, units)

    async def mine(self, blocks: int = 1) -> None:
        await self.devchain.mine(blocks)

    async def reorganise(self, depth: int) -> None:
        await self.devchain.reorganise(depth)

    def sign(self, unsigned: Unsigned) -> bytes:
        assert isinstance(unsigned.fields, EvmUnsigned)
        return bytes(HOT.sign_transaction(by_account(unsigned.fields)).raw_transaction)

    async def slots(self) -> tuple[str, ...]:
        return (lane_slot(self.hot, await self.chain.next_nonce(self.hot)),)

    async def token_order(self, contract: str, payee: str, units: int) -> PaymentOrder:
        return PaymentOrder(
            source=self.hot,
            payee=payee,
            contract=contract,
            units=units,
            slots=await self.slots(),
            quote=await self.chain.fee_quote(),
        )


@pytest_asyncio.fixture
async def bench(devchain: DevChain) -> AsyncIterator[EvmBench]:
    made = EvmBench(devchain)
    await devchain.rpc("anvil_setBalance", HOT.address, hex(1000 * ETHER))
    await devchain.mine(2)
    yield made
    await made.chain.close()


class TestEvmChain(ChainContract):
    pass


async def with_token(bench: EvmBench, contract: str) -> EvmBench:
    """Return the bench with a token listed, and the hot wallet holding some."""
    await bench.devchain.pay_token(contract, HOT.address, 10**9)
    await bench.mine()
    await bench.chain.close()
    return EvmBench(bench.devchain, (contract,))


async def test_tokens_arrive_with_what_arrives(bench: EvmBench) -> None:
    devchain = bench.devchain
    plain = await devchain.deploy_token("USDT", 6, 10**15)
    greedy = await devchain.deploy_token("FEE", 6, 10**15, fee_per_mille=10)
    silent = await devchain.deploy("silent", "string,uint8,uint256", "SIL", 18, 10**24)
    unlisted = await devchain.deploy_token("SPAM", 0, 10**15, fee_per_mille=10)
    chain = EvmChain(settings_of(devchain, (plain, greedy, silent)), SystemClock())
    mine = await bench.address()
    for contract in (plain, greedy, silent, unlisted):
        await devchain.pay_token(contract, mine, 1000)
    await devchain.pay_token(greedy, mine, 500)
    await devchain.pay_token(plain, mine, 0)
    await devchain.mine()
    head = await chain.head()
    found = await chain.payments(head, {mine})
    await chain.close()
    assert {(one.contract, one.units, one.stated_units, one.output) for one in found} == {
        (plain, 1000, 1000, 1),
        (greedy, 990, 1000, 1),
        (greedy, 495, 500, 1),
        (silent, 1000, 1000, 1),
        (unlisted, 1000, 1000, 1),
    }


async def test_a_fee_is_measured_though_tokens_leave_in_the_same_block(bench: EvmBench) -> None:
    greedy = await bench.devchain.deploy_token("FEE", 6, 10**15, fee_per_mille=10)
    rich = await with_token(bench, greedy)
    await bench.devchain.pay_token(greedy, HOT.address, 2000)
    unsigned = await rich.chain.build(await rich.token_order(greedy, VITALIK, 700))
    assert (await rich.chain.send(rich.sign(unsigned))).outcome.taken
    await bench.mine()
    found = await rich.chain.payments(await rich.chain.head(), {HOT.address})
    await rich.chain.close()
    assert [(one.units, one.stated_units) for one in found] == [(1980, 2000)]


async def test_what_reverts_or_hides_is_no_payment(bench: EvmBench) -> None:
    devchain = bench.devchain
    refuser = await devchain.deploy("payee", "bool", True)
    passer = await devchain.deploy("payee", "bool", False)
    plain = await devchain.deploy_token("USDT", 6, 10**15)
    mine = await bench.address()
    reverted = await devchain.send(devchain.accounts[0], refuser, value=5, gas=100_000)
    poor = await devchain.pay_token(plain, mine, 5, account=1)
    hidden = await devchain.transact(passer, "forward(address)", mine, value=7, gas=100_000)
    await devchain.mine()
    head = await bench.chain.head()
    for tx_id, ok in ((reverted, False), (poor, False), (hidden, True)):
        receipt = await bench.chain.receipt(tx_id)
        assert receipt is not None
        assert receipt.ok is ok
        assert receipt.payments == () or ok
    assert await bench.chain.payments(head, {mine, refuser}) == []
    # The coin is there, and only reconciliation can see it.
    assert await bench.chain.balance(mine, "", head) == 7
    assert await bench.chain.is_contract(passer)
    assert not await bench.chain.is_contract(mine)


async def test_tokens_leave_by_the_same_path(bench: EvmBench) -> None:
    plain = await bench.devchain.deploy_token("USDT", 6, 10**15)
    silent = await bench.devchain.deploy("silent", "string,uint8,uint256", "SIL", 18, 10**24)
    for contract in (plain, silent):
        rich = await with_token(bench, contract)
        payee = await bench.address()
        unsigned = await rich.chain.build(await rich.token_order(contract, payee, 123_456))
        signed = rich.sign(unsigned)
        read = rich.chain.decode(signed)
        assert (read.payee, read.contract, read.units) == (payee, contract, 123_456)
        assert (await rich.chain.send(signed)).outcome is SendOutcome.ACCEPTED
        await bench.mine()
        receipt = await rich.chain.receipt(read.tx_id)
        assert receipt is not None
        assert receipt.paid(payee, contract) == 123_456
        assert await rich.chain.balance(payee, contract, await rich.chain.head()) == 123_456
        await rich.chain.close()


async def test_a_token_that_refuses_quietly_is_not_taken_for_paid(bench: EvmBench) -> None:
    plain = await bench.devchain.deploy_token("USDT", 6, 10**15)
    rich = await with_token(bench, plain)
    unsigned = await rich.chain.build(await rich.token_order(plain, VITALIK, 5))
    await bench.devchain.transact(plain, "refuse(bool)", True)
    await bench.mine()
    signed = rich.sign(unsigned)
    assert (await rich.chain.send(signed)).outcome.taken
    await bench.mine()
    receipt = await rich.chain.receipt(rich.chain.decode(signed).tx_id)
    await rich.chain.close()
    assert receipt is not None
    assert receipt.ok
    assert receipt.paid(VITALIK, plain) == 0


async def test_what_would_fail_is_refused_before_it_is_signed(bench: EvmBench) -> None:
    refuser = await bench.devchain.deploy("payee", "bool", True)
    with pytest.raises(RefusedError, match="takes no coin"):
        await bench.chain.build(await bench.order(refuser, 5))
    plain = await bench.devchain.deploy_token("USDT", 6, 10**15)
    with pytest.raises(RefusedError, match="revert"):
        await bench.chain.build(await bench.token_order(plain, VITALIK, 5))


async def test_refusals_of_a_real_node_are_told_apart(bench: EvmBench) -> None:
    devchain = bench.devchain
    order = await bench.order(VITALIK, ETHER)
    unsigned = await bench.chain.build(order)
    fields = unsigned.fields
    assert isinstance(fields, EvmUnsigned)

    async def outcome(**changed: int) -> SendOutcome:
        values = {name: getattr(fields, name) for name in fields.__struct_fields__} | changed
        made = EvmUnsigned(**values)
        signed = bench.sign(Unsigned(slots=order.slots, max_cost=0, fields=made))
        return (await bench.chain.send(signed)).outcome

    assert await outcome() is SendOutcome.ACCEPTED
    assert await outcome() is SendOutcome.ALREADY_KNOWN
    assert await outcome(value=1) is SendOutcome.UNDERPRICED
    assert await outcome(nonce=1, value=5000 * ETHER) is SendOutcome.INSUFFICIENT_FUNDS
    assert await outcome(nonce=1, gas=20_000) is SendOutcome.REFUSED
    await devchain.mine()
    assert await outcome(value=1) is SendOutcome.SLOT_USED


@pytest.mark.parametrize(
    "words, outcome",
    [
        ("already known", SendOutcome.ALREADY_KNOWN),
        ("AlreadyKnown", SendOutcome.ALREADY_KNOWN),
        ("Known transaction", SendOutcome.ALREADY_KNOWN),
        ("nonce too low: next nonce 5, tx nonce 3", SendOutcome.SLOT_USED),
        ("OldNonce", SendOutcome.SLOT_USED),
        ("replacement transaction underpriced", SendOutcome.UNDERPRICED),
        ("max fee per gas less than block base fee", SendOutcome.UNDERPRICED),
        ("FeeTooLow, EffectivePriorityFeePerGas too low", SendOutcome.UNDERPRICED),
        ("txpool is full", SendOutcome.UNDERPRICED),
        ("insufficient funds for gas * price + value", SendOutcome.INSUFFICIENT_FUNDS),
        ("Upfront cost exceeds account balance", SendOutcome.INSUFFICIENT_FUNDS),
        ("nonce too high", SendOutcome.SLOT_EARLY),
        ("intrinsic gas too low", SendOutcome.REFUSED),
        ("invalid chain id for signer", SendOutcome.REFUSED),
        ("internal error", SendOutcome.UNKNOWN),
        ("", SendOutcome.UNKNOWN),
    ],
)
def test_what_nodes_say(words: str, outcome: SendOutcome) -> None:
    assert classify(words) is outcome


async def test_the_slot_of_a_hand_sent_transaction_is_found(bench: EvmBench) -> None:
    """Somebody used the hot key by hand: what took each nonce can be read."""
    devchain = bench.devchain
    account = devchain.accounts[4]
    sent = []
    for gap in (0, 3, 1, 7):
        sent.append(await devchain.pay(VITALIK, 1, account=4))
        await devchain.mine(1 + gap)
    for nonce, tx_id in enumerate(sent):
        assert await bench.chain.transaction_in_slot(lane_slot(account, nonce)) == tx_id
    assert await bench.chain.transaction_in_slot(lane_slot(account, 4)) is None
    assert await bench.chain.next_nonce(account) == 4


async def test_fees_stay_below_the_cap(bench: EvmBench, devchain: DevChain) -> None:
    await devchain.rpc("anvil_setNextBlockBaseFeePerGas", hex(400 * 10**9))
    await devchain.mine()
    quote = await bench.chain.fee_quote()
    assert quote.most == 500 * 10**9
    assert not quote.spiked
    await devchain.rpc("anvil_setNextBlockBaseFeePerGas", hex(900 * 10**9))
    await devchain.mine()
    quote = await bench.chain.fee_quote()
    assert quote.most == 500 * 10**9
    assert quote.spiked


async def test_another_chain_is_not_believed(devchain: DevChain) -> None:
    chain = EvmChain(settings_of(devchain, chain_id=1), SystemClock())
    with pytest.raises(UnknownError, match="serves chain 31337, not 1"):
        await chain.head()
    assert [verdict.health for verdict in chain.verdicts()] == [Health.UNREACHABLE]
    await chain.close()


async def test_an_address_with_a_key_in_it_is_not_told(devchain: DevChain) -> None:
    url = f"{devchain.url}/v3/secret-key"
    settings = settings_of(devchain)
    settings = replace(settings, endpoints=(EndpointSettings(name="dev", url=url),))
    assert "secret-key" not in repr(settings)
    chain = EvmChain(settings, SystemClock())
    with pytest.raises(UnknownError, match="HTTP 404") as caught:
        await chain.head()
    assert "secret-key" not in str(caught.value) + str(chain.verdicts())
    await chain.close()


async def test_a_dead_node_is_unreachable_and_returns(bench: EvmBench, devchain: DevChain) -> None:
    await devchain.stop()
    with pytest.raises(UnknownError):
        await bench.chain.head()
    assert [verdict.health for verdict in bench.chain.verdicts()] == [Health.UNREACHABLE]
    await devchain.start()
    assert (await bench.chain.head()).number == 0


def test_addresses_have_one_form() -> None:
    assert canonical_address(VITALIK.lower()) == VITALIK
    assert canonical_address("0x" + VITALIK[2:].upper()) == VITALIK
    with pytest.raises(AddressError, match="checksum"):
        canonical_address(VITALIK.replace("d8dA", "d8da"))


async def test_the_tokens_own_contract_is_no_payee(devchain: DevChain) -> None:
    token = await devchain.deploy_token("USDT", 6, 10**15)
    chain = EvmChain(settings_of(devchain, (token,)), SystemClock())
    with pytest.raises(AddressError, match="own contract"):
        chain.valid_address(token.lower())
    await chain.close()


async def test_many_balances_of_coin_and_token_in_one_call(bench: EvmBench) -> None:
    devchain = bench.devchain
    token = await devchain.deploy_token("USDT", 6, 10**15)
    asked = [str(Account.from_key(number.to_bytes(32, "big")).address) for number in range(1, 1602)]
    held = {0: 1, 749: 255, 750: 2**40, 1_500: 256, 1_600: 3}
    for place, units in held.items():
        await devchain.pay_token(token, asked[place], units)
        await devchain.pay(asked[place], ETHER + units)
    await devchain.mine()
    block = await bench.chain.head()
    await devchain.pay_token(token, asked[5], 1)
    await devchain.mine()
    for contract, more in ((token, 0), ("", ETHER)):
        found = await bench.chain.balances(asked, contract, block)
        assert {place: units for place, units in enumerate(found) if units} == {
            place: units + more for place, units in held.items()
        }
        for place in (0, 1, 1_600):
            assert found[place] == await bench.chain.balance(asked[place], contract, block)


async def test_what_is_no_token_has_no_balances(bench: EvmBench) -> None:
    head = await bench.chain.head()
    with pytest.raises(UnknownError, match="no token"):
        await bench.chain.balances((VITALIK,), HOT.address, head)
