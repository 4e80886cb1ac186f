"""A chain made of data, and endpoints that lie about it.  The rule: one seed, one history.

`SimulatedChain` mines, reorganises and remembers every block's state.  `SimulatedEndpoint` shows it
as compared.Endpoint does, honestly or in one of the ways of `Manner`.  `SimulatedNetwork` is the
whole of it behind the `Chain` port.
"""

from collections.abc import Collection, Iterable, Sequence
from enum import Enum, auto
from hashlib import sha256

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from seawall.node.clock import Clock, ManualClock
from seawall.treasury.chain import (
    AddressError,
    Block,
    Coin,
    Decoded,
    EvmUnsigned,
    FeeQuote,
    Payment,
    PaymentOrder,
    Receipt,
    RefusedError,
    SendOutcome,
    SendResult,
    Unsigned,
    lane_slot,
    parse_lane_slot,
)
from seawall.treasury.compared import ComparedChain, EndpointError, MissingError
from seawall.treasury.endpoints import Terms

BLOCK_MS = 1000
GAS = 21_000


class Transaction(Struct, frozen=True, kw_only=True):
    """A signed payment.  One without a nonce comes from a stranger, who can always pay."""

    source: str
    nonce: int = -1
    payee: str
    contract: str = ""
    units: int
    arrives: int = -1
    """What arrives, if the token takes a fee; -1: all of it."""
    ok: bool = True
    most_per_gas: int = 10
    salt: int = 0

    @property
    def signed(self) -> bytes:
        return msgspec.json.encode(self)

    @property
    def tx_id(self) -> str:
        return "0x" + sha256(self.signed).hexdigest()

    @property
    def arriving(self) -> int:
        return self.units if self.arrives < 0 else self.arrives


class _Mined:
    """A block, what is in it, and how things stand after it."""

    def __init__(self, block: Block, parent: "_Mined | None", content: list[Transaction]) -> None:
        self.block = block
        self.parent = parent
        self.content = content
        self.balances: dict[tuple[str, str], int] = dict(parent.balances) if parent else {}
        self.nonces: dict[str, int] = dict(parent.nonces) if parent else {}
        self.failed: set[str] = set()

    def path(self) -> Iterable["_Mined"]:
        """Yield this block and those before it, newest first."""
        at: _Mined | None = self
        while at is not None:
            yield at
            at = at.parent


class SimulatedChain:
    """The truth."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock(1_700_000_000_000_000_000)
        genesis = Block(number=0, id="g", parent_id="", at_ns=self.clock.now_ns())
        self.tip = _Mined(genesis, None, [])
        self.known: dict[str, _Mined] = {"g": self.tip}
        self.line: list[_Mined] = [self.tip]
        self.pool: dict[str, Transaction] = {}
        self.contracts: set[str] = set()
        self._salt = 0

    @property
    def head(self) -> Block:
        return self.tip.block

    def at(self, number: int) -> _Mined | None:
        """Return the longest chain's block at a height."""
        return self.line[number] if 0 <= number < len(self.line) else None

    def fund(self, address: str, units: int, contract: str = "") -> Transaction:
        """Let a stranger pay; it stands in the next block."""
        return self.pay("stranger", address, units, contract)

    def pay(
        self, source: str, payee: str, units: int, contract: str = "", *, arrives: int = -1
    ) -> Transaction:
        self._salt += 1
        made = Transaction(
            source=source,
            payee=payee,
            units=units,
            contract=contract,
            arrives=arrives,
            salt=self._salt,
        )
        self.pool[made.tx_id] = made
        return made

    def submit(self, sent: Transaction) -> SendOutcome:
        """Take a transaction into the pool as a node would."""
        if sent.tx_id in self.pool or self.find(sent.tx_id) is not None:
            return SendOutcome.ALREADY_KNOWN
        if sent.nonce < self.tip.nonces.get(sent.source, 0):
            return SendOutcome.SLOT_USED
        if self.tip.balances.get((sent.source, ""), 0) < _most(sent):
            return SendOutcome.INSUFFICIENT_FUNDS
        for rival in list(self.pool.values()):
            if (rival.source, rival.nonce) == (sent.source, sent.nonce):
                if sent.most_per_gas * 100 < rival.most_per_gas * 110:
                    return SendOutcome.UNDERPRICED
                del self.pool[rival.tx_id]
        self.pool[sent.tx_id] = sent
        return SendOutcome.ACCEPTED

    def mine(self, blocks: int = 1, *, least_per_gas: int = 0) -> Block:
        """Add blocks; the first takes all of the pool that can go in."""
        for _ in range(blocks):
            self._mine_one(least_per_gas)
        return self.head

    def _mine_one(self, least_per_gas: int) -> None:
        parent = self.tip
        self._salt += 1
        self.clock.set(self.clock.now_ns() + BLOCK_MS * 1_000_000)
        number = parent.block.number + 1
        name = sha256(f"{parent.block.id}/{self._salt}".encode()).hexdigest()[:16]
        block = Block(number=number, id=name, parent_id=parent.block.id, at_ns=self.clock.now_ns())
        mined = _Mined(block, parent, [])
        for waiting in sorted(self.pool.values(), key=lambda one: (one.source, one.nonce)):
            if waiting.most_per_gas >= least_per_gas and self._apply(mined, waiting):
                mined.content.append(waiting)
        self.pool = {
            tx_id: waiting
            for tx_id, waiting in self.pool.items()
            if waiting not in mined.content
            and (waiting.nonce < 0 or waiting.nonce >= mined.nonces.get(waiting.source, 0))
        }
        self.tip = mined
        self.line.append(mined)
        self.known[name] = mined

    @staticmethod
    def _apply(mined: _Mined, sent: Transaction) -> bool:
        balances = mined.balances
        coin, spent = (sent.source, ""), (sent.source, sent.contract)
        if sent.nonce >= 0:
            if sent.nonce != mined.nonces.get(sent.source, 0):
                return False
            if balances.get(coin, 0) < _most(sent):
                return False
            mined.nonces[sent.source] = sent.nonce + 1
            balances[coin] = balances.get(coin, 0) - _cost(sent)
        if not sent.ok or (sent.nonce >= 0 and balances.get(spent, 0) < sent.units):
            mined.failed.add(sent.tx_id)
            return True
        if sent.nonce >= 0:
            balances[spent] = balances.get(spent, 0) - sent.units
        target = (sent.payee, sent.contract)
        balances[target] = balances.get(target, 0) + sent.arriving
        return True

    def reorganise(self, depth: int, *, drop: Collection[str] = (), longer_by: int = 1) -> None:
        """Replace the newest `depth` blocks; what was in them may be mined again, but `drop`."""
        depth = min(depth, self.head.number)
        removed: list[Transaction] = []
        for _ in range(depth):
            removed.extend(self.tip.content)
            assert self.tip.parent is not None
            self.tip = self.tip.parent
            self.line.pop()
        for back in removed:
            if back.tx_id not in drop:
                self.pool[back.tx_id] = back
        self.mine(depth + longer_by)

    def find(self, tx_id: str) -> tuple[_Mined, Transaction] | None:
        for mined in self.tip.path():
            for content in mined.content:
                if content.tx_id == tx_id:
                    return mined, content
        return None

    def payments_to(self, addresses: Collection[str]) -> list[tuple[Block, Payment]]:
        """Return every payment in the longest chain: what an auditor compares with."""
        return [
            (mined.block, payment)
            for mined in reversed(list(self.tip.path()))
            for payment in payments_in(mined, addresses)
        ]


def payments_in(mined: _Mined, addresses: Collection[str]) -> tuple[Payment, ...]:
    return tuple(
        _payment(content)
        for content in mined.content
        if content.tx_id not in mined.failed and content.payee in addresses and content.units > 0
    )


def _payment(content: Transaction) -> Payment:
    return Payment(
        tx_id=content.tx_id,
        output=1 if content.contract else 0,
        address=content.payee,
        contract=content.contract,
        units=content.arriving,
        stated_units=content.units,
        source=content.source,
    )


def _cost(sent: Transaction) -> int:
    return GAS * min(sent.most_per_gas, 10)


def _most(sent: Transaction) -> int:
    return GAS * sent.most_per_gas + (0 if sent.contract else sent.units)


class Manner(Enum):
    """How an endpoint shows the chain."""

    HONEST = auto()
    UNREACHABLE = auto()
    LAGGING = auto()
    """Six blocks behind."""
    STALLED = auto()
    """Stays at the block that was the head when it began."""
    FORKED = auto()
    """Every block above the fork has another id."""
    BOASTS = auto()
    """Claims a head that nobody has."""
    LIES_ABOUT_BALANCES = auto()
    LIES_ABOUT_RECEIPTS = auto()
    LIES_ABOUT_NONCES = auto()
    HIDES_PAYMENTS = auto()
    INVENTS_PAYMENTS = auto()
    TAKES_SILENTLY = auto()
    """Sending times out, though it took the bytes."""
    SWALLOWS = auto()
    """Says it took the bytes and drops them."""


class SimulatedEndpoint:
    """One endpoint; set `manner` to change its ways at any time."""

    def __init__(self, name: str, chain: SimulatedChain, manner: Manner = Manner.HONEST) -> None:
        self._name = name
        self.chain = chain
        self._manner = manner
        self._stuck = chain.head.number
        self.asked: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def manner(self) -> Manner:
        return self._manner

    @manner.setter
    def manner(self, manner: Manner) -> None:
        self._manner = manner
        self._stuck = self.chain.head.number

    def _enter(self, question: str) -> None:
        self.asked.append(question)
        if self._manner is Manner.UNREACHABLE:
            raise EndpointError("connection refused")

    def _height(self) -> int:
        number = self.chain.head.number
        match self._manner:
            case Manner.LAGGING:
                return max(number - 6, 0)
            case Manner.STALLED:
                return min(self._stuck, number)
            case _:
                return number

    def _shown(self, block: Block) -> Block:
        if self._manner is Manner.FORKED and block.number > self._stuck:
            parent = "f" if block.number > self._stuck + 1 else ""
            return replace(block, id=f"f{block.id}", parent_id=f"{parent}{block.parent_id}")
        return block

    def _have(self, block: Block) -> _Mined:
        mined = self.chain.known.get(block.id)
        on_path = mined is not None and self.chain.at(block.number) is mined
        if mined is None or not on_path or block.number > self._height():
            raise MissingError(f"has no block {block.id}")
        if self._shown(mined.block) != block:
            raise MissingError(f"has no block {block.id}")
        return mined

    async def head(self) -> Block:
        self._enter("head")
        found = self.chain.at(self._height())
        assert found is not None
        if self._manner is Manner.BOASTS:
            return Block(number=found.block.number + 1000, id="boast", parent_id="", at_ns=0)
        return self._shown(found.block)

    async def block(self, number: int) -> Block | None:
        self._enter("block")
        found = self.chain.at(number) if number <= self._height() else None
        return self._shown(found.block) if found else None

    async def payments(self, block: Block, addresses: Collection[str]) -> tuple[Payment, ...]:
        self._enter("payments")
        found = payments_in(self._have(block), addresses)
        if self._manner is Manner.HIDES_PAYMENTS:
            return ()
        if self._manner is Manner.INVENTS_PAYMENTS and addresses:
            invented = Payment(
                tx_id="0xfeed",
                output=0,
                address=min(addresses),
                contract="",
                units=10**18,
                stated_units=10**18,
            )
            return (*found, invented)
        return found

    async def balance(self, address: str, contract: str, block: Block) -> int:
        self._enter("balance")
        units = self._have(block).balances.get((address, contract), 0)
        return units + (self._manner is Manner.LIES_ABOUT_BALANCES)

    async def balances(
        self, addresses: Sequence[str], contract: str, block: Block
    ) -> tuple[int, ...]:
        self._enter("balances")
        held = self._have(block).balances
        lie = self._manner is Manner.LIES_ABOUT_BALANCES
        return tuple(held.get((address, contract), 0) + lie for address in addresses)

    async def nonce(self, address: str, block: Block) -> int:
        self._enter("nonce")
        nonce = self._have(block).nonces.get(address, 0)
        return nonce + (self._manner is Manner.LIES_ABOUT_NONCES)

    async def fee_quote(self) -> FeeQuote:
        self._enter("fee")
        return FeeQuote(base=8, tip=2, most=10)

    async def coins(self, address: str) -> tuple[Coin, ...]:
        self._enter("coins")
        return ()

    async def receipt(self, tx_id: str) -> Receipt | None:
        self._enter("receipt")
        found = self.chain.find(tx_id)
        if found is None or found[0].block.number > self._height():
            return None
        mined, sent = found
        lies = self._manner is Manner.LIES_ABOUT_RECEIPTS
        ok = tx_id not in mined.failed
        block = self._shown(mined.block)
        return Receipt(
            tx_id=tx_id,
            block=block.number,
            block_id=block.id,
            ok=ok is not lies,
            cost=_cost(sent),
            payments=(_payment(sent),) if ok else (),
        )

    async def receipts(self, tx_ids: Sequence[str]) -> tuple[Receipt | None, ...]:
        return tuple([await self.receipt(tx_id) for tx_id in tx_ids])

    async def slot_user(self, slot: str, head: Block) -> str | None:
        self._enter("slot")
        source, nonce = parse_lane_slot(slot)
        for mined in self._have(head).path():
            for sent in mined.content:
                if (sent.source, sent.nonce) == (source, nonce):
                    return sent.tx_id
        return None

    async def is_contract(self, address: str, block: Block) -> bool:
        self._enter("code")
        return address in self.chain.contracts

    async def send(self, signed: bytes) -> SendResult:
        self._enter("send")
        sent = msgspec.json.decode(signed, type=Transaction)
        if self._manner is Manner.SWALLOWS:
            return SendResult(outcome=SendOutcome.ACCEPTED, tx_id=sent.tx_id)
        outcome = self.chain.submit(sent)
        if self._manner is Manner.TAKES_SILENTLY:
            raise EndpointError("timed out")
        return SendResult(outcome=outcome, tx_id=sent.tx_id)

    async def close(self) -> None:
        return


class SimulatedNetwork(ComparedChain):
    """The simulated chain behind the `Chain` port, through three endpoints unless told."""

    def __init__(
        self,
        chain: SimulatedChain,
        endpoints: Collection[SimulatedEndpoint] = (),
        *,
        quorum: int = 2,
        network: str = "SIM",
        clock: Clock | None = None,
    ) -> None:
        self.chain = chain
        self.shown = list(endpoints) or [SimulatedEndpoint(name, chain) for name in "abc"]
        terms = Terms(quorum=quorum, block_ms=BLOCK_MS)
        super().__init__(network, self.shown, terms, clock or chain.clock)

    async def build(self, order: PaymentOrder, taken: Collection[str] = ()) -> Unsigned:
        if not order.slots:
            raise RefusedError("no slot")
        lane, nonce = parse_lane_slot(order.slots[0])
        return Unsigned(
            slots=order.slots,
            max_cost=GAS * order.quote.most,
            fields=EvmUnsigned(
                chain_id=1,
                source=lane,
                nonce=nonce,
                to=order.payee,
                value=order.units,
                data=order.contract,
                gas=GAS,
                tip_per_gas=order.quote.tip,
                most_per_gas=order.quote.most,
            ),
        )

    @staticmethod
    def sign(unsigned: Unsigned) -> Transaction:
        """Return what a signer would: here a signature is the bytes themselves."""
        fields = unsigned.fields
        assert isinstance(fields, EvmUnsigned)
        return Transaction(
            source=fields.source,
            nonce=fields.nonce,
            payee=fields.to,
            contract=fields.data,
            units=fields.value,
            most_per_gas=fields.most_per_gas,
        )

    def decode(self, signed: bytes) -> Decoded:
        try:
            sent = msgspec.json.decode(signed, type=Transaction)
        except msgspec.DecodeError as error:
            raise RefusedError(str(error)) from error
        return Decoded(
            tx_id=sent.tx_id,
            source=sent.source,
            slots=(lane_slot(sent.source, sent.nonce),),
            payee=sent.payee,
            contract=sent.contract,
            units=sent.units,
            max_cost=GAS * sent.most_per_gas,
            fee_price=sent.most_per_gas,
        )

    def valid_address(self, text: str) -> str:
        if not text or text != text.strip():
            raise AddressError("no address")
        return text
