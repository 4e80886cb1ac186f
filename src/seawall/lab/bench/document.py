"""Writes docs/BENCHMARKS.md from bench/results.  The rule: the page has no figure of its own.

`python -m seawall.lab.bench.document` after `make bench`; a test holds the two together.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from seawall.lab.bench.base import BenchResult

ORDER: Final = (
    "engine",
    "journal",
    "cluster-journal",
    "api",
    "cluster-orders",
    "recovery",
    "payouts",
    "reconcile",
    "transfer",
)
HEAD: Final = """\
# Benchmarks

Generated from `bench/results/*.json` by `python -m seawall.lab.bench.document`; the figures come
from `make bench`, which is `seawall bench NAME` for each part below.

Machines differ and are noisy, so every figure stands beside a yardstick that was measured in the
same run, and the targets are ratios. A target that is missed is said to be missed.
"""
ABOUT: Final = {
    "engine": """\
One seeded flow of limit orders, cancels and orders that take, the same for all. Every engine that
installs from PyPI runs it in a process of its own, and the processor's time is counted; the best of
two runs counts. Each is handed what its caller has: Seawall its commands, made as decoding the
journal makes them. Seawall commits
each command in full: filters, ledger with holds and fees, matching, events, level changes. The
others match, and that is all; what that difference costs is part of the figure. `capture` is
Seawall on the real mix of the small capture.""",
    "journal": """\
Real records are appended in batches, as group commit forms them, and synced. The yardsticks write
the same bytes to a plain file and call fdatasync: `growing`, a file whose size each sync must also
write, and `laid out`, a file that was written before and is overwritten, which is the fastest that
a disk can be. They take turns in quarters of a second.""",
    "cluster-journal": """\
The journal on etcd, three members on this machine. The yardstick is a bare `Put` of the same bytes
under another key to the same members, over a channel like the journal's. Both have one append in
flight and take turns in quarters of a second.""",
    "api": """\
Orders are signed, checked, journaled, synced, matched and published before they are answered; half
of them trade. The echo on the same server gets the same parameters and answers with them. Each
connection has one request on its way. The load generator shares the machine's cores.""",
    "cluster-orders": """\
The same order, placed and canceled over one connection at a time: at an exchange on its own with
SQLite, and in a cluster of three nodes with etcd and TLS, at the gateway of the leader and at
another, which forwards it and answers once its own replica has applied it.""",
    "recovery": """\
A start without the interpreter's own: journals opened, snapshot loaded and checked, rest replayed,
lead taken. Replays run without any snapshot. The long journal's entries are ticks, written straight
into it: what lies behind a snapshot is not read.""",
    "payouts": """\
A payout is queued, its gas estimated by two endpoints, signed in the signer's own process,
journaled and synced, sent to both endpoints, and noted as sent; up to fifty share an append and a
request. The bare loop signs a payment with a key in memory and sends it, one after the other, to
the same chain (Anvil, which mines once a second for both). They take turns in rounds of two
hundred. `Sent` ends when the last payment is noted as sent; `Final and booked` waits for the blocks
as well.""",
    "reconcile": """\
Coin and token of each user's deposit address, to the last unit, at one block. The bare reading asks
one endpoint for each balance, 500 in a JSON-RPC batch, and adds up. The reconciliation asks two
endpoints for 750 balances in one call, compares their answers, and commits the reports. At the end
one unit is put at one of the addresses, and must be found.""",
    "transfer": """\
Over the wallet API of a running exchange, one request at a time on one connection: a transfer is
answered once the money has arrived, which takes three entries in two journals one after the other;
an order, or its cancel, takes one.""",
}


def render(results: list[BenchResult]) -> str:
    """Return the page."""
    parts = [HEAD]
    for result in sorted(results, key=lambda one: ORDER.index(one.bench)):
        parts.append(f"## {result.bench}\n\n{ABOUT[result.bench]}\n")
        parts.append(f"{result.machine}; {result.measured_at[:10]}.\n")
        parts.append(_table(result.rows))
        parts.append(
            "".join(
                f"- {'met' if target.met else '**missed**'}: {target.name}:"
                f" {target.measured:g}, wanted {target.wanted}\n"
                for target in result.targets
            )
        )
        if result.notes:
            parts.append("".join(f"- {note}\n" for note in result.notes))
    return "\n".join(parts)


def _table(rows: tuple[dict[str, Any], ...]) -> str:
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns)]
    lines += [[_cell(row[column]) for column in columns] for row in rows]
    return "".join(
        "| " + " | ".join(cell.replace("_", " ") for cell in line) + " |\n" for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_results(folder: Path) -> list[BenchResult]:
    return [
        msgspec.json.decode(path.read_bytes(), type=BenchResult)
        for path in sorted(folder.glob("*.json"))
    ]


if __name__ == "__main__":
    Path("docs/BENCHMARKS.md").write_text(render(read_results(Path("bench/results"))), "utf-8")
