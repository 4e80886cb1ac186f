"""What the treasury asks of a chain.  The rule: what is not known is not answered.

Units are integers of a coin's or token's smallest unit on chain; a contract is "" for the network's
own coin.  Whoever cannot answer, because endpoints are silent or disagree, raises UnknownError, and
nothing may be decided from that.  An answer about a block is bound to the block's id, not only to
its height.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from seawall.lib.invariants import invariant


class ChainError(Exception):
    """The base of what a chain's adapter raises."""


class UnknownError(ChainError):
    """No quorum of endpoints says the same; the message names who said what."""


class AddressError(ChainError, ValueError):
    """The text is no address that may be paid to; the message says why."""


class RefusedError(ChainError):
    """The payment as ordered cannot succeed now (it would revert, no coins cover it, …)."""


class Block(Struct, frozen=True, kw_only=True):
    number: int
    id: str
    parent_id: str
    at_ns: int
    """As its producer says."""


class Payment(Struct, frozen=True, kw_only=True):
    """Units that came to an address.  (tx_id, output) names it, whichever block it stands in.

    On an EVM network output 0 is the transaction's own value and output 1 + n its n-th log.
    """

    tx_id: str
    output: int
    address: str
    contract: str
    units: int
    """What arrived."""
    stated_units: int
    """What the token's log claims; more than `units` if the token took a fee."""
    source: str = ""
    """Who paid, where the chain says so."""


class Receipt(Struct, frozen=True, kw_only=True):
    """A transaction that stands in a block of the longest chain."""

    tx_id: str
    block: int
    block_id: str
    ok: bool
    """False: it failed; it consumed its slots and its cost, and paid nothing."""
    cost: int
    """What the network charged, in native units."""
    payments: tuple[Payment, ...]
    """Everything it paid, to whomever, as stated; compare before calling a withdrawal paid."""

    def confirmations(self, head: Block) -> int:
        """Return how many blocks stand from its own to the head, both counted."""
        return max(head.number - self.block + 1, 0)

    def paid(self, address: str, contract: str) -> int:
        """Return the units that came to the address."""
        return sum(
            payment.stated_units
            for payment in self.payments
            if (payment.address, payment.contract) == (address, contract)
        )


class FeeQuote(Struct, frozen=True, kw_only=True):
    """A price, in native units per gas, or on a UTXO network per 1000 virtual bytes."""

    base: int
    """What the next block asks at least."""
    tip: int
    """What is offered above that."""
    most: int
    """What is paid at most, tip included; never above the configured cap."""
    spiked: bool = False
    """The market is above the cap: a payment at `most` may wait."""

    def raised(self, per_cent: int) -> "FeeQuote":
        """Return the price for a replacement; endpoints want 10 per cent more, rounded up."""
        return FeeQuote(
            base=self.base,
            tip=-(-self.tip * (100 + per_cent) // 100),
            most=-(-self.most * (100 + per_cent) // 100),
            spiked=self.spiked,
        )


class PaymentOrder(Struct, frozen=True, kw_only=True):
    """What one transaction is to do.  A replacement is ordered with the first one's slots."""

    source: str
    """The address that pays."""
    payee: str
    contract: str
    units: int
    slots: tuple[str, ...] = ()
    """EVM: the lane and nonce to use.  UTXO: the coins to spend; empty lets the adapter choose."""
    quote: FeeQuote


class Coin(Struct, frozen=True, kw_only=True):
    """An unspent output of a UTXO chain."""

    slot: str
    """`tx_id:output`."""
    address: str
    script: str
    """Its script, in hex: what a signature commits to."""
    units: int
    block: int


class EvmUnsigned(Struct, frozen=True, kw_only=True, tag="evm"):
    """The fields of an EIP-1559 transaction."""

    chain_id: int
    source: str
    nonce: int
    to: str
    value: int
    data: str
    """In hex, with 0x."""
    gas: int
    tip_per_gas: int
    most_per_gas: int


class UtxoUnsigned(Struct, frozen=True, kw_only=True, tag="utxo"):
    """Coins to spend and outputs to make; every output but the payee's is change."""

    coins: tuple[Coin, ...]
    payee: str
    units: int
    change: str
    """Address of the change; "" when there is none."""
    change_units: int
    raw: str
    """The unsigned transaction, in hex."""


class Unsigned(Struct, frozen=True, kw_only=True):
    """A transaction to be signed."""

    slots: tuple[str, ...]
    max_cost: int
    """The most the network may charge, in native units."""
    fields: EvmUnsigned | UtxoUnsigned


class Decoded(Struct, frozen=True, kw_only=True):
    """What signed bytes do, read from the bytes alone."""

    tx_id: str
    source: str
    """Who signed; "" where the bytes do not say (UTXO)."""
    slots: tuple[str, ...]
    payee: str
    contract: str
    units: int
    max_cost: int
    """-1 where the bytes do not say (UTXO: the coins' amounts are not in them)."""
    fee_price: int
    """Most per gas; 0 on a UTXO network."""
    tip_price: int = 0
    """What of it is offered above the base; 0 where there is no such thing."""


class SendOutcome(StrEnum):
    """What came of offering bytes to the endpoints."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    """An endpoint has it in its pool, or in a block."""
    SLOT_USED = "slot_used"
    """Something else, or this very transaction, consumed a slot: read which."""
    SLOT_EARLY = "slot_early"
    """An earlier nonce of the lane is missing, and this endpoint keeps no queue for that."""
    UNDERPRICED = "underpriced"
    """Below the pool's least, or no replacement for what is there."""
    INSUFFICIENT_FUNDS = "insufficient_funds"
    REFUSED = "refused"
    """Never valid: malformed, of another chain, too little gas."""
    UNKNOWN = "unknown"
    """No answer: it may have been taken; only reading can tell."""

    @property
    def taken(self) -> bool:
        """Whether an endpoint has it now."""
        return self in (SendOutcome.ACCEPTED, SendOutcome.ALREADY_KNOWN)


class SendResult(Struct, frozen=True, kw_only=True):
    outcome: SendOutcome
    tx_id: str
    """Computed from the bytes, whatever the endpoints say."""
    detail: str = ""


class Chain(Protocol):
    """One network through all its endpoints; any method that asks them may raise UnknownError."""

    @property
    def network(self) -> str:
        """Return the network's code."""

    async def head(self) -> Block:
        """Return the newest block that a quorum has."""

    async def block(self, number: int) -> Block | None:
        """Return the block at a height; None above the head."""

    async def payments(self, block: Block, addresses: Collection[str]) -> list[Payment]:
        """Return what this very block paid to the addresses, coin and tokens, listed or not."""

    async def balance(self, address: str, contract: str, block: Block) -> int:
        """Return what an address holds after this very block."""

    async def balances(self, addresses: Sequence[str], contract: str, block: Block) -> list[int]:
        """Return what each of many addresses holds after this very block, in their order."""

    async def next_nonce(self, address: str, block: Block | None = None) -> int:
        """Return the first nonce that nothing in the chain used, at the block or the head.

        A UTXO network has none: 0.
        """

    async def fee_quote(self) -> FeeQuote:
        """Return what to offer now, within the configured cap."""

    async def coins(self, address: str) -> list[Coin]:
        """Return the address's unspent outputs; an EVM network has none."""

    async def build(self, order: PaymentOrder, taken: Collection[str] = ()) -> Unsigned:
        """Return the transaction to sign; never spends coins in `taken`.

        Raises RefusedError where the chain foretells failure.
        """

    async def build_all(self, orders: Sequence[PaymentOrder]) -> list[Unsigned | RefusedError]:
        """Build many at once, in this order, or say why one is foretold to fail."""

    def decode(self, signed: bytes) -> Decoded:
        """Return what signed bytes do; RefusedError if they are no payment we know."""

    async def send(self, signed: bytes) -> SendResult:
        """Offer the bytes to every endpoint.  Sending the same bytes again does no harm."""

    async def send_all(self, signed: Sequence[bytes]) -> list[SendResult]:
        """Offer many, in this order."""

    async def receipt(self, tx_id: str) -> Receipt | None:
        """Return the transaction's place in the longest chain; None if it stands in no block."""

    async def receipts(self, tx_ids: Sequence[str]) -> list[Receipt | None]:
        """Return the places of many transactions, in their order."""

    async def transaction_in_slot(self, slot: str) -> str | None:
        """Return the id of the transaction in the longest chain that consumed the slot."""

    def valid_address(self, text: str) -> str:
        """Return the address in its canonical form, or raise AddressError."""

    async def is_contract(self, address: str) -> bool:
        """Return whether code stands at the address; paying it may run that code."""

    async def close(self) -> None:
        """Close the connections."""


def lane_slot(lane: str, nonce: int) -> str:
    """Return the slot of an EVM account's nonce; the lane is its canonical address."""
    return f"{lane}/{nonce}"


def parse_lane_slot(slot: str) -> tuple[str, int]:
    """Return the account and the nonce."""
    lane, _, nonce = slot.rpartition("/")
    return lane, int(nonce)


def coin_slot(tx_id: str, output: int) -> str:
    """Return the slot of a UTXO network's output."""
    return f"{tx_id}:{output}"


def parse_coin_slot(slot: str) -> tuple[str, int]:
    """Return the transaction and the output's number."""
    tx_id, _, output = slot.rpartition(":")
    return tx_id, int(output)


def to_atoms(units: int, *, chain_decimals: int, ledger_decimals: int) -> int:
    """Return chain units in the ledger's atoms: always exact, as a listing's check promises."""
    invariant(chain_decimals <= ledger_decimals, "the ledger has every decimal of the chain")
    return units * int(10 ** (ledger_decimals - chain_decimals))


def to_units(atoms: int, *, chain_decimals: int, ledger_decimals: int) -> int:
    """Return ledger atoms in chain units; the atoms must be a whole number of them."""
    invariant(chain_decimals <= ledger_decimals, "the ledger has every decimal of the chain")
    unit = int(10 ** (ledger_decimals - chain_decimals))
    invariant(atoms % unit == 0, "an amount that goes on chain is a whole number of units")
    return atoms // unit
