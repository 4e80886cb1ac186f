"""Deposits found in blocks.  The rule: a deposit is confirmed only where it stands now.

Sans-I/O: heads and blocks come in, effects go out, and the funding cell alone remembers.  After a
restart the scan begins below the newest deposit that the cell knows, by as much as a chain may
still change.  A reorganisation that reaches below finality is not repaired: it is said loudly, the
network's services are paused in the journal, and people decide.
"""

from collections.abc import Collection, Iterator
from enum import StrEnum

from msgspec import Struct

from seawall.core.funding_state import FundingState
from seawall.model.funding import DepositState, Listing, Service, ServiceStatus
from seawall.model.funding_commands import (
    ConfirmDeposit,
    FundingCommand,
    RevertDeposit,
    SeeDeposit,
    SetService,
)
from seawall.model.funding_rows import Deposit
from seawall.model.ids import AssetCode
from seawall.treasury.chain import Block, Payment, to_atoms

UNLISTED_PER_BLOCK = 16
"""More of them are counted, not journaled: sending worthless tokens costs a stranger little."""
PERSON = "treasury"


class ReadBlock(Struct, frozen=True, kw_only=True):
    """Read the block at this height with its payments to `addresses`, and call `on_block`."""

    number: int


class Propose(Struct, frozen=True, kw_only=True):
    """Submit to the funding cell, in this order, before the next block is read."""

    command: FundingCommand


class AlarmKind(StrEnum):
    DEEP_REORGANISATION = "deep_reorganisation"
    """The chain changed below finality: crediting stopped."""
    CREDITED_VANISHED = "credited_vanished"
    """A deposit that was credited stands in no block any more: the exchange bears it."""
    FEE_ON_TRANSFER = "fee_on_transfer"
    """A listed token delivered less than its log says."""
    UNLISTED_FLOOD = "unlisted_flood"


class Alarm(Struct, frozen=True, kw_only=True):
    """For the operators' log and pager."""

    kind: AlarmKind
    detail: str


Effect = ReadBlock | Propose | Alarm


class DepositScanner:
    """One network's deposits."""

    def __init__(
        self, state: FundingState, network: str, *, start_block: int = 0, scanned: int = 0
    ) -> None:
        """Begin where the cell left off.

        `scanned` is what an earlier scanner of this cell had reached, if that was noted somewhere;
        a note that is too old costs time, one that is too new would lose deposits.
        """
        self._state = state
        self._network = network
        self._finality = state.book.networks[network].network.finality
        self._start_block = start_block
        self._line: dict[int, Block] = {}
        self._head: Block | None = None
        self._highest = 0
        self._deep = False
        self._stopped = False
        self._found: dict[str, SeeDeposit] = {}
        """What the scanned line pays to our addresses."""
        self._open: dict[str, None] = {}
        """Deposits that may still be confirmed or reverted, in the order they were seen."""
        self._credited: dict[str, None] = {}
        self._said: dict[str, SeeDeposit] = {}
        """What this call proposes already."""
        self._next = self._first_block(scanned)
        self._recall()

    def _first_block(self, scanned: int) -> int:
        newest, oldest = scanned, None
        for deposit in self._deposits():
            newest = max(newest, deposit.block)
            if deposit.state is DepositState.SEEN:
                oldest = deposit.block if oldest is None else min(oldest, deposit.block)
        first = newest + 1 - self._finality
        return max(first if oldest is None else min(first, oldest), self._start_block, 0)

    def _recall(self) -> None:
        """Take up the deposits that the scan will pass again."""
        for deposit in self._deposits():
            if deposit.state is DepositState.SEEN:
                self._open[_key(deposit)] = None
            elif deposit.block >= self._next:
                if deposit.state is DepositState.CREDITED:
                    self._credited[_key(deposit)] = None
                elif deposit.state is DepositState.IGNORED:
                    self._open[_key(deposit)] = None

    def _deposits(self) -> Iterator[Deposit]:
        for deposit in self._state.book.deposits.values():
            if deposit.network == self._network:
                yield deposit

    @property
    def scanned(self) -> int:
        """Return the height up to which everything is committed; worth noting for a restart."""
        missing = [
            command.block - 1
            for key, command in self._found.items()
            if key not in self._state.book.deposits
        ]
        return min([self._next - 1, *missing])

    @property
    def addresses(self) -> Collection[str]:
        """Return the addresses to watch.  Take them anew for each block that is read."""
        return self._state.book.networks[self._network].owners.keys()

    # What comes in

    def on_head(self, head: Block) -> list[Effect]:
        """Take the chain's head; a lower one on the same line is only an older view."""
        if self._head is None and head.number < self._next:
            # The chain is shorter than what the cell has seen of it.
            self._next = max(head.number + 1 - self._finality, self._start_block, 0)
        self._head = head
        self._said = {}
        effects: list[Effect] = []
        known = self._line.get(head.number)
        if known is not None and known.id != head.id:
            self._roll_back(head.number, effects)
        if self._next <= head.number:
            effects.append(ReadBlock(number=self._next))
        elif known is not None and known.id == head.id:
            self._review(effects)
        return effects

    def on_block(self, block: Block, payments: Collection[Payment]) -> list[Effect]:
        """Take a block that was asked for, with what it paid to our addresses."""
        if self._head is None or block.number != self._next:
            return []
        self._said = {}
        effects: list[Effect] = []
        parent = self._line.get(block.number - 1)
        if parent is not None and parent.id != block.parent_id:
            self._roll_back(parent.number, effects)
            effects.append(ReadBlock(number=self._next))
            return effects
        self._line[block.number] = block
        self._highest = max(self._highest, block.number)
        self._next = block.number + 1
        self._look_for_credited(block, effects)
        self._see(block, payments, effects)
        if self._next <= self._head.number:
            effects.append(ReadBlock(number=self._next))
        else:
            self._review(effects)
        return effects

    # Blocks

    def _roll_back(self, number: int, effects: list[Effect]) -> None:
        """Forget the line from a height on; below finality that is an alarm."""
        for gone in [known for known in self._line if known >= number]:
            del self._line[gone]
        self._found = {
            key: command for key, command in self._found.items() if command.block < number
        }
        # With nothing left to compare with, look further down.
        lower = number if self._line else number - self._finality
        self._next = max(lower, self._start_block, 0)
        depth = self._highest - number + 1
        if depth >= self._finality and not self._deep:
            self._deep = True
            self._stop(
                f"a reorganisation replaced {depth} or more blocks, down to {number}, below the"
                f" finality of {self._finality}",
                effects,
            )

    def _stop(self, reason: str, effects: list[Effect]) -> None:
        """Pause the network in the journal; until that is committed, credit nothing."""
        self._stopped = True
        for listing in self._state.book.listings.values():
            for service, now in (
                (Service.DEPOSIT, listing.deposit.status),
                (Service.WITHDRAWAL, listing.withdrawal.status),
            ):
                if listing.listing.network == self._network and now is not ServiceStatus.PAUSED:
                    effects.append(
                        Propose(
                            command=SetService(
                                asset=listing.listing.asset,
                                network=self._network,
                                service=service,
                                status=ServiceStatus.PAUSED,
                                reason=reason,
                                person=PERSON,
                            )
                        )
                    )
        effects.append(Alarm(kind=AlarmKind.DEEP_REORGANISATION, detail=reason))

    def _look_for_credited(self, block: Block, effects: list[Effect]) -> None:
        """Find credited deposits that stood in another block at this height."""
        if self._deep:
            return
        for key in self._credited:
            deposit = self._state.book.deposits[key]
            if deposit.block == block.number and deposit.block_id != block.id:
                self._deep = True
                self._stop(
                    f"block {block.number} is {block.id}, but a deposit was credited in"
                    f" {deposit.block_id}",
                    effects,
                )
                return

    # Payments

    def _see(self, block: Block, payments: Collection[Payment], effects: list[Effect]) -> None:
        listings = self._listings()
        unlisted = 0
        for payment in payments:
            if self._state.index.move_of(self._network, payment.tx_id) is not None:
                # A payment of gas to a deposit address, or the change of a sweep.
                continue
            listing = listings.get(payment.contract)
            if listing is None:
                unlisted += 1
                if unlisted > UNLISTED_PER_BLOCK:
                    continue
            command = self._see_deposit(block, payment, listing)
            if command.atoms > 0:
                self._propose_see(command, effects)
            if listing is not None and payment.units < payment.stated_units:
                effects.append(
                    Alarm(
                        kind=AlarmKind.FEE_ON_TRANSFER,
                        detail=f"{listing.asset}: {payment.units} of {payment.stated_units}"
                        f" units arrived with {payment.tx_id}",
                    )
                )
        if unlisted > UNLISTED_PER_BLOCK:
            detail = f"{unlisted} payments of unlisted tokens in block {block.number}"
            effects.append(Alarm(kind=AlarmKind.UNLISTED_FLOOD, detail=detail))

    def _listings(self) -> dict[str, Listing]:
        """Return the network's listings by contract; "" is its coin."""
        return {
            known.listing.contract: known.listing
            for known in self._state.book.listings.values()
            if known.listing.network == self._network
        }

    def _see_deposit(self, block: Block, payment: Payment, listing: Listing | None) -> SeeDeposit:
        atoms = payment.units
        if listing is not None:
            atoms = to_atoms(
                payment.units,
                chain_decimals=listing.chain_decimals,
                ledger_decimals=self._state.book.assets[listing.asset].decimals,
            )
        return SeeDeposit(
            network=self._network,
            tx_id=payment.tx_id,
            output=payment.output,
            address=payment.address,
            asset=listing.asset if listing is not None else AssetCode(""),
            atoms=atoms,
            block=block.number,
            block_id=block.id,
            contract=payment.contract,
        )

    def _propose_see(self, command: SeeDeposit, effects: list[Effect]) -> None:
        key = f"{command.network}/{command.tx_id}/{command.output}"
        self._found[key] = command
        if self._said.get(key) == command:
            return
        known = self._state.book.deposits.get(key)
        if known is not None:
            if known.state is DepositState.CREDITED:
                return
            if known.block_id == command.block_id and known.state is not DepositState.REVERTED:
                self._open[key] = None
                return
            if known.state is not DepositState.REVERTED and not _same(known, command):
                # The same transaction did something else in its new block.
                effects.append(self._revert(known))
        self._open[key] = None
        self._said[key] = command
        effects.append(Propose(command=command))

    def _revert(self, deposit: Deposit) -> Propose:
        return Propose(
            command=RevertDeposit(
                network=deposit.network,
                tx_id=deposit.tx_id,
                output=deposit.output,
                reason=f"block {deposit.block} was replaced",
            )
        )

    # At the head

    def _review(self, effects: list[Effect]) -> None:
        """Confirm what stands, revert what does not: only once the line reaches the head."""
        tip = self._next - 1
        for key in list(self._open):
            deposit = self._state.book.deposits.get(key)
            found = self._found.get(key)
            if deposit is None or deposit.state is DepositState.REVERTED:
                if found is None:
                    del self._open[key]
                else:
                    # Proposed and not committed, unless that is happening right now.
                    self._propose_see(found, effects)
                continue
            if deposit.state is DepositState.CREDITED:
                del self._open[key]
                self._credited[key] = None
            elif found is None:
                del self._open[key]
                effects.append(self._revert(deposit))
            elif deposit.block_id != found.block_id:
                self._propose_see(found, effects)
            elif deposit.state is DepositState.SEEN:
                self._confirm(deposit, tip, effects)
            elif tip - deposit.block + 1 >= self._finality:
                del self._open[key]
        self._report_vanished(effects)
        self._prune(tip)
        self._deep = False
        self._highest = tip

    def _confirm(self, deposit: Deposit, tip: int, effects: list[Effect]) -> None:
        here = self._line.get(deposit.block)
        confirmations = tip - deposit.block + 1
        if here is None or here.id != deposit.block_id or confirmations < deposit.confirmations:
            return
        final = confirmations >= self._finality
        # Long finalities are told in sixteen steps: each is a journal entry for each deposit.
        step = max(self._finality // 16, 1)
        if not final and confirmations < deposit.confirmations + step:
            return
        if final and not self._worth_saying(deposit):
            return
        effects.append(
            Propose(
                command=ConfirmDeposit(
                    network=deposit.network,
                    tx_id=deposit.tx_id,
                    output=deposit.output,
                    block_id=deposit.block_id,
                    confirmations=confirmations,
                )
            )
        )

    def _worth_saying(self, deposit: Deposit) -> bool:
        """Return whether a final confirmation would credit, or show for the first time why not."""
        if self._stopped:
            # From the moment the pause is in the journal, the journal decides.
            self._stopped = any(
                known.deposit.status is not ServiceStatus.PAUSED
                for known in self._state.book.listings.values()
                if known.listing.network == self._network
            )
            return False
        listing = self._state.listing(deposit.asset, deposit.network)
        paused = listing is None or listing.deposit.status is ServiceStatus.PAUSED
        return not paused or deposit.confirmations < self._finality

    def _report_vanished(self, effects: list[Effect]) -> None:
        if not self._deep:
            return
        for key in list(self._credited):
            deposit = self._state.book.deposits[key]
            here = self._line.get(deposit.block)
            if here is not None and here.id != deposit.block_id and key not in self._found:
                del self._credited[key]
                detail = f"{deposit.atoms} {deposit.asset} of user {deposit.user_id}: {key}"
                effects.append(Alarm(kind=AlarmKind.CREDITED_VANISHED, detail=detail))

    def _prune(self, tip: int) -> None:
        """Keep what a reorganisation to the edge of finality, and one beyond, may touch."""
        lowest = tip - 2 * self._finality - 32
        open_blocks = {self._found[key].block for key in self._open if key in self._found}
        for number in [known for known in self._line if known < lowest]:
            if number not in open_blocks:
                del self._line[number]
        self._found = {
            key: command
            for key, command in self._found.items()
            if command.block >= lowest or key in self._open
        }
        for key in list(self._credited):
            if self._state.book.deposits[key].block < lowest:
                del self._credited[key]


def _key(deposit: Deposit) -> str:
    return f"{deposit.network}/{deposit.tx_id}/{deposit.output}"


def _same(deposit: Deposit, command: SeeDeposit) -> bool:
    return (deposit.address, deposit.asset, deposit.contract, deposit.atoms) == (
        command.address,
        command.asset,
        command.contract,
        command.atoms,
    )
