"""Networks, listings and the states of money in and out.  The rule: every state has one meaning.

Amounts are atoms of the ledger's asset.  A listing is valid only if the token has no more decimals
on chain than its asset has in the ledger: then every chain amount is a whole number of atoms.
"""

from enum import StrEnum

from msgspec import Struct

from seawall.model.ids import AssetCode


class NetworkKind(StrEnum):
    EVM = "evm"
    UTXO = "utxo"


class Service(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


class ServiceStatus(StrEnum):
    """What deposits or withdrawals of one asset on one network are doing."""

    OPEN = "open"
    LIMITED = "limited"
    """Only withdrawals up to `Listing.limited_max`."""
    PAUSED = "paused"


class Vault(StrEnum):
    """Where the exchange keeps what it holds on one network."""

    DEPOSIT = "deposit"
    """The users' deposit addresses, all together."""
    HOT = "hot"
    COLD = "cold"


class DepositState(StrEnum):
    SEEN = "seen"
    """On chain, not final yet; no money of the user's."""
    CREDITED = "credited"
    REVERTED = "reverted"
    """A reorganisation took it off the chain before it was final."""
    IGNORED = "ignored"
    """Below the minimum, or of an asset that is not listed."""


class WithdrawalState(StrEnum):
    """docs/internals/funding.md draws the moves."""

    AWAITING_APPROVAL = "awaiting_approval"
    """Held; above the limit that one person or none may pass."""
    QUEUED = "queued"
    """Held and passed; waits for its turn, an open service, and cover in the hot wallet."""
    PREPARED = "prepared"
    """Its signed bytes are journaled: they may be on their way at any moment from now on."""
    BROADCAST = "broadcast"
    """An endpoint took the bytes."""
    SETTLED = "settled"
    """Paid, at finality."""
    REJECTED = "rejected"
    CANCELED = "canceled"
    RETURNED = "returned"
    """Can never be paid any more: what consumed its slots is final and paid nothing."""

    @property
    def ended(self) -> bool:
        return self in _ENDED

    @property
    def cancelable(self) -> bool:
        """Whether nothing was signed yet."""
        return self in (WithdrawalState.AWAITING_APPROVAL, WithdrawalState.QUEUED)


_ENDED = frozenset(
    {
        WithdrawalState.SETTLED,
        WithdrawalState.REJECTED,
        WithdrawalState.CANCELED,
        WithdrawalState.RETURNED,
    }
)


class Wait(StrEnum):
    """Why a withdrawal has not arrived yet."""

    APPROVAL = "waits_for_approval"
    PAUSED = "withdrawals_paused"
    LEASE = "withdrawals_stopped_by_themselves"
    """Incident control has not said lately that they may run."""
    LIMITED = "above_the_limit_while_withdrawals_are_limited"
    TURN = "others_are_before_it"
    HOT_WALLET = "hot_wallet_too_low"
    SIGNING = "about_to_be_signed"
    SENDING = "about_to_be_sent"
    CONFIRMATIONS = "waits_for_confirmations"
    NOTHING = ""


class Outlook(Struct, frozen=True, kw_only=True):
    """What its owner is shown.  `position` counts from 1 within its queue; 0 when not queued."""

    wait: Wait
    detail: str
    position: int
    estimate_ms: int | None
    """Time to arrival if nothing changes; None while nobody can say."""


class CanaryState(StrEnum):
    """What became of a payment of the exchange to itself."""

    WANTED = "wanted"
    """Not signed yet; its reason says why, if something is in the way."""
    SENT = "sent"
    """Its signed bytes are journaled."""
    SETTLED = "settled"
    """It stands in cold storage, at finality."""
    FAILED = "failed"
    """Never paid: the chain took it and moved nothing, or a later canary took its place."""

    @property
    def ended(self) -> bool:
        return self in (CanaryState.SETTLED, CanaryState.FAILED)


class VaultMoveState(StrEnum):
    PREPARED = "prepared"
    BROADCAST = "broadcast"
    SETTLED = "settled"
    FAILED = "failed"


class TransferState(StrEnum):
    PENDING = "pending"
    """Left its source; its message is on the way."""
    CONFIRMED = "confirmed"
    RETURNED = "returned"
    """The target refused it; the amount went back."""


class ListingError(ValueError):
    """The listing contradicts itself; the message says how to mend it."""


class Network(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One chain.  `finality` counts blocks: 1 is the block of the transaction itself."""

    code: str
    name: str
    kind: NetworkKind
    chain_id: int
    finality: int
    native: AssetCode
    native_decimals: int
    block_ms: int
    """Usual time between blocks, for estimates only."""


class Listing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One asset on one network."""

    asset: AssetCode
    network: str
    chain_decimals: int
    contract: str = ""
    """Empty for the network's own coin."""
    min_deposit: int
    min_withdrawal: int
    withdrawal_fee: int
    """Taken out of the amount that is asked for."""
    approval_above: int
    """Withdrawals above it need two people."""
    limited_max: int
    """The largest single withdrawal while the service is `limited`."""
    hot_floor: int = 0
    """What the hot wallet keeps back; a withdrawal that would go below it waits, visibly."""

    def check(self, asset_decimals: int) -> None:
        """Raise ListingError if the listing contradicts itself."""
        name = f"{self.asset} on {self.network}"
        if not 0 <= self.chain_decimals <= asset_decimals:
            raise ListingError(
                f"{name}: {self.chain_decimals} decimals on chain need as many in the ledger"
            )
        unit = int(10 ** (asset_decimals - self.chain_decimals))
        for field in ("min_withdrawal", "withdrawal_fee", "min_deposit"):
            if getattr(self, field) < 0 or getattr(self, field) % unit:
                raise ListingError(f"{name}: {field} must be a whole number of chain units")
        if self.min_withdrawal <= self.withdrawal_fee:
            raise ListingError(f"{name}: min_withdrawal must be above withdrawal_fee")
        if min(self.approval_above, self.limited_max, self.hot_floor) < 0:
            raise ListingError(f"{name}: limits must not be negative")


class Attempt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signed transaction of a payment.

    `slots` are what a chain lets be used once: `lane/nonce` on an EVM network, the outpoints spent
    on a UTXO network.  All attempts of one payment share the first one's slots, so the chain can
    accept one of them at most.
    """

    tx_id: str
    slots: tuple[str, ...]
    signed: str
    """The bytes to send, in hex."""
    max_cost: int
    """The most the network may charge, in native atoms."""
