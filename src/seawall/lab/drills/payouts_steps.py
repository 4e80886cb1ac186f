"""Where a payment is at this moment.  The rule: watch the files that are written, ask nobody.

A withdrawal's steps show in the funding cell's journal as they become durable; that something was
signed shows in the signer's record before anybody else knows.  Watching them lets a kill fall
within a millisecond or two of a step.
"""

import asyncio
import contextlib
import sqlite3
import time
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import MsgspecError

from seawall.journal.port import JournalError, unframe
from seawall.journal.sqlite_read import connect
from seawall.lab.drills.payouts_chain import HurtChain
from seawall.model.funding_commands import (
    ApproveWithdrawal,
    FundingCommand,
    MarkBroadcast,
    PrepareWithdrawal,
    RequestWithdrawal,
    SettleWithdrawal,
    decode_funding_record,
)

LOOK_S: Final = 0.001


class Step(StrEnum):
    """In the order of a withdrawal's life."""

    REQUESTED = "requested"
    APPROVED = "approved"
    SIGNED = "signed"
    """The signer wrote a signature down; nothing is journaled of it."""
    PREPARED = "prepared"
    BROADCAST = "broadcast"
    MINED = "mined"
    SETTLED = "settled"
    ANY = "any moment"


_COMMANDS: Final[dict[Step, type[FundingCommand]]] = {
    Step.REQUESTED: RequestWithdrawal,
    Step.APPROVED: ApproveWithdrawal,
    Step.PREPARED: PrepareWithdrawal,
    Step.BROADCAST: MarkBroadcast,
    Step.SETTLED: SettleWithdrawal,
}


async def reached(
    step: Step, journal: Path, record: Path, chain: HurtChain, longest_s: float
) -> bool:
    """Return True as soon as some withdrawal makes the step, False if none does for long."""
    if step is Step.MINED:
        chain.news.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(chain.news.wait(), longest_s)
            return True
        return False
    deadline_s = time.monotonic() + longest_s
    if step is Step.SIGNED:
        return await asyncio.to_thread(_written, record, deadline_s)
    return await asyncio.to_thread(_journaled, journal, _COMMANDS[step], deadline_s)


def _written(record: Path, deadline_s: float) -> bool:
    """Watch a file that its owner locks: its log's time of change is all there is to see."""
    log = record.with_name(record.name + "-wal")
    before = _changed_ns(log)
    while time.monotonic() < deadline_s:
        if _changed_ns(log) != before:
            return True
        time.sleep(LOOK_S)
    return False


def _journaled(journal: Path, wanted: type[FundingCommand], deadline_s: float) -> bool:
    log = journal.with_name(journal.name + "-wal")
    connection = connect(journal)
    try:
        (last,) = connection.execute("SELECT max(first) FROM batches").fetchone()
        while time.monotonic() < deadline_s:
            before = _changed_ns(log)
            rows = connection.execute(
                "SELECT first, frame FROM batches WHERE first > ? ORDER BY first", (last,)
            ).fetchall()
            for first, frame in rows:
                last = first
                if any(isinstance(command, wanted) for command in _commands(frame)):
                    return True
            while time.monotonic() < deadline_s and _changed_ns(log) == before:
                time.sleep(LOOK_S)
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    return False


def _commands(frame: bytes) -> list[FundingCommand]:
    return [decode_funding_record(payload).command for payload in unframe(frame)]


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def journaled_transactions(journal: Path) -> set[str]:
    """Return every transaction whose bytes the journal has, withdrawals' and moves'."""
    found: set[str] = set()
    connection = connect(journal)
    try:
        for (frame,) in connection.execute("SELECT frame FROM batches WHERE first > 0"):
            for command in _commands(frame):
                attempt = getattr(command, "attempt", None)
                if attempt is not None:
                    found.add(attempt.tx_id)
    except (sqlite3.Error, MsgspecError, ValueError) as error:
        raise JournalError(f"{journal}: {error}") from error
    finally:
        connection.close()
    return found
