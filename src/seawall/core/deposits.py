"""Money coming in.  The rule: credited once, at finality, and never before.

A deposit address is one user's on every network of its kind: they share their addresses, and what
was sent over the wrong one must not come to somebody else.  So each user has one index for each
kind of network, and whoever has none yet takes the next.

A deposit is named by network, transaction and output, whichever block holds it; a reorganisation
may move it or take it away, and only its last, final place counts.
"""

from seawall.core.funding_state import FundingState
from seawall.model import limits
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import DepositState, ServiceStatus, Vault
from seawall.model.funding_commands import (
    ConfirmDeposit,
    OpenDepositAddress,
    RevertDeposit,
    SeeDeposit,
)
from seawall.model.funding_events import DepositAddressOpened, DepositChanged
from seawall.model.funding_rows import Deposit
from seawall.model.rejections import Rejection


def open_deposit_address(state: FundingState, command: OpenDepositAddress) -> list[Event]:
    """Bind the derived address to the user; asked again, answer with the one there is."""
    network = state.book.networks.get(command.network)
    if network is None:
        return [CommandRejected(Rejection.UNKNOWN_NETWORK)]
    if command.user_id <= 0:
        return [CommandRejected(Rejection.UNKNOWN_USER)]
    if not 0 < len(command.address) <= limits.ADDRESS_CHARS:
        return [CommandRejected(Rejection.ADDRESS_INVALID)]
    account = state.book.accounts.get(command.user_id)
    known = account.deposit_addresses.get(command.network) if account else None
    if known is not None:
        return [DepositAddressOpened(command.user_id, command.network, known, repeated=True)]
    index = address_index(state, command.user_id, command.network)
    if command.index != index:
        return [CommandRejected(Rejection.INDEX_TAKEN, f"{index} is next")]
    if any(
        each.owners.get(command.address, command.user_id) != command.user_id
        for each in state.book.networks.values()
    ):
        return [CommandRejected(Rejection.INDEX_TAKEN, "the address is another user's")]
    account = state.account(command.user_id)
    kind = network.network.kind.value
    if kind not in account.deposit_indices:
        account.deposit_indices[kind] = index
        state.book.next_indices[kind] = index + 1
    network.owners[command.address] = command.user_id
    account.deposit_addresses[command.network] = command.address
    return [DepositAddressOpened(command.user_id, command.network, command.address, repeated=False)]


def address_index(state: FundingState, user_id: int, network: str) -> int:
    """Return where the user's address on a network is derived, or would be if it were opened."""
    kind = state.book.networks[network].network.kind.value
    account = state.book.accounts.get(user_id)
    known = account.deposit_indices.get(kind) if account else None
    return state.book.next_indices.get(kind, 0) if known is None else known


def see_deposit(state: FundingState, command: SeeDeposit) -> list[Event]:
    """Enter a payment that stands in a block, or its new place after a reorganisation."""
    network = state.book.networks.get(command.network)
    if network is None:
        return [CommandRejected(Rejection.UNKNOWN_NETWORK)]
    owner = network.owners.get(command.address)
    if owner is None:
        return [CommandRejected(Rejection.ADDRESS_INVALID, "not a deposit address")]
    if command.atoms <= 0:
        return [CommandRejected(Rejection.BELOW_MINIMUM)]
    key = f"{command.network}/{command.tx_id}/{command.output}"
    deposit = state.book.deposits.get(key)
    if deposit is None:
        deposit = Deposit(
            network=command.network,
            tx_id=command.tx_id,
            output=command.output,
            user_id=owner,
            address=command.address,
            asset=command.asset,
            contract=command.contract,
            atoms=command.atoms,
            block=command.block,
            block_id=command.block_id,
            seen_ns=state.at_ns,
            updated_ns=state.at_ns,
        )
        deposit.state, deposit.reason = _first_state(state, deposit)
        state.book.deposits[key] = deposit
        return [DepositChanged(deposit)]
    if deposit.state is DepositState.CREDITED:
        # Final means final here: a chain that breaks its finality is met by reconciliation,
        # which stops withdrawals, never by crediting a second time.
        return []
    same_payment = (deposit.address, deposit.asset, deposit.contract, deposit.atoms) == (
        command.address,
        command.asset,
        command.contract,
        command.atoms,
    )
    if not same_payment:
        if deposit.state is not DepositState.REVERTED:
            return [CommandRejected(Rejection.REFERENCE_REUSED, "another payment has this name")]
        # The same transaction may pay something else in the block that it comes to stand in.
        deposit.user_id = owner
        deposit.address = command.address
        deposit.asset = command.asset
        deposit.contract = command.contract
        deposit.atoms = command.atoms
    if deposit.block_id == command.block_id and deposit.state is not DepositState.REVERTED:
        return []
    deposit.block = command.block
    deposit.block_id = command.block_id
    deposit.confirmations = 1
    deposit.state, deposit.reason = _first_state(state, deposit)
    deposit.updated_ns = state.at_ns
    return [DepositChanged(deposit)]


def _first_state(state: FundingState, deposit: Deposit) -> tuple[DepositState, str]:
    listing = state.listing(deposit.asset, deposit.network) if deposit.asset else None
    if listing is None:
        return DepositState.IGNORED, "asset not listed on this network"
    if deposit.atoms < listing.listing.min_deposit:
        return DepositState.IGNORED, "below the minimum deposit"
    return DepositState.SEEN, ""


def confirm_deposit(state: FundingState, command: ConfirmDeposit) -> list[Event]:
    """Count its confirmations; at the network's finality it is the user's."""
    deposit = state.book.deposits.get(f"{command.network}/{command.tx_id}/{command.output}")
    if deposit is None:
        return [CommandRejected(Rejection.UNKNOWN_DEPOSIT)]
    if deposit.state is not DepositState.SEEN:
        return []
    if deposit.block_id != command.block_id:
        return [CommandRejected(Rejection.WRONG_STATE, "it stands in another block")]
    network = state.book.networks[command.network].network
    if command.confirmations < deposit.confirmations:
        return [CommandRejected(Rejection.WRONG_STATE, "confirmations do not go back")]
    deposit.confirmations = command.confirmations
    deposit.updated_ns = state.at_ns
    if command.confirmations < network.finality:
        return [DepositChanged(deposit)]
    listing = state.listing(deposit.asset, deposit.network)
    if listing is None or listing.deposit.status is ServiceStatus.PAUSED:
        # It waits on chain, visibly, and is credited by the first confirmation after reopening.
        deposit.reason = "deposits are paused"
        return [DepositChanged(deposit)]
    deposit.state = DepositState.CREDITED
    deposit.reason = ""
    state.ledger.move(
        state.ledger.balance(state.vault(deposit.network, Vault.DEPOSIT), deposit.asset),
        state.ledger.balance(deposit.user_id, deposit.asset),
        deposit.atoms,
    )
    return [DepositChanged(deposit)]


def revert_deposit(state: FundingState, command: RevertDeposit) -> list[Event]:
    """Note that a reorganisation took it off the chain before it was final."""
    deposit = state.book.deposits.get(f"{command.network}/{command.tx_id}/{command.output}")
    if deposit is None:
        return [CommandRejected(Rejection.UNKNOWN_DEPOSIT)]
    if deposit.state is DepositState.CREDITED:
        return [CommandRejected(Rejection.WRONG_STATE, "it was final and is credited")]
    if deposit.state is DepositState.REVERTED:
        return []
    deposit.state = DepositState.REVERTED
    deposit.reason = command.reason
    deposit.confirmations = 0
    deposit.updated_ns = state.at_ns
    return [DepositChanged(deposit)]
