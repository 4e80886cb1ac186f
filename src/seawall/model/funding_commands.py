"""Commands of the funding cell.  The rule: the same as for all commands, see model/commands.py.

`person` is the operator who answers for the command; the treasury's own are signed by its name.
"""

from msgspec import Struct
from msgspec.json import Decoder

from seawall.model.commands import (
    Checkpoint,
    Command,
    Deliver,
    Lead,
    ListAsset,
    RequestTransfer,
    Settle,
    SetTransfers,
    Tick,
)
from seawall.model.funding import Attempt, Listing, Network, Service, ServiceStatus, Vault
from seawall.model.ids import AssetCode, UserId

# Set-up


class ListNetwork(Command, frozen=True, kw_only=True, tag="list_network"):
    network: Network


class OfferAsset(Command, frozen=True, kw_only=True, tag="offer_asset"):
    """List an asset on a network, or change the terms of one that is listed."""

    listing: Listing


class SetService(Command, frozen=True, kw_only=True, tag="set_service"):
    asset: AssetCode
    network: str
    service: Service
    status: ServiceStatus
    reason: str
    person: str = ""
    order: int = 0
    """Number of the control cell's order; one below the last applied is refused.  0: none."""
    per_withdrawal: int = 0
    """While limited, in atoms; 0 leaves the listing's own `limited_max`."""
    per_user: int = 0
    """What one user may have prepared since this order; 0 is no limit."""
    total: int = 0
    """What all users together may have prepared since this order; 0 is no limit."""


class GrantLease(Command, frozen=True, kw_only=True, tag="grant_lease"):
    """Withdrawals may be prepared until the journal's time passes `until_ns`.

    The control cell's word; its number only rises.  From the first one on, no lease means no
    withdrawal.
    """

    number: int
    until_ns: int


class OrderCanary(Command, frozen=True, kw_only=True, tag="order_canary"):
    """Let the exchange pay itself: hot wallet to cold storage, through signer and chain.

    The treasury makes it a vault move with `key`; a key takes effect once.
    """

    asset: AssetCode
    network: str
    key: str


class DelayCanary(Command, frozen=True, kw_only=True, tag="delay_canary"):
    """Say why a canary that is wanted cannot be paid yet; the treasury goes on trying."""

    key: str
    reason: str


class SetDailyLimit(Command, frozen=True, kw_only=True, tag="set_daily_limit"):
    """What users of a tier may withdraw of an asset in 24 hours; without one, nothing limits."""

    tier: int
    asset: AssetCode
    atoms: int


class SetFundingTier(Command, frozen=True, kw_only=True, tag="set_funding_tier"):
    user_id: UserId
    tier: int


class SetAddressWait(Command, frozen=True, kw_only=True, tag="set_address_wait"):
    """How long an address must have stood in a user's book before it can be paid to."""

    wait_ms: int


# Address book


class AddAddress(Command, frozen=True, kw_only=True, tag="add_address"):
    user_id: UserId
    network: str
    address: str
    label: str


class RemoveAddress(Command, frozen=True, kw_only=True, tag="remove_address"):
    user_id: UserId
    network: str
    address: str


class SetAllowList(Command, frozen=True, kw_only=True, tag="set_allow_list"):
    """Whether the user's withdrawals go to addresses of the book only."""

    user_id: UserId
    only_book: bool


# Deposits


class OpenDepositAddress(Command, frozen=True, kw_only=True, tag="open_deposit_address"):
    """Give the user the address that was derived at `index`, the next free one."""

    user_id: UserId
    network: str
    index: int
    address: str


class SeeDeposit(Command, frozen=True, kw_only=True, tag="see_deposit"):
    """A payment to a deposit address stands in a block of the longest chain.

    (network, tx_id, output) names it for ever, whichever block it is in.  `asset` is empty for a
    token that is not listed; `contract` then says which.
    """

    network: str
    tx_id: str
    output: int
    address: str
    asset: AssetCode
    atoms: int
    block: int
    block_id: str
    contract: str = ""


class ConfirmDeposit(Command, frozen=True, kw_only=True, tag="confirm_deposit"):
    """It stands `confirmations` deep in block `block_id`; credited if that is final."""

    network: str
    tx_id: str
    output: int
    block_id: str
    confirmations: int


class RevertDeposit(Command, frozen=True, kw_only=True, tag="revert_deposit"):
    """A reorganisation took it off the chain."""

    network: str
    tx_id: str
    output: int
    reason: str


# Withdrawals


class RequestWithdrawal(Command, frozen=True, kw_only=True, tag="request_withdrawal"):
    """`atoms` leave the user's wallet; the address gets them less the fee.

    A `client_withdrawal_id` takes effect once per user.
    """

    user_id: UserId
    asset: AssetCode
    network: str
    address: str
    atoms: int
    client_withdrawal_id: str = ""


class CancelWithdrawal(Command, frozen=True, kw_only=True, tag="cancel_withdrawal"):
    user_id: UserId
    withdrawal_id: int


class ApproveWithdrawal(Command, frozen=True, kw_only=True, tag="approve_withdrawal"):
    withdrawal_id: int
    person: str


class RejectWithdrawal(Command, frozen=True, kw_only=True, tag="reject_withdrawal"):
    withdrawal_id: int
    person: str
    reason: str


class PrepareWithdrawal(Command, frozen=True, kw_only=True, tag="prepare_withdrawal"):
    """Journal signed bytes before they are sent: the first ones, or a replacement."""

    withdrawal_id: int
    attempt: Attempt


class MarkBroadcast(Command, frozen=True, kw_only=True, tag="mark_broadcast"):
    withdrawal_id: int
    tx_id: str


class SettleWithdrawal(Command, frozen=True, kw_only=True, tag="settle_withdrawal"):
    """One attempt paid and is final; `cost` is what the network charged, in native atoms."""

    withdrawal_id: int
    tx_id: str
    confirmations: int
    cost: int


class ReturnWithdrawal(Command, frozen=True, kw_only=True, tag="return_withdrawal"):
    """`tx_id` is final, consumed the payment's slots, and paid nothing (it failed, or is foreign).

    `cost` is what it charged, in native atoms.
    """

    withdrawal_id: int
    tx_id: str
    confirmations: int
    cost: int
    reason: str


# Vaults


class BookCapital(Command, frozen=True, kw_only=True, tag="book_capital"):
    """The exchange's own money came to (or, negative, left) a vault outside the pipelines."""

    network: str
    asset: AssetCode
    vault: Vault
    atoms: int
    reference: str
    person: str


class PrepareVaultMove(Command, frozen=True, kw_only=True, tag="prepare_vault_move"):
    """Journal the signed bytes of a sweep, a top-up or a gas payment before they are sent.

    `move_key` takes effect once; a second command with it is a replacement of the first.
    """

    move_key: str
    network: str
    asset: AssetCode
    source: Vault
    target: Vault
    atoms: int
    attempt: Attempt


class MarkMoveBroadcast(Command, frozen=True, kw_only=True, tag="mark_move_broadcast"):
    move_key: str
    tx_id: str


class SettleVaultMove(Command, frozen=True, kw_only=True, tag="settle_vault_move"):
    """`failed`: the slots were consumed but nothing moved; only `cost` was paid."""

    move_key: str
    tx_id: str
    confirmations: int
    cost: int
    failed: bool = False


class RecordTopUp(Command, frozen=True, kw_only=True, tag="record_top_up"):
    """A final transaction that people signed brought `atoms` from cold storage to the hot wallet.

    Each transaction counts once for each asset.  `cost` is what it charged cold storage, in native
    atoms.
    """

    network: str
    asset: AssetCode
    atoms: int
    tx_id: str
    confirmations: int
    cost: int
    person: str


class ReportReconciliation(Command, frozen=True, kw_only=True, tag="report_reconciliation"):
    """What stands on chain at a block, per vault, next to what the ledger says.

    The core compares; a difference pauses the asset's withdrawals on that network.
    """

    network: str
    asset: AssetCode
    block: int
    deposit_atoms: int
    hot_atoms: int
    cold_atoms: int
    settled_withdrawals: tuple[int, ...] = ()
    """Withdrawals that are on chain at that block but not settled in the ledger yet."""
    settled_moves: tuple[str, ...] = ()
    pending_costs: int = 0
    """What those have cost, in native atoms, if `asset` is the native one."""
    unseen_deposits: int = 0
    """What came to deposit addresses and is not credited yet."""
    ledger_sequence: int = 0
    """Entry of the ledger that the figures were taken beside; refused if a vault changed since.

    0: the reporter saw to that itself.
    """


FundingCommand = (
    Lead | Tick | Checkpoint | ListAsset | ListNetwork | OfferAsset | SetService | SetTransfers
    | GrantLease | OrderCanary | DelayCanary | SetDailyLimit
    | SetFundingTier | SetAddressWait | AddAddress | RemoveAddress | SetAllowList
    | RequestTransfer | Deliver | Settle | OpenDepositAddress | SeeDeposit | ConfirmDeposit
    | RevertDeposit | RequestWithdrawal | CancelWithdrawal | ApproveWithdrawal | RejectWithdrawal
    | PrepareWithdrawal | MarkBroadcast | SettleWithdrawal | ReturnWithdrawal | BookCapital
    | PrepareVaultMove | MarkMoveBroadcast | SettleVaultMove | RecordTopUp
    | ReportReconciliation
)  # fmt: skip


class FundingRecord(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One journal payload of the funding cell."""

    at_ns: int
    command: FundingCommand
    command_id: str = ""
    origin: str = ""
    """By what token the submitting node knows it again in the journal; of no effect."""


decode_funding_record = Decoder(FundingRecord).decode
