"""Money going out.  The rule: signed bytes are journaled before they are sent; one payment, once.

A withdrawal holds its amount when it is asked for.  Once bytes are signed it can only be settled
or returned, and both need a final transaction that consumed its slots.  The queue of an asset on a
network is first come, first served: what does not fit its turn waits, and says why.
"""

from typing import Final

from seawall.core.address_book import refuse_address
from seawall.core.funding_state import FundingState
from seawall.core.lease import has_run_out
from seawall.core.slots import most_cost, refuse_attempt, take_slots
from seawall.core.stage_limits import StageRoom, count_prepared, largest
from seawall.core.vaults import book_cost
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import ServiceStatus, Vault, WithdrawalState
from seawall.model.funding_commands import (
    ApproveWithdrawal,
    CancelWithdrawal,
    MarkBroadcast,
    PrepareWithdrawal,
    RejectWithdrawal,
    RequestWithdrawal,
    ReturnWithdrawal,
    SettleWithdrawal,
)
from seawall.model.funding_events import WithdrawalChanged
from seawall.model.funding_rows import FundingAccount, ListingState, NetworkState, Withdrawal
from seawall.model.ids import FEES
from seawall.model.rejections import Rejection

DAY_NS: Final = 86_400 * 1_000_000_000
APPROVALS: Final = 2


def request_withdrawal(state: FundingState, command: RequestWithdrawal) -> list[Event]:
    """Hold the amount and put the withdrawal into its queue, or before its approvers.

    A client id that was used before answers with the withdrawal it made, if it is the same one.
    """
    before = state.book.accounts.get(command.user_id)
    known = before.withdrawals.get(command.client_withdrawal_id) if before else None
    if command.client_withdrawal_id and known is not None:
        return [_asked_before(state.book.withdrawals[known], command)]
    refusal = refuse_request(state, command)
    if refusal is not None:
        return [refusal]
    listing = state.book.listings[f"{command.asset}/{command.network}"]
    approved = command.atoms <= listing.listing.approval_above
    withdrawal = Withdrawal(
        withdrawal_id=state.book.next_withdrawal_id,
        user_id=command.user_id,
        asset=command.asset,
        network=command.network,
        address=command.address,
        atoms=command.atoms,
        fee=listing.listing.withdrawal_fee,
        client_withdrawal_id=command.client_withdrawal_id,
        state=WithdrawalState.QUEUED if approved else WithdrawalState.AWAITING_APPROVAL,
        requested_ns=state.at_ns,
        updated_ns=state.at_ns,
    )
    state.book.next_withdrawal_id += 1
    state.book.withdrawals[withdrawal.withdrawal_id] = withdrawal
    account = state.account(command.user_id)
    if command.client_withdrawal_id:
        account.withdrawals[command.client_withdrawal_id] = withdrawal.withdrawal_id
    recent = _spent_today(state, account, command.asset)
    account.spent[command.asset] = [*recent, (state.at_ns, command.atoms)]
    state.ledger.hold(state.ledger.balance(command.user_id, command.asset), command.atoms)
    if approved:
        listing.queue.append(withdrawal.withdrawal_id)
    return [WithdrawalChanged(withdrawal)]


def _asked_before(known: Withdrawal, command: RequestWithdrawal) -> Event:
    """Answer with what the client id names; never let another payment pass for it."""
    asked = (command.asset, command.network, command.address, command.atoms)
    if (known.asset, known.network, known.address, known.atoms) != asked:
        return CommandRejected(Rejection.REFERENCE_REUSED, command.client_withdrawal_id)
    return WithdrawalChanged(known, repeated=True)


def refuse_request(
    state: FundingState, command: RequestWithdrawal, coming: int = 0
) -> CommandRejected | None:
    """Return why it would be refused now, or None; `coming` atoms are about to arrive."""
    if command.user_id <= 0:
        return CommandRejected(Rejection.UNKNOWN_USER)
    network = state.book.networks.get(command.network)
    if network is None:
        return CommandRejected(Rejection.UNKNOWN_NETWORK)
    listing = state.listing(command.asset, command.network)
    if listing is None:
        return CommandRejected(Rejection.UNKNOWN_LISTING)
    if listing.withdrawal.status is ServiceStatus.PAUSED:
        return CommandRejected(Rejection.WITHDRAWALS_PAUSED, listing.withdrawal.reason)
    if has_run_out(state):
        return CommandRejected(Rejection.LEASE_RUN_OUT)
    limited = listing.withdrawal.status is ServiceStatus.LIMITED
    if limited and command.atoms > largest(listing):
        return CommandRejected(Rejection.WITHDRAWALS_LIMITED, listing.withdrawal.reason)
    if command.atoms < listing.listing.min_withdrawal:
        return CommandRejected(Rejection.BELOW_MINIMUM)
    decimals = state.book.assets[command.asset].decimals
    if command.atoms % int(10 ** (decimals - listing.listing.chain_decimals)):
        return CommandRejected(Rejection.TOO_MANY_DECIMALS)
    wrong_address = refuse_address(state, command.user_id, command.network, command.address)
    if wrong_address is not None:
        return wrong_address
    room = daily_room(state, command.user_id, command.asset)
    if room is not None and command.atoms > room:
        return CommandRejected(Rejection.DAILY_LIMIT)
    if state.ledger.free(command.user_id, command.asset) + coming < command.atoms:
        return CommandRejected(Rejection.INSUFFICIENT_BALANCE)
    return None


def daily_room(state: FundingState, user_id: int, asset: str) -> int | None:
    """Return what the user may still withdraw of the asset within these 24 hours, in atoms.

    None: the user's tier has no limit.
    """
    account = state.book.accounts.get(user_id)
    tier = account.tier if account else 0
    limit = state.book.daily_limits.get(f"{tier}/{asset}")
    if limit is None:
        return None
    recent = _spent_today(state, account, asset) if account else []
    return limit - sum([atoms for _, atoms in recent])


def _spent_today(state: FundingState, account: FundingAccount, asset: str) -> list[tuple[int, int]]:
    since_ns = state.at_ns - DAY_NS
    return [row for row in account.spent.get(asset, []) if row[0] > since_ns]


def cancel_withdrawal(state: FundingState, command: CancelWithdrawal) -> list[Event]:
    """Its owner takes it back, while nothing was signed."""
    withdrawal = state.book.withdrawals.get(command.withdrawal_id)
    if withdrawal is None or withdrawal.user_id != command.user_id:
        return [CommandRejected(Rejection.UNKNOWN_WITHDRAWAL)]
    if withdrawal.state is WithdrawalState.CANCELED:
        return [WithdrawalChanged(withdrawal, repeated=True)]
    if not withdrawal.state.cancelable:
        return [CommandRejected(Rejection.NOT_CANCELABLE, withdrawal.state.value)]
    _give_back(state, withdrawal, WithdrawalState.CANCELED, "canceled by its owner")
    return [WithdrawalChanged(withdrawal)]


def approve_withdrawal(state: FundingState, command: ApproveWithdrawal) -> list[Event]:
    """One of two people lets it pass."""
    withdrawal = state.book.withdrawals.get(command.withdrawal_id)
    if withdrawal is None:
        return [CommandRejected(Rejection.UNKNOWN_WITHDRAWAL)]
    if withdrawal.state is not WithdrawalState.AWAITING_APPROVAL:
        return [CommandRejected(Rejection.WRONG_STATE, withdrawal.state.value)]
    if not _one_name(command.person):
        return [CommandRejected(Rejection.INVALID_DEFINITION, "person")]
    if _one_name(command.person) in [_one_name(known) for known in withdrawal.approvals]:
        return [CommandRejected(Rejection.SAME_PERSON, command.person)]
    withdrawal.approvals.append(command.person)
    withdrawal.updated_ns = state.at_ns
    if len(withdrawal.approvals) >= APPROVALS:
        withdrawal.state = WithdrawalState.QUEUED
        _listing_of(state, withdrawal).queue.append(withdrawal.withdrawal_id)
    return [WithdrawalChanged(withdrawal)]


def _one_name(person: str) -> str:
    """Return a name as it is compared: neither case nor space makes a second person."""
    return "".join(person.split()).casefold()


def reject_withdrawal(state: FundingState, command: RejectWithdrawal) -> list[Event]:
    """Refuse it in a person's name, while nothing was signed."""
    withdrawal = state.book.withdrawals.get(command.withdrawal_id)
    if withdrawal is None:
        return [CommandRejected(Rejection.UNKNOWN_WITHDRAWAL)]
    if not command.person or not command.reason:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "person and reason")]
    if not withdrawal.state.cancelable:
        return [CommandRejected(Rejection.WRONG_STATE, withdrawal.state.value)]
    _give_back(state, withdrawal, WithdrawalState.REJECTED, command.reason)
    return [WithdrawalChanged(withdrawal)]


def prepare_withdrawal(state: FundingState, command: PrepareWithdrawal) -> list[Event]:
    """Journal the first signed bytes, or a replacement that spends the same slots."""
    withdrawal = state.book.withdrawals.get(command.withdrawal_id)
    if withdrawal is None:
        return [CommandRejected(Rejection.UNKNOWN_WITHDRAWAL)]
    attempt = command.attempt
    if any(known.tx_id == attempt.tx_id for known in withdrawal.attempts):
        return [WithdrawalChanged(withdrawal, repeated=True)]
    first = not withdrawal.attempts
    if first:
        wait = why_not_now(state, withdrawal)
        if wait is not None:
            return [CommandRejected(wait)]
    elif withdrawal.state not in (WithdrawalState.PREPARED, WithdrawalState.BROADCAST):
        return [CommandRejected(Rejection.WRONG_STATE, withdrawal.state.value)]
    network = state.book.networks[withdrawal.network]
    refusal = refuse_attempt(network, withdrawal.payment, withdrawal.attempts, attempt)
    if refusal is not None:
        return [refusal]
    if first and not _gas_covered(state, network, withdrawal, attempt.max_cost):
        return [CommandRejected(Rejection.HOT_WALLET_LOW, network.network.native)]
    take_slots(network, withdrawal.payment, withdrawal.attempts, attempt)
    withdrawal.attempts.append(attempt)
    withdrawal.updated_ns = state.at_ns
    if first:
        withdrawal.state = WithdrawalState.PREPARED
        listing = _listing_of(state, withdrawal)
        listing.queue.remove(withdrawal.withdrawal_id)
        listing.reserved += withdrawal.atoms - withdrawal.fee
        count_prepared(listing, withdrawal)
    return [WithdrawalChanged(withdrawal)]


def why_not_now(state: FundingState, withdrawal: Withdrawal) -> Rejection | None:
    """Return what keeps the withdrawal from being prepared now, or None: it is its turn."""
    if withdrawal.state is not WithdrawalState.QUEUED:
        return Rejection.WRONG_STATE
    listing = _listing_of(state, withdrawal)
    service = listing.withdrawal
    if service.status is ServiceStatus.PAUSED:
        return Rejection.WITHDRAWALS_PAUSED
    if has_run_out(state):
        return Rejection.LEASE_RUN_OUT
    room = StageRoom(listing)
    if room.refusal(withdrawal):
        return Rejection.WITHDRAWALS_LIMITED
    for earlier_id in listing.queue:
        if earlier_id == withdrawal.withdrawal_id:
            break
        # What does not fit a limited service lets others pass; it keeps its place.
        if not room.refusal(state.book.withdrawals[earlier_id]):
            return Rejection.OUT_OF_TURN
    if hot_cover(state, listing) < withdrawal.atoms - withdrawal.fee:
        return Rejection.HOT_WALLET_LOW
    return None


def hot_cover(state: FundingState, listing: ListingState) -> int:
    """Return what the hot wallet can pay now: its ledger amount less reserved and floor."""
    terms = listing.listing
    network = state.book.networks[terms.network]
    held = state.held_in(terms.network, Vault.HOT, terms.asset)
    costs = network.cost_reserved if network.network.native == terms.asset else 0
    return held - listing.reserved - costs - terms.hot_floor


def _gas_covered(
    state: FundingState, network: NetworkState, withdrawal: Withdrawal, max_cost: int
) -> bool:
    """Say whether the hot wallet can pay the network as well; its floor may be used for that."""
    native = state.listing(network.network.native, withdrawal.network)
    if native is None:
        return True
    held = state.held_in(withdrawal.network, Vault.HOT, network.network.native)
    paid = withdrawal.atoms - withdrawal.fee if native.listing.asset == withdrawal.asset else 0
    return held - native.reserved - network.cost_reserved - paid >= max_cost


def mark_broadcast(state: FundingState, command: MarkBroadcast) -> list[Event]:
    """Note that an endpoint took the bytes; they may be sent again, anywhere, at any time."""
    withdrawal = state.book.withdrawals.get(command.withdrawal_id)
    if withdrawal is None:
        return [CommandRejected(Rejection.UNKNOWN_WITHDRAWAL)]
    if all(known.tx_id != command.tx_id for known in withdrawal.attempts):
        return [CommandRejected(Rejection.WRONG_STATE, "no such attempt")]
    if withdrawal.state.ended or command.tx_id in withdrawal.broadcast:
        return []
    withdrawal.state = WithdrawalState.BROADCAST
    withdrawal.broadcast.append(command.tx_id)
    withdrawal.updated_ns = state.at_ns
    return [WithdrawalChanged(withdrawal)]


def settle_withdrawal(state: FundingState, command: SettleWithdrawal) -> list[Event]:
    """One of its transactions paid and is final: the held amount has left."""
    found = _signed(state, command.withdrawal_id, command.confirmations, command.cost)
    if isinstance(found, CommandRejected):
        return [found]
    if all(known.tx_id != command.tx_id for known in found.attempts):
        return [CommandRejected(Rejection.WRONG_STATE, "no such attempt")]
    if found.state.ended:
        return _said_before(found, WithdrawalState.SETTLED, command.tx_id)
    hot = state.vault(found.network, Vault.HOT)
    owner = state.ledger.balance(found.user_id, found.asset)
    paid = found.atoms - found.fee
    state.ledger.spend(owner, state.ledger.balance(hot, found.asset), paid)
    state.ledger.spend(owner, state.ledger.balance(FEES, found.asset), found.fee)
    _pay_cost(state, found, command.cost)
    found.state = WithdrawalState.SETTLED
    found.tx_id = command.tx_id
    found.cost = command.cost
    found.confirmations = command.confirmations
    found.updated_ns = state.at_ns
    _listing_of(state, found).reserved -= paid
    return [WithdrawalChanged(found)]


def return_withdrawal(state: FundingState, command: ReturnWithdrawal) -> list[Event]:
    """Its slots are consumed by a final transaction that paid nothing: the hold is released."""
    found = _signed(state, command.withdrawal_id, command.confirmations, command.cost)
    if isinstance(found, CommandRejected):
        return [found]
    if not command.tx_id or not command.reason:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "tx_id and reason")]
    if found.state.ended:
        return _said_before(found, WithdrawalState.RETURNED, command.tx_id)
    _pay_cost(state, found, command.cost)
    found.tx_id = command.tx_id
    found.cost = command.cost
    found.confirmations = command.confirmations
    _listing_of(state, found).reserved -= found.atoms - found.fee
    _give_back(state, found, WithdrawalState.RETURNED, command.reason)
    return [WithdrawalChanged(found)]


def _signed(
    state: FundingState, withdrawal_id: int, confirmations: int, cost: int
) -> Withdrawal | CommandRejected:
    withdrawal = state.book.withdrawals.get(withdrawal_id)
    if withdrawal is None:
        return CommandRejected(Rejection.UNKNOWN_WITHDRAWAL)
    if not withdrawal.attempts:
        return CommandRejected(Rejection.WRONG_STATE, withdrawal.state.value)
    if confirmations < state.book.networks[withdrawal.network].network.finality:
        return CommandRejected(Rejection.NOT_FINAL)
    if cost < 0:
        return CommandRejected(Rejection.INVALID_DEFINITION, "cost")
    return withdrawal


def _said_before(found: Withdrawal, ended: WithdrawalState, tx_id: str) -> list[Event]:
    """Take a repetition in silence; say so if finality contradicts itself."""
    if found.state is ended and found.tx_id == tx_id:
        return []
    return [CommandRejected(Rejection.WRONG_STATE, f"{found.state.value} by {found.tx_id}")]


def _pay_cost(state: FundingState, withdrawal: Withdrawal, cost: int) -> None:
    """Book what the network charged the hot wallet: the exchange's expense."""
    network = state.book.networks[withdrawal.network]
    network.cost_reserved -= most_cost(withdrawal.attempts)
    book_cost(state, withdrawal.network, Vault.HOT, cost)


def _give_back(
    state: FundingState, withdrawal: Withdrawal, ended: WithdrawalState, reason: str
) -> None:
    listing = _listing_of(state, withdrawal)
    if withdrawal.withdrawal_id in listing.queue:
        listing.queue.remove(withdrawal.withdrawal_id)
    balance = state.ledger.balance(withdrawal.user_id, withdrawal.asset)
    state.ledger.release(balance, withdrawal.atoms)
    withdrawal.state = ended
    withdrawal.reason = reason
    withdrawal.updated_ns = state.at_ns
    # What did not leave does not count against the day's limit.
    spent = state.account(withdrawal.user_id).spent.get(withdrawal.asset, [])
    if (withdrawal.requested_ns, withdrawal.atoms) in spent:
        spent.remove((withdrawal.requested_ns, withdrawal.atoms))


def _listing_of(state: FundingState, withdrawal: Withdrawal) -> ListingState:
    return state.book.listings[f"{withdrawal.asset}/{withdrawal.network}"]
