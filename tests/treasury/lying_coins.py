"""A UTXO chain made of data, and endpoints that lie about it.  The rule: real bytes, one history.

As lying_chain.py, whose blocks, reorganisations and manners it shares; but what is sent are signed
transactions, and the chain checks their signatures against what the coins are really worth.
"""

from collections.abc import Collection, Sequence
from hashlib import sha256

from embit import ec
from embit.script import p2pkh_from_p2wpkh, p2wpkh
from embit.transaction import Transaction as Bytes
from tests.treasury.lying_chain import (
    BLOCK_MS,
    Manner,
    SimulatedChain,
    SimulatedEndpoint,
    Transaction,
    _Mined,
)

from seawall.treasury.chain import (
    Block,
    Coin,
    Decoded,
    FeeQuote,
    Payment,
    PaymentOrder,
    Receipt,
    SendOutcome,
    SendResult,
    Unsigned,
    coin_slot,
)
from seawall.treasury.compared import ComparedChain, EndpointError, MissingError
from seawall.treasury.endpoints import Terms
from seawall.treasury.utxo_bytes import address_of, canonical_address, decode_signed, script_of
from seawall.treasury.utxo_coins import pay

PREFIX = "rltc"
PRICE = 10_000


class Spending(Transaction, frozen=True, kw_only=True):
    """A transaction of coins; one of a stranger spends nothing of ours, and needs no bytes."""

    raw: str = ""
    spends: tuple[str, ...] = ()
    outputs: tuple[tuple[str, int], ...] = ()
    fee: int = 0
    price: int = 10**9

    @property
    def tx_id(self) -> str:
        if self.raw:
            return str(Bytes.parse(bytes.fromhex(self.raw)).txid().hex())
        return sha256(f"{self.outputs} {self.salt}".encode()).hexdigest()

    def payments(self) -> tuple[Payment, ...]:
        return tuple(
            Payment(
                tx_id=self.tx_id, output=number, address=address, contract="",
                units=units, stated_units=units,
            )
            for number, (address, units) in enumerate(self.outputs)
        )  # fmt: skip


class CoinSimulation(SimulatedChain):
    """The truth."""

    def __init__(self) -> None:
        super().__init__()
        self.coins: dict[str, dict[str, Coin]] = {"g": {}}

    def give(self, address: str, units: int) -> Spending:
        """Let a stranger pay; it stands in the next block."""
        self._salt += 1
        made = Spending(
            source="stranger", payee=address, units=units, outputs=((address, units),),
            salt=self._salt,
        )  # fmt: skip
        self.pool[made.tx_id] = made
        return made

    @property
    def unspent(self) -> dict[str, Coin]:
        return self.coins[self.head.id]

    def offer(self, signed: bytes) -> SendOutcome:
        """Take signed bytes into the pool as a node would."""
        tx_id = Bytes.parse(signed).txid().hex()
        if tx_id in self.pool or self.find(tx_id) is not None:
            return SendOutcome.ALREADY_KNOWN
        spends = decode_signed(signed, PREFIX).slots
        coins = [self.unspent.get(slot) for slot in spends]
        known = [coin for coin in coins if coin is not None]
        if len(known) < len(coins):
            return SendOutcome.SLOT_USED
        sent = _read(signed, spends, known)
        if sent is None:
            return SendOutcome.REFUSED
        rivals = [
            each
            for each in self.pool.values()
            if isinstance(each, Spending) and set(each.spends) & set(spends)
        ]
        # BIP125: dearer by the price of relaying it, and not cheaper per byte.
        if any(sent.fee <= each.fee or sent.price <= each.price for each in rivals):
            return SendOutcome.UNDERPRICED
        for rival in rivals:
            del self.pool[rival.tx_id]
        self.pool[sent.tx_id] = sent
        return SendOutcome.ACCEPTED

    def _mine_one(self, least_per_gas: int) -> None:
        parent = self.tip
        self._salt += 1
        self.clock.set(self.clock.now_ns() + BLOCK_MS * 1_000_000)
        number = parent.block.number + 1
        name = sha256(f"{parent.block.id}/{self._salt}".encode()).hexdigest()[:16]
        block = Block(number=number, id=name, parent_id=parent.block.id, at_ns=self.clock.now_ns())
        mined = _Mined(block, parent, [])
        coins = dict(self.coins[parent.block.id])
        waiting = [each for each in self.pool.values() if isinstance(each, Spending)]
        for each in sorted(waiting, key=lambda one: (-one.price, one.tx_id)):
            if each.price >= least_per_gas and all(slot in coins for slot in each.spends):
                self._take(each, coins, number)
                mined.content.append(each)
        self.pool = {
            each.tx_id: each
            for each in waiting
            if each not in mined.content and all(slot in coins for slot in each.spends)
        }
        self.coins[name] = coins
        self.tip = mined
        self.line.append(mined)
        self.known[name] = mined

    @staticmethod
    def _take(sent: Spending, coins: dict[str, Coin], number: int) -> None:
        for slot in sent.spends:
            del coins[slot]
        for output, (address, units) in enumerate(sent.outputs):
            slot = coin_slot(sent.tx_id, output)
            script = script_of(address, PREFIX).hex()
            coins[slot] = Coin(slot=slot, address=address, script=script, units=units, block=number)

    def paid(self, address: str) -> list[tuple[str, int]]:
        """Return every payment to an address in the longest chain: what an auditor compares."""
        return [
            (payment.tx_id, payment.units)
            for mined in self.tip.path()
            for payment in _payments(mined)
            if payment.address == address
        ]


def _read(signed: bytes, spends: tuple[str, ...], coins: list[Coin]) -> Spending | None:
    """Return the transaction if every signature is right for what its coin is worth."""
    found = Bytes.parse(signed)
    for place, (spent, coin) in enumerate(zip(found.vin, coins, strict=True)):
        signature, public = spent.witness.items
        key = ec.PublicKey.parse(public)
        digest = found.sighash_segwit(place, p2pkh_from_p2wpkh(p2wpkh(key)), coin.units)
        right = p2wpkh(key).data.hex() == coin.script
        if not right or not key.verify(ec.Signature.parse(signature[:-1]), digest):
            return None
    outputs = tuple(
        (address_of(bytes(each.script_pubkey.data), PREFIX), int(each.value)) for each in found.vout
    )
    fee = sum(coin.units for coin in coins) - sum(units for _, units in outputs)
    if fee < 0:
        return None
    bare = len(signed) - 2 - sum(len(spent.witness.serialize()) for spent in found.vin)
    vbytes = (3 * bare + len(signed)) // 4
    return Spending(
        source=coins[0].address, payee=outputs[0][0], units=outputs[0][1], raw=signed.hex(),
        spends=spends, outputs=outputs, fee=fee, price=fee * 1000 // vbytes,
    )  # fmt: skip


def _payments(mined: _Mined) -> list[Payment]:
    return [
        payment
        for sent in mined.content
        if isinstance(sent, Spending)
        for payment in sent.payments()
    ]


class CoinEndpoint(SimulatedEndpoint):
    """One endpoint; a lie about nonces is one about which coins there are."""

    def __init__(self, name: str, chain: CoinSimulation) -> None:
        super().__init__(name, chain)
        self.simulation = chain

    async def payments(self, block: Block, addresses: Collection[str]) -> tuple[Payment, ...]:
        self._enter("payments")
        found = [each for each in _payments(self._have(block)) if each.address in addresses]
        if self.manner is Manner.HIDES_PAYMENTS:
            return ()
        if self.manner is Manner.INVENTS_PAYMENTS and addresses:
            invented = Payment(
                tx_id="fe" * 32, output=0, address=min(addresses), contract="",
                units=10**9, stated_units=10**9,
            )  # fmt: skip
            return (*found, invented)
        return tuple(found)

    async def coins_at(self, addresses: frozenset[str], block: Block) -> tuple[Coin, ...]:
        self._enter("coins")
        mined = self._have(block)
        if block.number != self._height():
            raise MissingError("knows the outputs of its newest block only")
        coins = self.simulation.coins[mined.block.id].values()
        found = sorted(
            (each for each in coins if each.address in addresses), key=lambda each: each.slot
        )
        if self.manner is Manner.LIES_ABOUT_NONCES:
            return tuple(found[1:])
        if self.manner is Manner.LIES_ABOUT_BALANCES and found:
            first, *rest = found
            lie = Coin(
                slot=first.slot, address=first.address, script=first.script,
                units=first.units + 1, block=first.block,
            )  # fmt: skip
            return (lie, *rest)
        return tuple(found)

    async def fee_quote(self) -> FeeQuote:
        self._enter("fee")
        return FeeQuote(base=1_000, tip=PRICE - 1_000, most=PRICE)

    async def receipt(self, tx_id: str) -> Receipt | None:
        self._enter("receipt")
        found = self.chain.find(tx_id)
        if found is None or found[0].block.number > self._height():
            return None
        mined, sent = found
        assert isinstance(sent, Spending)
        block = self._shown(mined.block)
        lies = self.manner is Manner.LIES_ABOUT_RECEIPTS
        return Receipt(
            tx_id=tx_id, block=block.number, block_id=block.id, ok=not lies, cost=sent.fee,
            payments=() if lies else sent.payments(),
        )  # fmt: skip

    async def slot_user(self, slot: str, head: Block) -> str | None:
        self._enter("slot")
        for mined in self._have(head).path():
            for sent in mined.content:
                if isinstance(sent, Spending) and slot in sent.spends:
                    return sent.tx_id
        return None

    async def send(self, signed: bytes) -> SendResult:
        self._enter("send")
        tx_id = decode_signed(signed, PREFIX).tx_id
        if self.manner is Manner.SWALLOWS:
            return SendResult(outcome=SendOutcome.ACCEPTED, tx_id=tx_id)
        outcome = self.simulation.offer(signed)
        if self.manner is Manner.TAKES_SILENTLY:
            raise EndpointError("timed out")
        return SendResult(outcome=outcome, tx_id=tx_id)


class CoinNetwork(ComparedChain):
    """The simulated chain behind the ports, through all its endpoints."""

    def __init__(self, chain: CoinSimulation, endpoints: Sequence[CoinEndpoint]) -> None:
        self.nodes = {each.name: each for each in endpoints}
        terms = Terms(quorum=2, block_ms=BLOCK_MS)
        super().__init__("SIM", list(endpoints), terms, chain.clock)

    @property
    def prefix(self) -> str:
        return PREFIX

    async def coins_at(self, addresses: Collection[str], block: Block) -> list[Coin]:
        wanted = frozenset(addresses)
        found = await self._bound(
            f"coins at block {block.id}",
            lambda one: self.nodes[one.name].coins_at(wanted, block),
        )
        return list(found)

    async def build(self, order: PaymentOrder, taken: Collection[str] = ()) -> Unsigned:
        found = await self.coins_at({order.source}, await self.head())
        return pay(order, [coin for coin in found if coin.slot not in taken], PREFIX)

    def decode(self, signed: bytes) -> Decoded:
        return decode_signed(signed, PREFIX)

    def valid_address(self, text: str) -> str:
        return canonical_address(text, PREFIX)
