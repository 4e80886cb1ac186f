"""The funding cell's records.  The rule: only core/ changes one.

Structs, unlike the spot cell's orders: money in and out is no hot path, and their JSON is the
cell's snapshot and the ground of its digest.  What stands at its default is left out of it, so that
a later release may add a field and old entries still lead to their old digests.
"""

from typing import Final

from msgspec import Struct, field

from seawall.model.funding import (
    Attempt,
    CanaryState,
    DepositState,
    Listing,
    Network,
    ServiceStatus,
    Vault,
    VaultMoveState,
    WithdrawalState,
)
from seawall.model.instruments import Asset
from seawall.model.mailbox import Mailbox

CANARY_MOVE: Final = "canary/"
"""What the key of a canary's vault move begins with."""


class ServiceState(Struct, kw_only=True, omit_defaults=True):
    """Whether deposits or withdrawals of one listing run, since when and why."""

    status: ServiceStatus = ServiceStatus.OPEN
    reason: str = "listed"
    since_ns: int = 0
    person: str = ""
    order: int = 0
    """Number of the control cell's last order that was applied."""
    per_withdrawal: int = 0
    """While limited, in atoms; 0 leaves the listing's own `limited_max`."""
    per_user: int = 0
    total: int = 0
    prepared: int = 0
    """What was prepared since these limits began, in atoms, where there is a total."""
    prepared_by: dict[int, int] = field(default_factory=dict)
    """The same by user, where each has a share."""


class ListingState(Struct, kw_only=True, omit_defaults=True):
    """One asset on one network."""

    listing: Listing
    deposit: ServiceState
    withdrawal: ServiceState
    reserved: int = 0
    """What prepared payments and moves out of the hot wallet still take, in atoms."""
    queue: list[int] = field(default_factory=list)
    """Withdrawals that wait to be prepared, in the order they passed."""
    reconciled_ns: int = 0
    reconciled_block: int = 0
    difference: int = 0
    """Chain minus ledger at the last reconciliation, in atoms."""
    cold_difference: int = 0
    """The same of cold storage alone: what people moved there or from there, not booked yet."""


class NetworkState(Struct, kw_only=True, omit_defaults=True):
    """One chain: addresses given out, and slots taken by payments."""

    network: Network
    number: int
    owners: dict[str, int] = field(default_factory=dict)
    """User of each deposit address."""
    slots: dict[str, str] = field(default_factory=dict)
    """Payment that took each slot; see `funding.Attempt`."""
    cost_reserved: int = 0
    """The most that unsettled payments may still cost, in native atoms."""


class AddressEntry(Struct, kw_only=True, omit_defaults=True):
    """One line of a user's address book."""

    label: str
    added_ns: int


class FundingAccount(Struct, kw_only=True, omit_defaults=True):
    """One user's place in the funding cell."""

    user_id: int
    tier: int = 0
    only_book: bool = False
    book_until_ns: int = 0
    """Until when a user who left the book is still kept to it."""
    book: dict[str, dict[str, AddressEntry]] = field(default_factory=dict)
    """Addresses that may be paid to, by network."""
    deposit_addresses: dict[str, str] = field(default_factory=dict)
    """By network."""
    deposit_indices: dict[str, int] = field(default_factory=dict)
    """By kind of network: where the user's addresses are derived on all networks of the kind."""
    withdrawals: dict[str, int] = field(default_factory=dict)
    """Withdrawal of each client id, for ever: a duplicate takes effect once."""
    spent: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """(time of the request, atoms) of the last 24 hours, by asset."""


class Deposit(Struct, kw_only=True, omit_defaults=True):
    """One payment to a deposit address."""

    network: str
    tx_id: str
    output: int
    user_id: int
    address: str
    asset: str
    contract: str
    atoms: int
    block: int
    block_id: str
    confirmations: int = 1
    state: DepositState = DepositState.SEEN
    reason: str = ""
    seen_ns: int
    updated_ns: int


class Withdrawal(Struct, kw_only=True, omit_defaults=True):
    """One payment out.  `atoms` were held; the address gets them less `fee`."""

    withdrawal_id: int
    user_id: int
    asset: str
    network: str
    address: str
    atoms: int
    fee: int
    client_withdrawal_id: str
    state: WithdrawalState
    reason: str = ""
    approvals: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    broadcast: list[str] = field(default_factory=list)
    """Transactions that an endpoint took."""
    tx_id: str = ""
    """The one that was paid, once it is final."""
    cost: int = 0
    confirmations: int = 0
    requested_ns: int
    updated_ns: int

    @property
    def payment(self) -> str:
        """Its name among the holders of slots."""
        return f"withdrawal/{self.withdrawal_id}"


class VaultMove(Struct, kw_only=True, omit_defaults=True):
    """A sweep, a top-up or a payment of gas between the exchange's own addresses."""

    move_key: str
    network: str
    asset: str
    source: Vault
    target: Vault
    atoms: int
    state: VaultMoveState = VaultMoveState.PREPARED
    attempts: list[Attempt] = field(default_factory=list)
    broadcast: list[str] = field(default_factory=list)
    tx_id: str = ""
    cost: int = 0
    prepared_ns: int
    updated_ns: int

    @property
    def payment(self) -> str:
        """Its name among the holders of slots."""
        return f"move/{self.move_key}"


class Canary(Struct, kw_only=True, omit_defaults=True):
    """A payment of the exchange to itself that control ordered; its move is `canary/KEY`."""

    key: str
    asset: str
    network: str
    state: CanaryState = CanaryState.WANTED
    reason: str = ""
    """Why it is not paid yet, or failed."""
    atoms: int = 0
    tx_id: str = ""
    ordered_ns: int
    updated_ns: int

    @property
    def move_key(self) -> str:
        return f"{CANARY_MOVE}{self.key}"


class FundingBook(Struct, kw_only=True, omit_defaults=True):
    """All of the state but the balances."""

    sequence: int = 0
    at_ns: int = 0
    epoch: int = 0
    assets: dict[str, Asset] = field(default_factory=dict)
    networks: dict[str, NetworkState] = field(default_factory=dict)
    listings: dict[str, ListingState] = field(default_factory=dict)
    """By `asset/network`."""
    daily_limits: dict[str, int] = field(default_factory=dict)
    """By `tier/asset`."""
    address_wait_ns: int = 0
    next_indices: dict[str, int] = field(default_factory=dict)
    """By kind of network: where the next user's deposit addresses are derived."""
    accounts: dict[int, FundingAccount] = field(default_factory=dict)
    deposits: dict[str, Deposit] = field(default_factory=dict)
    """By `network/tx/output`, for ever: each is credited once."""
    withdrawals: dict[int, Withdrawal] = field(default_factory=dict)
    next_withdrawal_id: int = 1
    moves: dict[str, VaultMove] = field(default_factory=dict)
    capital_references: dict[str, int] = field(default_factory=dict)
    mailbox: Mailbox = field(default_factory=Mailbox)
    command_ids: dict[str, int] = field(default_factory=dict)
    vaults_changed: int = 0
    """Sequence of the last entry that changed what a vault holds."""
    lease_number: int = 0
    """Of the newest lease; 0: none was ever granted, and none is needed."""
    lease_until_ns: int = 0
    """Withdrawals may be prepared until the journal's time passes it."""
    canaries: dict[str, Canary] = field(default_factory=dict)
    """By key, the newest ones."""


class FundingDump(Struct, frozen=True, kw_only=True):
    """The whole state; `balances` are [user, asset, free, held], in their order of opening."""

    book: FundingBook
    balances: list[tuple[int, str, int, int]]
