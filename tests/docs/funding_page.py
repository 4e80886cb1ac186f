"""Writes `docs/internals/funding.md`.  The rule: the tables in the code are the page.

python -m tests.docs.funding_page docs/internals/funding.md
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from seawall.core.funding_states import DEPOSIT_MOVES, WITHDRAWAL_MOVES
from seawall.model.funding import DepositState, Wait, WithdrawalState

HEAD = """\
# Funding: money in and out

Generated from `core/funding_states.py` and `tests/docs/funding_page.py`; a test compares.

Funding is a cell of its own, with its own journal. Its ledger holds the users' main wallets and
stands opposite to what the exchange has on each network: a vault's account is at minus what the
vault holds, so every asset sums to zero, and a wrong sum is a broken invariant, not a report.

## Reading order

| file | owns |
|---|---|
| `model/funding.py`, `funding_rows.py` | states, terms, and the records of the cell |
| `model/funding_commands.py`, `funding_events.py` | what is asked, and what happened |
| `core/funding.py` | the one dispatch |
| `core/withdrawals.py`, `slots.py`, `withdrawal_queue.py` | money going out |
| `core/lease.py`, `stage_limits.py`, `canaries.py` | what incident control orders |
| `core/deposits.py` | money coming in |
| `core/vaults.py` | the exchange's own wallets, and reconciliation |
| `core/top_ups.py` | what the hot wallets lack |
| `core/address_book.py` | where a user's money may go |
| `core/mailbox.py` | messages to and from other cells |
| `treasury/payouts.py`, `sweeps.py`, `reconciler.py` | pipelines: facts in, effects out |
| `treasury/payout_driver.py`, `treasury_driver.py` | the loops around them |
"""

WITHDRAWALS = """
## Withdrawals

The amount is held from the request to the end. Up to `queued` nothing is signed, and its owner may
take it back; from `prepared` on only a final transaction ends it.

"""

AFTER_WITHDRAWALS = """
A withdrawal that has not arrived always says why:

"""

WAITS = {
    Wait.APPROVAL: "above the threshold; two different people must pass it",
    Wait.PAUSED: "the asset's withdrawals are paused on this network; the reason is told",
    Wait.LEASE: "incident control has not said within seconds that withdrawals may run",
    Wait.LIMITED: "it does not fit what the limited service pays now; it keeps its place",
    Wait.TURN: "first come, first served, for each asset and network",
    Wait.HOT_WALLET: "the hot wallet would fall below its floor; cold storage is asked to send",
    Wait.SIGNING: "its turn has come",
    Wait.SENDING: "its bytes are journaled, no endpoint has said that it took them",
    Wait.CONFIRMATIONS: "sent; not final yet",
}

DEPOSITS = """
## Deposits

A deposit is named by network, transaction and output, for ever, whichever block it stands in.
`credited` has no way out: a chain that breaks its own finality is met by reconciliation.

Deposit addresses are derived at an index, and a user has one index for all networks of a kind
(EVM, UTXO). Networks of a kind that share their keys share the user's address, and it is watched on
all of them from the day it is given out: a coin sent over the wrong one is that user's, or is seen
as not listed there, and never a stranger's. A network that is listed, or begins to run, only later
watches an address from when its user next asks for one.

"""

SLOTS = """
## Slots

What a chain lets be used once is a slot: `lane/nonce` on an EVM network, an outpoint on a UTXO
network. The journal gives a slot to one payment, for ever. All attempts of a payment share the
first one's slots, so the chain can accept one of them at most; a replacement only pays the network
more.

## Reconciliation

`ReportReconciliation` tells what stands at all addresses at one block, with what is on chain but
not final. The core compares with its vaults. A difference of one atom pauses that asset's
withdrawals on that network, with the figure as the reason; only a person opens them again. Figures
that were taken while a vault changed are refused (`wrong_state`), not guessed right.

## Orders of incident control

An order has a number. Each service, and transfers as a whole, remember the last that they applied:
one below is refused (`stale_order`), the same again answers with nothing changed, so an order may
come late or twice. What people and reconciliation do has no number, and leaves control's standing.

**The lease.** `GrantLease` lets withdrawals be prepared until the journal's time passes its end.
Its number only rises, and it ends at most 15 s after the entry that takes it, so a granter whose
clock or honesty is off cannot open withdrawals for long; one that ends earlier takes the rest back.
From the first one on, a journal without a living lease prepares no withdrawal and takes none in
(`lease_run_out`). Granted for 4 s each second, it ends withdrawals within 5 s of whatever befalls
control, its watchers, or the network between. What needs none:

- a replacement of bytes that are journaled: it spends the same slots for the same payee and amount,
  so the chain can still pay once at most, and a stuck payment is no reason to keep a user waiting;
- following what was sent: broadcast, settling, returning;
- cancels, deposits, and what moves between the exchange's own wallets.

**Stages.** While a service is limited, an order may bound each withdrawal (else the listing's
`limited_max`), each user, and all users together, counted over what was prepared since that order;
what is returned unpaid still counts. The sums begin anew whenever the service is set. The queue is
first come, first served among those that fit: whoever does not fit now (too large, the user's share
or the stage's total used up) keeps the place and lets others pass, and is first again in a wider
stage. A request above the largest single withdrawal is refused while the service is limited.

**Transfers.** Paused, none begins in that cell (`transfers_paused`); what is under way arrives, or
comes back.

**Canaries.** `OrderCanary` wants a payment to ourselves, of what the smallest withdrawal pays, from
the hot wallet through signer and chain to the first cold address, as the vault move `canary/KEY`. A
key takes effect once. Its row follows the move (`wanted`, `sent`, `settled`, `failed`); while
it cannot be paid (no cold address, hot wallet too low, fees too high) the row says so and it is
tried again; a newer one for the same asset and network takes the place of one that is not signed.
"""


def _diagram(moves: Iterable[tuple[str, str, str]], ended: Iterable[str]) -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {now or '[*]'} --> {then} : {why}" for now, then, why in moves]
    lines += [f"    {state} --> [*]" for state in ended]
    return "\n".join([*lines, "```", ""])


def page() -> str:
    """Return the whole page."""
    ended = [state.value for state in WithdrawalState if state.ended]
    out = [(now or "", then.value, why) for (now, then), why in WITHDRAWAL_MOVES.items()]
    into = [(now or "", then.value, why) for (now, then), why in DEPOSIT_MOVES.items()]
    waits = ["| wait | because |", "|---|---|"]
    waits += [f"| `{wait.value}` | {why} |" for wait, why in WAITS.items()]
    return "".join(
        [
            HEAD,
            WITHDRAWALS,
            _diagram(out, ended),
            AFTER_WITHDRAWALS,
            "\n".join([*waits, ""]),
            DEPOSITS,
            _diagram(into, [DepositState.CREDITED.value]),
            SLOTS,
        ]
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), "utf-8")
