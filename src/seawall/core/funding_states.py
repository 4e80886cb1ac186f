"""How deposits and withdrawals may move.  The rule: what is not in the tables never happens.

docs/internals/funding.md is drawn from these tables; tests hold the core to them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from seawall.model.funding import DepositState, WithdrawalState

# fmt: off
WITHDRAWAL_MOVES: Final[
    Mapping[tuple[WithdrawalState | None, WithdrawalState], str]
] = MappingProxyType({
    (None, WithdrawalState.QUEUED):                           "asked for",
    (None, WithdrawalState.AWAITING_APPROVAL):                "asked for, above the threshold",
    (WithdrawalState.AWAITING_APPROVAL, WithdrawalState.QUEUED):   "a second person approves",
    (WithdrawalState.AWAITING_APPROVAL, WithdrawalState.CANCELED): "its owner cancels",
    (WithdrawalState.AWAITING_APPROVAL, WithdrawalState.REJECTED): "a person rejects",
    (WithdrawalState.QUEUED, WithdrawalState.CANCELED):       "its owner cancels",
    (WithdrawalState.QUEUED, WithdrawalState.REJECTED):       "rejected",
    (WithdrawalState.QUEUED, WithdrawalState.PREPARED):       "signed bytes are journaled",
    (WithdrawalState.PREPARED, WithdrawalState.BROADCAST):    "an endpoint took them",
    (WithdrawalState.PREPARED, WithdrawalState.SETTLED):      "paid, at finality",
    (WithdrawalState.PREPARED, WithdrawalState.RETURNED):     "can never be paid, at finality",
    (WithdrawalState.BROADCAST, WithdrawalState.SETTLED):     "paid, at finality",
    (WithdrawalState.BROADCAST, WithdrawalState.RETURNED):    "can never be paid, at finality",
})

DEPOSIT_MOVES: Final[Mapping[tuple[DepositState | None, DepositState], str]] = MappingProxyType({
    (None, DepositState.SEEN):                  "stands in a block",
    (None, DepositState.IGNORED):               "dust, or not listed",
    (DepositState.SEEN, DepositState.CREDITED): "final",
    (DepositState.SEEN, DepositState.REVERTED): "reorganised away",
    (DepositState.SEEN, DepositState.IGNORED):  "moved to another block; the minimum rose",
    (DepositState.IGNORED, DepositState.SEEN):  "moved to another block; the minimum fell",
    (DepositState.IGNORED, DepositState.REVERTED): "reorganised away",
    (DepositState.REVERTED, DepositState.SEEN): "mined again",
    (DepositState.REVERTED, DepositState.IGNORED): "mined again, as dust",
})
# fmt: on
