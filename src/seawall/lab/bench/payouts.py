"""`seawall bench payouts`.  The rule: what the chain takes from a bare loop is the yardstick.

The bare loop signs a payment and sends it, one after the other, to the same chain.  A payout is
queued, built, signed in the signer's process, journaled and synced, sent to two endpoints, and
noted as sent.  They take turns in rounds of as many payments; both count what the chain has taken.
What a step does besides (it follows blocks, and compares chain and ledger) is in the time.
"""

import asyncio
import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from web3 import AsyncHTTPProvider, AsyncWeb3

from seawall.lab.bench.base import Bench, BenchOptions, BenchResult, Target
from seawall.lab.bench.treasury_bed import CUSTOMER, ETH, NETWORK, TreasuryBed
from seawall.lab.machine import describe_machine, now_text
from seawall.lab.progress import Progress
from seawall.model.funding import WithdrawalState
from seawall.model.funding_commands import RequestWithdrawal
from seawall.model.funding_events import WithdrawalChanged

ROUND: Final = 200
"""Payments that each does in its turn."""
LANES: Final = 2
MINE_S: Final = 1.0
WANTED: Final = 0.5
ATOMS: Final = 3 * 10**12


async def run_payouts(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure payments per second, bare and through the whole pipeline."""
    build = options.root / "build"
    await asyncio.to_thread(build.mkdir, parents=True, exist_ok=True)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="payouts-", dir=build))
    bed = TreasuryBed(folder, lanes=LANES)
    try:
        progress("starting chain, signer and node", 0, 0)
        await bed.open()
        bench = _Payouts(bed)
        mining = asyncio.create_task(_mine(bed))
        try:
            began = time.perf_counter()
            while time.perf_counter() - began < 2 * options.seconds or not bench.rounds:
                await bench.round()
                progress("paying", bench.rounds * ROUND, 0)
        finally:
            mining.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await mining
        rows = bench.rows()
    finally:
        await bed.close()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    progress("measured", 1, 1)
    ratio = rows[1]["of_bare"]
    return BenchResult(
        bench="payouts",
        machine=describe_machine(),
        measured_at=now_text(),
        rows=tuple(rows),
        targets=(
            Target(
                name="payouts against a bare loop of signed sends",
                wanted=f"{WANTED:g} or more",
                measured=ratio,
                met=ratio >= WANTED,
            ),
        ),
        notes=(
            bench.note(),
            "Chain, signer and node share the machine's cores; the bare loop has them for itself.",
        ),
    )


async def _mine(bed: TreasuryBed) -> None:
    """Mine in the background, for both alike."""
    while True:
        await asyncio.sleep(MINE_S)
        await bed.devchain.mine()


class _Payouts:
    """Rounds of both, in turns."""

    def __init__(self, bed: TreasuryBed) -> None:
        self.rounds = 0
        self._bed = bed
        self._treasury = bed.treasury(lane_in_flight=ROUND)
        self._account = Account.create()
        self._nonce = 0
        self._bare_s = 0.0
        self._sent_s = 0.0
        self._settled_s = 0.0

    async def round(self) -> None:
        """Pay as many by the bare loop and by the pipeline."""
        payees = [str(Account.create().address) for _ in range(ROUND)]
        self._bare_s += await self._bare(payees)
        sent_s, settled_s = await self._piped(payees)
        self._sent_s += sent_s
        self._settled_s += settled_s
        self.rounds += 1

    async def _bare(self, payees: list[str]) -> float:
        devchain = self._bed.devchain
        if not self._nonce:
            await devchain.rpc("anvil_setBalance", self._account.address, hex(10**24))
        provider = AsyncHTTPProvider(devchain.url)
        web3 = AsyncWeb3(provider)
        base = (await web3.eth.get_block("latest"))["baseFeePerGas"]
        began = time.perf_counter()
        for payee in payees:
            signed = self._account.sign_transaction(
                {
                    "chainId": devchain.chain_id,
                    "nonce": self._nonce,
                    "to": payee,
                    "value": ATOMS,
                    "gas": 21_000,
                    "maxFeePerGas": 2 * base + 1,
                    "maxPriorityFeePerGas": 1,
                }
            )
            await web3.eth.send_raw_transaction(signed.raw_transaction)
            self._nonce += 1
        took_s = time.perf_counter() - began
        await provider.disconnect()
        return took_s

    async def _piped(self, payees: list[str]) -> tuple[float, float]:
        """Return the seconds until all are sent, and until all are final and booked."""
        node = self._bed.node
        first = node.funding.book.next_withdrawal_id
        asked = [
            self._bed.do(
                RequestWithdrawal(
                    user_id=CUSTOMER, asset=ETH, network=NETWORK, address=payee, atoms=ATOMS
                )
            )
            for payee in payees
        ]
        await asyncio.gather(*asked)
        rows = [node.funding.book.withdrawals[first + place] for place in range(len(payees))]
        began = time.perf_counter()
        left = {row.withdrawal_id for row in rows}
        sent_s = 0.0

        def heard(*heard: Any) -> None:
            nonlocal sent_s
            for event in heard[-1]:
                if isinstance(event, WithdrawalChanged) and event.withdrawal.broadcast:
                    left.discard(event.withdrawal.withdrawal_id)
            if not left and not sent_s:
                sent_s = time.perf_counter() - began

        node.add_listener(heard)
        while left:
            await self._treasury.step()
        node.remove_listener(heard)
        while not all(row.state is WithdrawalState.SETTLED for row in rows):
            await self._treasury.step()
            await asyncio.sleep(MINE_S / 10)
        return sent_s, time.perf_counter() - began

    def rows(self) -> list[dict[str, Any]]:
        payments = self.rounds * ROUND
        bare = payments / self._bare_s
        return [
            _row("bare loop of signed sends", payments, self._bare_s, bare),
            _row("payouts, sent", payments, self._sent_s, bare),
            _row("payouts, final and booked", payments, self._settled_s, bare),
        ]

    def note(self) -> str:
        payments = self.rounds * ROUND
        parts = [
            f"{what} {1_000 * seconds / payments:.2f} ms"
            for what, seconds in sorted(self._bed.watch.seconds.items())
        ]
        return "Waited for by each payout, where several wait at once counted for each: " + (
            ", ".join(parts) + "."
        )


def _row(what: str, payments: int, seconds: float, bare: float) -> dict[str, Any]:
    rate = payments / seconds
    return {
        "what": what,
        "payments": payments,
        "per_s": round(rate, 1),
        "ms_each": round(1_000 * seconds / payments, 2),
        "of_bare": round(rate / bare, 3),
    }


PAYOUTS: Final = Bench(
    name="payouts",
    summary="payouts through queue, signer, journal and chain, against a bare loop of signed sends",
    run=run_payouts,
)
