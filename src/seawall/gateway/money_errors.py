"""Answers to what funding and control refuse.  The rule: codes and texts are Binance's wallet ones.

Where Binance has no code for a refusal, the nearest is taken and the text says what happened.
"""

from collections.abc import Mapping

from seawall.model.rejections import Rejection

FUNDING_REJECTIONS: Mapping[Rejection, tuple[int, str]] = {
    Rejection.UNKNOWN_NETWORK: (-1130, "Data sent for parameter 'network' is not valid."),
    Rejection.UNKNOWN_LISTING: (-4018, "We don't have this asset."),
    Rejection.UNKNOWN_TRANSFER: (-1130, "Data sent for parameter 'type' is not valid."),
    Rejection.UNKNOWN_DEPOSIT: (-1130, "Data sent for parameter 'txId' is not valid."),
    Rejection.UNKNOWN_WITHDRAWAL: (-4029, "The withdrawal record does not exist."),
    Rejection.OUT_OF_ORDER: (-1130, "Another message is next."),
    Rejection.INDEX_TAKEN: (-1130, "Another address is next."),
    Rejection.WITHDRAWALS_PAUSED: (-4019, "Current asset is not open for withdrawal."),
    Rejection.WITHDRAWALS_LIMITED: (-4015, "Withdraw is limited."),
    Rejection.BELOW_MINIMUM: (-4022, "Not less than the minimum pick-up quantity."),
    Rejection.TOO_MANY_DECIMALS: (-4021, "Asset withdrawal has too many decimals."),
    Rejection.ADDRESS_INVALID: (-4007, "The address validation is not passed."),
    Rejection.OWN_ADDRESS: (-4033, "Illegal address: it takes deposits to this exchange."),
    Rejection.ADDRESS_NOT_IN_BOOK: (
        -4035,
        "This address is not on the whitelist. Please join and try again.",
    ),
    Rejection.ADDRESS_WAITING: (-4036, "The new address needs to wait before withdrawals."),
    Rejection.ADDRESS_BOOK_FULL: (-1130, "The address book has no room for another address."),
    Rejection.DAILY_LIMIT: (
        -4023,
        "Within 24 hours, the withdrawal exceeds the maximum amount.",
    ),
    Rejection.WRONG_STATE: (-1130, "Its present state does not allow this."),
    Rejection.NOT_CANCELABLE: (-4031, "Cancellation failed."),
    Rejection.SAME_PERSON: (-1130, "A second approval must come from another person."),
    Rejection.OUT_OF_TURN: (-1130, "Another withdrawal is before it."),
    Rejection.HOT_WALLET_LOW: (-1130, "The hot wallet does not cover it yet."),
    Rejection.SLOT_TAKEN: (-1130, "Another payment holds this slot."),
    Rejection.SLOTS_DIFFER: (-1130, "A replacement must spend the slots of the first."),
    Rejection.NOT_FINAL: (-1130, "It is not final yet."),
    Rejection.LEASE_RUN_OUT: (
        -4019,
        "Withdrawals stopped by themselves: nobody has said lately that all is well.",
    ),
    Rejection.TRANSFERS_PAUSED: (-4019, "Transfers between wallets are paused."),
}

CONTROL_REJECTIONS: Mapping[Rejection, tuple[int, str]] = {
    Rejection.STALE_ORDER: (-1130, "A later order has been applied."),
    Rejection.RUNBOOK_INVALID: (-1130, "The runbook contradicts itself."),
    Rejection.UNKNOWN_WATCHER: (-1130, "No such watcher is registered."),
    Rejection.REPORT_REPEATED: (-1130, "This report, or a later one, was taken before."),
    Rejection.REPORT_CLOCK: (-1130, "The report's moment is too far from the journal's."),
    Rejection.UNKNOWN_SERVICE: (-1130, "There is no such service."),
    Rejection.UNKNOWN_INCIDENT: (-1130, "There is no such incident."),
    Rejection.UNKNOWN_PLAN: (-1130, "There is no such plan."),
    Rejection.UNKNOWN_MAINTENANCE: (-1130, "There is no such maintenance."),
    Rejection.NOT_TOWARDS_LESS: (-1130, "Only a plan opens a service; an order closes it."),
    Rejection.STILL_CLOSED: (-1130, "A service of it is not open yet."),
    Rejection.PLAN_ENDED: (-1130, "The plan has ended."),
    Rejection.WRONG_STAGE: (-1130, "Another stage is next."),
}
