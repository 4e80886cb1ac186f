"""What happened to money in and out.  The rule: the same as for all events, see model/events.py.

`repeated` marks an answer to a command that took effect before.
"""

from seawall.model.events import Event
from seawall.model.funding import Listing, Network, Service, ServiceStatus, Vault
from seawall.model.funding_rows import Canary, Deposit, VaultMove, Withdrawal
from seawall.model.mailbox import Transfer


class NetworkListed(Event):
    def __init__(self, network: Network) -> None:
        self.network = network


class AssetOffered(Event):
    def __init__(self, listing: Listing) -> None:
        self.listing = listing


class FundingRuleSet(Event):
    """A limit, a tier or a waiting time was set."""

    def __init__(self, rule: str) -> None:
        self.rule = rule


class ServiceChanged(Event):
    def __init__(
        self, asset: str, network: str, service: Service, status: ServiceStatus, reason: str
    ) -> None:
        self.asset = asset
        self.network = network
        self.service = service
        self.status = status
        self.reason = reason


class TransfersChanged(Event):
    """Transfers out of this cell were paused, or may begin again."""

    def __init__(self, paused: bool, reason: str) -> None:
        self.paused = paused
        self.reason = reason


class LeaseGranted(Event):
    """Withdrawals may be prepared until then."""

    def __init__(self, number: int, until_ns: int) -> None:
        self.number = number
        self.until_ns = until_ns


class CanaryChanged(Event):
    """It was ordered, delayed, sent, settled or failed: see its state."""

    def __init__(self, canary: Canary, *, repeated: bool = False) -> None:
        self.canary = canary
        self.state = canary.state
        self.repeated = repeated


class AddressBookChanged(Event):
    def __init__(self, user_id: int, network: str, address: str) -> None:
        self.user_id = user_id
        self.network = network
        self.address = address


class TransferRequested(Event):
    def __init__(self, transfer: Transfer, repeated: bool) -> None:
        self.transfer = transfer
        self.repeated = repeated


class MessageDelivered(Event):
    """`refusal` is empty if the message was applied."""

    def __init__(self, source: str, number: int, refusal: str, repeated: bool) -> None:
        self.source = source
        self.number = number
        self.refusal = refusal
        self.repeated = repeated


class TransferSettled(Event):
    def __init__(self, transfer: Transfer) -> None:
        self.transfer = transfer


class DepositAddressOpened(Event):
    def __init__(self, user_id: int, network: str, address: str, repeated: bool) -> None:
        self.user_id = user_id
        self.network = network
        self.address = address
        self.repeated = repeated


class DepositChanged(Event):
    """It was seen, confirmed, credited, moved or reverted: see its state."""

    def __init__(self, deposit: Deposit) -> None:
        self.deposit = deposit
        self.state = deposit.state
        self.confirmations = deposit.confirmations


class WithdrawalChanged(Event):
    """Its state, attempts or approvals are new: see the withdrawal."""

    def __init__(self, withdrawal: Withdrawal, *, repeated: bool = False) -> None:
        self.withdrawal = withdrawal
        self.state = withdrawal.state
        self.repeated = repeated


class VaultMoveChanged(Event):
    def __init__(self, move: VaultMove, *, repeated: bool = False) -> None:
        self.move = move
        self.state = move.state
        self.repeated = repeated


class CapitalBooked(Event):
    def __init__(self, network: str, asset: str, vault: Vault, atoms: int) -> None:
        self.network = network
        self.asset = asset
        self.vault = vault
        self.atoms = atoms


class Reconciled(Event):
    """What stands on chain at `block`, and what the ledger expects there, in atoms."""

    def __init__(
        self, network: str, asset: str, block: int, chain_atoms: int, ledger_atoms: int
    ) -> None:
        self.network = network
        self.asset = asset
        self.block = block
        self.chain_atoms = chain_atoms
        self.ledger_atoms = ledger_atoms
