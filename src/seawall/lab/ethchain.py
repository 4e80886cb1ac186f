"""A small EVM chain in Python, on py-evm.  The rule: it says what a real node would say.

It serves where Anvil cannot be had.  py-evm runs the contracts and keeps the state; blocks, the
pool of waiting transactions and reorganisations are here.  Blocks come when they are asked for,
and nothing is final: whoever asks may replace any of them.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import eth.constants as k
from eth.abc import (
    BlockHeaderAPI,
    ComputationAPI,
    ReceiptAPI,
    SignedTransactionAPI,
    VirtualMachineAPI,
)
from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.exceptions import PyEVMError, Revert, VMError
from eth.vm.forks.london.headers import calculate_expected_base_fee_per_gas
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_account import Account
from eth_typing import Address, Hash32
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from seawall.lab.ethchain_documents import (
    block_document,
    number_of,
    receipt_document,
    transaction_document,
)
from seawall.lab.ethchain_store import ChainStore, Document

GAS_LIMIT: Final = 30_000_000
BASE_FEE: Final = 10**9
TIP: Final = 10**9
REPLACING_PER_CENT: Final = 10
POOL_MOST: Final = 10_000
_ERROR_STRING: Final = bytes.fromhex("08c379a0")


class CallError(Exception):
    """A call that is refused, with the code and the words a node would use."""

    def __init__(self, message: str, code: int = -32000, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction in the pool."""

    raw: bytes
    transaction: SignedTransactionAPI
    sender: Address
    tx_id: str

    @property
    def nonce(self) -> int:
        return self.transaction.nonce

    @property
    def most(self) -> int:
        return self.transaction.max_fee_per_gas

    @property
    def tip(self) -> int:
        return self.transaction.max_priority_fee_per_gas


class EthChain:
    """Blocks, state and pool."""

    def __init__(
        self, store: ChainStore, *, chain_id: int, wealth: dict[Address, int], at_s: int
    ) -> None:
        self.store = store
        self.chain_id = chain_id
        self.next_base_fee: int | None = None
        """What the next block asks, once, instead of what follows from the last one."""
        self._pool: dict[tuple[Address, int], Waiting] = {}
        kind: Any = MiningChain.configure(
            __name__="EmbeddedChain", vm_configuration=((0, PragueVM),), chain_id=chain_id
        )
        database = AtomicDB(store)
        if store.head() is None:
            store.begin()
            self._evm: MiningChain = kind.from_genesis(
                database, _genesis(at_s), {account: _owner(units) for account, units in
                                           wealth.items()},
            )  # fmt: skip
            store.add_block(block_document(self._evm.get_canonical_head(), []))
            store.commit()
        else:
            self._evm = kind(database)

    # Reading

    @property
    def head(self) -> Document:
        head = self.store.head()
        if head is None:
            raise CallError("there is no block")
        return head

    def state(self, block: Document) -> Any:
        """Return the state after a block."""
        return self._machine(self._header(block)).state

    def nonce(self, account: Address, block: Document) -> int:
        return int(self.state(block).get_nonce(account))

    def pending_nonce(self, account: Address) -> int:
        """Return the first nonce that neither the chain nor the pool uses."""
        nonce = self.nonce(account, self.head)
        while (account, nonce) in self._pool:
            nonce += 1
        return nonce

    def waiting(self, tx_id: str) -> Waiting | None:
        return next((one for one in self._pool.values() if one.tx_id == tx_id), None)

    def base_fee_after(self, block: Document) -> int:
        """Return what the block after this one asks, or is told to ask."""
        if self.next_base_fee is not None and block["hash"] == self.head["hash"]:
            return self.next_base_fee
        return calculate_expected_base_fee_per_gas(self._header(block))

    def _header(self, block: Document) -> BlockHeaderAPI:
        return self._evm.get_block_header_by_hash(Hash32(bytes.fromhex(block["hash"][2:])))

    def _machine(self, header: BlockHeaderAPI) -> VirtualMachineAPI:
        return self._evm.get_vm(header)

    # Calling without a transaction

    def call(self, sender: Address, to: bytes, value: int, data: bytes, block: Document) -> bytes:
        """Return what a contract answers after a block."""
        spoofed, header = self._spoofed(sender, to, value, data, block)
        with _refusing():
            return bytes(self._evm.get_transaction_result(spoofed, header))

    def gas(self, sender: Address, to: bytes, value: int, data: bytes, block: Document) -> int:
        """Return what a call would use, within a few thousand."""
        spoofed, header = self._spoofed(sender, to, value, data, block)
        if self.state(block).get_balance(sender) < value:
            raise CallError("insufficient funds for transfer")
        with _refusing():
            return int(self._evm.estimate_gas(spoofed, header))

    def _spoofed(
        self, sender: Address, to: bytes, value: int, data: bytes, block: Document
    ) -> tuple[Any, BlockHeaderAPI]:
        header = self._header(block)
        unsigned = self._machine(header).create_unsigned_transaction(
            nonce=self.nonce(sender, block), gas_price=0, gas=GAS_LIMIT,
            to=Address(to), value=value, data=data,
        )  # fmt: skip
        return SpoofTransaction(unsigned, from_=sender), header

    # The pool

    def send(self, raw: bytes) -> str:
        """Take signed bytes into the pool, or refuse them; return their id."""
        taken = self._read(raw)
        if self.waiting(taken.tx_id) is not None:
            raise CallError("already known")
        self._check(taken)
        place = (taken.sender, taken.nonce)
        there = self._pool.get(place)
        if there is not None and not _outbids(taken, there):
            raise CallError("replacement transaction underpriced")
        if there is None and len(self._pool) >= POOL_MOST:
            raise CallError("txpool is full")
        self._pool[place] = taken
        return taken.tx_id

    def _read(self, raw: bytes) -> Waiting:
        try:
            builder = self._machine(self._header(self.head)).get_transaction_builder()
            transaction = builder.decode(raw)
            sender = transaction.sender
        except (RLPException, PyEVMError, ValidationError, ValueError, IndexError, TypeError):
            raise CallError("failed to decode signed transaction") from None
        if transaction.chain_id not in (None, self.chain_id):
            raise CallError("invalid chain id for signer")
        return Waiting(
            raw=raw, transaction=transaction, sender=sender, tx_id="0x" + transaction.hash.hex()
        )

    def _check(self, taken: Waiting) -> None:
        transaction, state = taken.transaction, self.state(self.head)
        if taken.nonce < state.get_nonce(taken.sender):
            raise CallError("nonce too low")
        if taken.tip > taken.most:
            raise CallError("max priority fee per gas higher than max fee per gas")
        if transaction.gas < transaction.intrinsic_gas:
            raise CallError("intrinsic gas too low")
        if transaction.gas > GAS_LIMIT:
            raise CallError("exceeds block gas limit")
        if state.get_balance(taken.sender) < transaction.value + transaction.gas * taken.most:
            raise CallError("insufficient funds for gas * price + value")

    # Blocks

    def mine(
        self,
        at_s: int,
        content: Sequence[Waiting] | None = None,
        balances: dict[Address, int] | None = None,
    ) -> None:
        """Add a block: of the pool, or of the given transactions; balances are set before them."""
        self.store.begin()
        try:
            self._mine(at_s, content, balances or {})
        except BaseException:
            self.store.undo()
            raise
        self.store.commit()
        state = self.state(self.head)
        self._pool = {
            place: one
            for place, one in self._pool.items()
            if one.nonce >= state.get_nonce(place[0])
        }

    def _mine(
        self, at_s: int, content: Sequence[Waiting] | None, balances: dict[Address, int]
    ) -> None:
        header = self._next_header(at_s)
        machine = self._machine(header)
        for account, units in balances.items():
            machine.state.set_balance(account, units)
        done: list[tuple[Waiting, ReceiptAPI, ComputationAPI]] = []
        base = header.base_fee_per_gas or 0
        for one in self._by_price(machine, base) if content is None else content:
            if header.gas_used + one.transaction.gas > GAS_LIMIT or one.most < base:
                continue
            try:
                receipt, computation = machine.apply_transaction(header, one.transaction)
            except ValidationError:
                # Its nonce or its balance went to another one meanwhile: it waits, or is dropped.
                continue
            header = machine.add_receipt_to_header(header, receipt)
            done.append((one, receipt, computation))
        block = machine.set_block_transactions_and_withdrawals(
            machine.get_block(), header,
            [one.transaction for one, _, _ in done], [receipt for _, receipt, _ in done],
        )  # fmt: skip
        # Not `mine_block`: it would refuse a base fee that somebody ordered.
        mined = machine.finalize_block(machine.pack_block(block)).block.header
        self._evm.chaindb.persist_header(mined)
        self._keep(mined, done)

    def _next_header(self, at_s: int) -> BlockHeaderAPI:
        parent = self._header(self.head)
        header = self._evm.create_header_from_parent(
            parent, timestamp=max(at_s, parent.timestamp + 1), gas_limit=GAS_LIMIT
        )
        # Two blocks of the same content at one height differ by this.
        header = header.copy(mix_hash=os.urandom(32))
        if self.next_base_fee is not None:
            header = header.copy(base_fee_per_gas=self.next_base_fee)
            self.next_base_fee = None
        return header

    def _by_price(self, machine: VirtualMachineAPI, base: int) -> Iterator[Waiting]:
        """Yield who pays best first; of one account, the nonces in their order."""
        ready: dict[Address, Waiting] = {}
        for sender in {place[0] for place in self._pool}:
            first = self._pool.get((sender, machine.state.get_nonce(sender)))
            if first is not None:
                ready[sender] = first
        while ready:
            best = max(ready.values(), key=lambda one: (min(one.tip, one.most - base), one.tx_id))
            yield best
            del ready[best.sender]
            after = self._pool.get((best.sender, best.nonce + 1))
            if after is not None and machine.state.get_nonce(best.sender) == after.nonce:
                ready[best.sender] = after

    def _keep(
        self, header: BlockHeaderAPI, done: list[tuple[Waiting, ReceiptAPI, ComputationAPI]]
    ) -> None:
        self.store.add_block(block_document(header, [one.tx_id for one, _, _ in done]))
        used = logs = 0
        for place, (one, receipt, computation) in enumerate(done):
            body = transaction_document(one.transaction, one.sender, header, place)
            created = computation.msg.storage_address if computation.msg.is_create else None
            told = receipt_document(body, receipt, used, logs, created)
            self.store.add_transaction("0x" + one.raw.hex(), body, told)
            used, logs = receipt.gas_used, logs + len(receipt.logs)

    def reorganise(self, depth: int, keep: dict[int, list[bytes]], at_s: int) -> None:
        """Replace the newest blocks by as many others, which hold only what is to be kept."""
        base = number_of(self.head) - depth
        if depth < 1 or base < 0:
            raise CallError(f"no {depth} blocks can be replaced", -32602)
        content = {place: [self._read(raw) for raw in raws] for place, raws in keep.items()}
        self.store.cut_above(base)
        for place in range(depth):
            self.mine(at_s, content.get(place, []))


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turn what the machine raises into a node's words."""
    try:
        yield
    except Revert as error:
        data = error.args[0] if error.args and isinstance(error.args[0], bytes) else b""
        raise CallError(_reason(data), 3, "0x" + data.hex()) from None
    except (VMError, ValidationError) as error:
        raise CallError(f"execution failed: {error}") from None


def _reason(data: bytes) -> str:
    if data[:4] == _ERROR_STRING:
        try:
            return f"execution reverted: {decode(['string'], data[4:])[0]}"
        except (DecodingError, UnicodeDecodeError):
            return "execution reverted"
    return "execution reverted"


def _outbids(new: Waiting, old: Waiting) -> bool:
    """Whether a replacement pays enough more, by both its prices."""
    return all(
        asked * 100 >= had * (100 + REPLACING_PER_CENT)
        for asked, had in ((new.most, old.most), (new.tip, old.tip))
    )


def _owner(units: int) -> Any:
    return {"balance": units, "nonce": 0, "code": b"", "storage": {}}


def _genesis(at_s: int) -> dict[str, Any]:
    return {
        "base_fee_per_gas": BASE_FEE,
        "coinbase": k.ZERO_ADDRESS,
        "difficulty": k.POST_MERGE_DIFFICULTY,
        "extra_data": b"",
        "gas_limit": GAS_LIMIT,
        "mix_hash": k.POST_MERGE_MIX_HASH,
        "nonce": k.POST_MERGE_NONCE,
        "receipt_root": k.BLANK_ROOT_HASH,
        "timestamp": at_s,
        "transaction_root": k.BLANK_ROOT_HASH,
    }


def sign(fields: dict[str, Any], key: bytes) -> bytes:
    """Return the signed bytes of a transaction from an account whose key is known here."""
    return bytes(Account.sign_transaction(fields, key).raw_transaction)
