"""The funding cell: one dispatch.  The rule: the same as core/machine.py, for money in and out."""

from typing import assert_never

from seawall.core import (
    address_book,
    canaries,
    deposits,
    funding_setup,
    lease,
    mailbox,
    vaults,
    withdrawals,
)
from seawall.core.funding_state import FundingState
from seawall.lib.invariants import invariant
from seawall.model import funding_commands as f
from seawall.model import limits
from seawall.model.commands import (
    Checkpoint,
    Deliver,
    Lead,
    ListAsset,
    RequestTransfer,
    Settle,
    SetTransfers,
    Tick,
)
from seawall.model.events import BalanceChanged, CommandRejected, CommandRepeated, Event, Led
from seawall.model.ids import FUNDING, HIGHEST_VAULT, MONEY_CELLS
from seawall.model.rejections import Rejection


def commit_funding(
    state: FundingState,
    command: f.FundingCommand,
    *,
    sequence: int,
    at_ns: int,
    command_id: str = "",
) -> list[Event]:
    """Apply the journal entry; return what happened, balances last."""
    book = state.book
    invariant(sequence == book.sequence + 1, "entries are applied in order, without holes")
    invariant(at_ns > book.at_ns, "journal time strictly increases")
    book.sequence = sequence
    book.at_ns = at_ns
    repeated = book.command_ids.get(command_id) if command_id else None
    if repeated is not None:
        return [CommandRepeated(repeated)]
    events = _dispatch(state, command)
    state.index.on_events(events)
    if command_id and not (events and isinstance(events[0], CommandRejected)):
        book.command_ids[command_id] = sequence
        if len(book.command_ids) > limits.COMMAND_IDS:
            del book.command_ids[next(iter(book.command_ids))]
    before = len(events)
    state.ledger.take_changes(events)
    for event in events[before:]:
        if isinstance(event, BalanceChanged) and event.user_id <= HIGHEST_VAULT:
            book.vaults_changed = sequence
    return events


def _dispatch(state: FundingState, command: f.FundingCommand) -> list[Event]:
    match command:
        case Tick() | Checkpoint():
            return []
        case Lead():
            return _lead(state, command)
        case RequestTransfer() | Deliver() | Settle() | SetTransfers():
            return _message(state, command)
        case f.OpenDepositAddress() | f.SeeDeposit() | f.ConfirmDeposit() | f.RevertDeposit():
            return _deposit(state, command)
        case (
            f.RequestWithdrawal()
            | f.CancelWithdrawal()
            | f.ApproveWithdrawal()
            | f.RejectWithdrawal()
            | f.PrepareWithdrawal()
            | f.MarkBroadcast()
            | f.SettleWithdrawal()
            | f.ReturnWithdrawal()
        ):
            return _withdrawal(state, command)
        case (
            f.BookCapital()
            | f.PrepareVaultMove()
            | f.MarkMoveBroadcast()
            | f.SettleVaultMove()
            | f.RecordTopUp()
            | f.ReportReconciliation()
        ):
            return _vault(state, command)
        case f.SetService() | f.GrantLease() | f.OrderCanary() | f.DelayCanary():
            return _control(state, command)
        case _:
            return _set_up(state, command)


def _lead(state: FundingState, command: Lead) -> list[Event]:
    invariant(command.epoch > state.epoch, "each leader has a higher epoch than the one before")
    state.book.epoch = command.epoch
    return [Led(command.epoch, command.node)]


def _message(
    state: FundingState, command: RequestTransfer | Deliver | Settle | SetTransfers
) -> list[Event]:
    box = state.book.mailbox
    match command:
        case RequestTransfer():
            if command.target not in MONEY_CELLS or command.target == FUNDING:
                return [CommandRejected(Rejection.UNKNOWN_TRANSFER, command.target)]
            if command.asset not in state.book.assets:
                return [CommandRejected(Rejection.UNKNOWN_ASSET)]
            return mailbox.request_transfer(box, state.ledger, command, state.at_ns)
        case Deliver():
            if command.source == FUNDING:
                return [CommandRejected(Rejection.UNKNOWN_TRANSFER, command.source)]
            known = command.message.asset in state.book.assets
            return mailbox.deliver(box, state.ledger, command, known)
        case Settle():
            return mailbox.settle(box, state.ledger, command, state.at_ns)
        case SetTransfers():
            return mailbox.set_transfers(box, command, state.at_ns)
        case _:
            assert_never(command)


def _deposit(
    state: FundingState,
    command: f.OpenDepositAddress | f.SeeDeposit | f.ConfirmDeposit | f.RevertDeposit,
) -> list[Event]:
    match command:
        case f.OpenDepositAddress():
            return deposits.open_deposit_address(state, command)
        case f.SeeDeposit():
            return deposits.see_deposit(state, command)
        case f.ConfirmDeposit():
            return deposits.confirm_deposit(state, command)
        case f.RevertDeposit():
            return deposits.revert_deposit(state, command)
        case _:
            assert_never(command)


def _withdrawal(
    state: FundingState,
    command: f.RequestWithdrawal
    | f.CancelWithdrawal
    | f.ApproveWithdrawal
    | f.RejectWithdrawal
    | f.PrepareWithdrawal
    | f.MarkBroadcast
    | f.SettleWithdrawal
    | f.ReturnWithdrawal,
) -> list[Event]:
    match command:
        case f.RequestWithdrawal():
            return withdrawals.request_withdrawal(state, command)
        case f.CancelWithdrawal():
            return withdrawals.cancel_withdrawal(state, command)
        case f.ApproveWithdrawal():
            return withdrawals.approve_withdrawal(state, command)
        case f.RejectWithdrawal():
            return withdrawals.reject_withdrawal(state, command)
        case f.PrepareWithdrawal():
            return withdrawals.prepare_withdrawal(state, command)
        case f.MarkBroadcast():
            return withdrawals.mark_broadcast(state, command)
        case f.SettleWithdrawal():
            return withdrawals.settle_withdrawal(state, command)
        case f.ReturnWithdrawal():
            return withdrawals.return_withdrawal(state, command)
        case _:
            assert_never(command)


def _vault(
    state: FundingState,
    command: f.BookCapital
    | f.PrepareVaultMove
    | f.MarkMoveBroadcast
    | f.SettleVaultMove
    | f.RecordTopUp
    | f.ReportReconciliation,
) -> list[Event]:
    match command:
        case f.BookCapital():
            return vaults.book_capital(state, command)
        case f.PrepareVaultMove():
            return vaults.prepare_vault_move(state, command)
        case f.MarkMoveBroadcast():
            return vaults.mark_move_broadcast(state, command)
        case f.SettleVaultMove():
            return vaults.settle_vault_move(state, command)
        case f.RecordTopUp():
            return vaults.record_top_up(state, command)
        case f.ReportReconciliation():
            return vaults.reconcile(state, command)
        case _:
            assert_never(command)


def _control(
    state: FundingState,
    command: f.SetService | f.GrantLease | f.OrderCanary | f.DelayCanary,
) -> list[Event]:
    match command:
        case f.SetService():
            return funding_setup.set_service(state, command)
        case f.GrantLease():
            return lease.grant_lease(state, command)
        case f.OrderCanary():
            return canaries.order_canary(state, command)
        case f.DelayCanary():
            return canaries.delay_canary(state, command)
        case _:
            assert_never(command)


def _set_up(
    state: FundingState,
    command: ListAsset
    | f.ListNetwork
    | f.OfferAsset
    | f.SetDailyLimit
    | f.SetFundingTier
    | f.SetAddressWait
    | f.AddAddress
    | f.RemoveAddress
    | f.SetAllowList,
) -> list[Event]:
    match command:
        case ListAsset():
            return funding_setup.list_asset(state, command)
        case f.ListNetwork():
            return funding_setup.list_network(state, command)
        case f.OfferAsset():
            return funding_setup.offer_asset(state, command)
        case f.SetDailyLimit():
            return funding_setup.set_daily_limit(state, command)
        case f.SetFundingTier():
            return funding_setup.set_funding_tier(state, command)
        case f.SetAddressWait():
            return funding_setup.set_address_wait(state, command)
        case f.AddAddress():
            return address_book.add_address(state, command)
        case f.RemoveAddress():
            return address_book.remove_address(state, command)
        case f.SetAllowList():
            return address_book.set_allow_list(state, command)
        case _:
            assert_never(command)
