"""What the signer is asked and answers.  The rule: structured fields, never opaque bytes.

JSON, because an amount in wei passes 64 bits.  The signer encodes the transaction itself from the
fields it has judged, so that nothing it has not read is ever signed.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from seawall.treasury.chain import EvmUnsigned, UtxoUnsigned

SIGNED_AT_ONCE: Final = 64
"""Requests in one `SignMany`."""


class Refusal(StrEnum):
    """Why nothing was signed, in the order of the checks."""

    UNKNOWN_NETWORK = "unknown_network"
    WRONG_CHAIN = "wrong_chain"
    UNKNOWN_SOURCE = "unknown_source"
    """No key of the keystore makes this address."""
    UNREADABLE = "unreadable"
    """Neither a plain payment of the coin nor a token's `transfer`."""
    UNKNOWN_ASSET = "unknown_asset"
    NOT_OWN_PAYEE = "not_own_payee"
    """A deposit address pays only the exchange's own wallets."""
    STRANGE_COIN = "strange_coin"
    """The coin was told to be worth something else before: one of the two is a lie."""
    SLOT_SIGNED = "slot_signed"
    """The slot was signed for another payee, asset, amount or payment."""
    SLOT_VOIDED = "slot_voided"
    """The slot was signed to pay nothing; it pays nobody any more."""
    PAYMENT_SIGNED = "payment_signed"
    """The payment was signed in another slot, which could still be paid."""
    FEE_NOT_HIGHER = "fee_not_higher"
    FEE_ABOVE_CAP = "fee_above_cap"
    ABOVE_PAYMENT_LIMIT = "above_payment_limit"
    ABOVE_WINDOW_LIMIT = "above_window_limit"
    LEASE_RUN_OUT = "lease_run_out"
    """Nobody has said lately that users may be paid."""

    @property
    def transient(self) -> bool:
        """Whether the same request may be signed later."""
        return self in (Refusal.ABOVE_WINDOW_LIMIT, Refusal.LEASE_RUN_OUT)


class Sign(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="sign"
):
    """Sign this transaction, as an attempt of `payment`.

    `index` names the deposit address that pays; None when a wallet's key does.  `payee_index` names
    the one that is paid, if it is one: what goes there stays the exchange's.
    """

    network: str
    payment: str
    fields: EvmUnsigned | UtxoUnsigned
    index: int | None = None
    payee_index: int | None = None


class SignMany(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sign_many"):
    """Sign these, one after the other; they are written down together before any leaves.

    `in_line`: the first that is not signed ends it, and those after it are not looked at.
    """

    requests: tuple[Sign, ...]
    in_line: bool


class AskSlots(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ask_slots"):
    """Which of a lane's nonces, from this one up, were signed, and for what."""

    network: str
    lane: str
    from_nonce: int


class AskCoins(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ask_coins"):
    """Which of these coins of a UTXO network were signed, and for what."""

    network: str
    slots: tuple[str, ...]


class AskWho(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ask_who"):
    """Which wallets the keystore has; of a UTXO network, as that network writes them."""

    network: str = ""


class RenewLease(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="renew_lease"):
    """Users may be paid for so long from now; only a number above the last one counts."""

    number: int
    valid_ms: int


Request = Sign | SignMany | AskSlots | AskCoins | AskWho | RenewLease


class Signed(Struct, frozen=True, kw_only=True, tag="signed"):
    tx_id: str
    signed: str
    """The bytes to send, in hex without 0x."""


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    reason: Refusal
    detail: str = ""


class SignedMany(Struct, frozen=True, kw_only=True, tag="signed_many"):
    """In the order of the requests, as far as they were looked at."""

    answers: tuple[Signed | Refused, ...]


class SignedSlot(Struct, frozen=True, kw_only=True):
    """`payment` is who the slot was first signed for, `signed` the newest bytes in hex."""

    nonce: int
    """0 where coins are spent."""
    payment: str
    voided: bool
    signed: str
    coins: tuple[str, ...] = ()
    """All that the bytes spend, on a UTXO network."""
    max_cost: int = -1
    """What these bytes pay to a UTXO network."""


class Slots(Struct, frozen=True, kw_only=True, tag="slots"):
    slots: tuple[SignedSlot, ...]


class Who(Struct, frozen=True, kw_only=True, tag="who"):
    wallets: tuple[str, ...]
    deposit_key: str
    """Public key that the deposit addresses derive from; "" when there is none."""


class LeaseLeft(Struct, frozen=True, kw_only=True, tag="lease_left"):
    """How the signer's lease stands; `needed` is false where it asks for none."""

    needed: bool
    number: int
    left_ms: int


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """The signer could not do its work (its disk is full, the message is malformed, …)."""

    detail: str


Answer = Signed | Refused | SignedMany | Slots | Who | LeaseLeft | Failed

_encoder = Encoder()
_requests: Decoder[Request] = Decoder(Request)
_answers: Decoder[Answer] = Decoder(Answer)


def encode(message: Request | Answer) -> bytes:
    return _encoder.encode(message)


def decode_request(data: bytes) -> Request:
    return _requests.decode(data)


def decode_answer(data: bytes) -> Answer:
    return _answers.decode(data)
