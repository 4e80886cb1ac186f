"""`seawall bench reconcile`.  The rule: the yardstick is the chain's own answer, asked in batches.

A hundred thousand users, each with coin and token at an address of their own.  The bare reading
asks one endpoint for every balance with JSON-RPC batches, and adds up.  The reconciliation reads
two endpoints at one block, compares them, builds the reports and commits them; while it does, it is
measured for how long the node's event loop was ever kept from anything else.
"""

import asyncio
import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
from eth_utils.crypto import keccak

from seawall.lab.bench.base import Bench, BenchOptions, BenchResult, Target
from seawall.lab.bench.treasury_bed import ETH, FINALITY, NETWORK, USDT, TreasuryBed
from seawall.lab.devchain import DevChain
from seawall.lab.machine import describe_machine, now_text
from seawall.lab.progress import Progress
from seawall.model.funding import Vault
from seawall.model.funding_commands import OpenDepositAddress
from seawall.model.ids import UserId
from seawall.treasury.chain import Block
from seawall.treasury.evm_bytes import BALANCE_SELECTOR, canonical_address
from seawall.treasury.holdings import read_holdings
from seawall.treasury.reconciler import Reading, Wallets, addresses, report

BATCH: Final = 500
COIN: Final = 10**15
SCALE: Final = 10**12
ROUNDS: Final = 3
WANTED: Final = 1.0
LOOK_S: Final = 0.005


async def run_reconcile(options: BenchOptions, progress: Progress) -> BenchResult:
    """Measure one reconciliation of all users against a bare reading of their balances."""
    build = options.root / "build"
    await asyncio.to_thread(build.mkdir, parents=True, exist_ok=True)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="reconcile-", dir=build))
    bed = TreasuryBed(folder)
    try:
        await bed.open()
        bench = _Reconcile(bed, options.users)
        await bench.fill(progress)
        for number in range(ROUNDS):
            progress("reading and comparing", number, ROUNDS)
            await bench.round()
        await bench.one_unit()
    finally:
        await bed.close()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    progress("measured", ROUNDS, ROUNDS)
    rows = bench.rows()
    ratio = round(rows[0]["seconds"] / rows[1]["seconds"], 3)
    return BenchResult(
        bench="reconcile",
        machine=describe_machine(),
        measured_at=now_text(),
        rows=tuple(rows),
        targets=(
            Target(
                name=f"bare batched reading over reconciliation, {options.users:,} users",
                wanted=f"{WANTED:g} or more",
                measured=ratio,
                met=ratio >= WANTED,
            ),
        ),
        notes=(
            "The best of three. Afterwards one unit was put at one address: it was found.",
            (
                f"While it reconciled, the event loop was held up for {bench.held_s * 1_000:.0f} ms"
                " at most."
            ),
        ),
    )


class _Reconcile:
    """Users, and both ways of reading what they hold."""

    def __init__(self, bed: TreasuryBed, users: int) -> None:
        self.held_s = 0.0
        self._bed = bed
        self._wallets = Wallets(hot=bed.who.wallets)
        self._users = [
            canonical_address("0x" + keccak(number.to_bytes(8, "big"))[:20].hex())
            for number in range(users)
        ]
        self._bare_s: list[float] = []
        self._ours_s: list[float] = []

    async def fill(self, progress: Progress) -> None:
        """Open an address for each user and put coin and tokens there, in ledger and chain."""
        bed, users = self._bed, self._users
        slot = await _balances_slot(bed)
        async with _client(bed.devchain) as client:
            for start in range(0, len(users), BATCH):
                progress("opening and funding addresses", start, len(users))
                part = list(enumerate(users))[start : start + BATCH]
                opened = [
                    OpenDepositAddress(
                        user_id=UserId(index + 1), network=NETWORK, index=index, address=address
                    )
                    for index, address in part
                ]
                await asyncio.gather(*(bed.do(command) for command in opened))
                calls: list[tuple[str, list[Any]]] = []
                for index, address in part:
                    place = _place(address, slot)
                    calls.append(("anvil_setBalance", [address, hex(COIN + index)]))
                    word = f"0x{1_000 + index:064x}"
                    calls.append(("anvil_setStorageAt", [bed.token, place, word]))
                await _ask(client, calls)
        # Play money: it is booked as the exchange's own, at the users' addresses.
        indices = range(len(users))
        await bed.capital(ETH, sum(COIN + index for index in indices), Vault.DEPOSIT)
        tokens = sum(1_000 + index for index in indices)
        await bed.capital(USDT, tokens * SCALE, Vault.DEPOSIT)
        await bed.devchain.mine(FINALITY)

    async def round(self) -> None:
        """Read both ways, at the same block."""
        block = await self._bed.chain.head()
        began = time.perf_counter()
        bare = await self._bare(block)
        self._bare_s.append(time.perf_counter() - began)
        watching = asyncio.create_task(self._watch())
        began = time.perf_counter()
        read = await self._reconcile(block)
        self._ours_s.append(time.perf_counter() - began)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        if read != bare or self._differences() != [0, 0]:
            raise ValueError(f"{read} against {bare}, differences {self._differences()}")

    async def one_unit(self) -> None:
        """Put one unit more at one address in the middle: the comparison must find it."""
        address = self._users[len(self._users) // 2]
        more = hex(COIN + len(self._users) // 2 + 1)
        await self._bed.devchain.rpc("anvil_setBalance", address, more)
        await self._bed.devchain.mine()
        await self._reconcile(await self._bed.chain.head())
        if self._differences() != [1, 0]:
            raise ValueError(f"one unit was not found: {self._differences()}")

    def _differences(self) -> list[int]:
        listings = self._bed.node.funding.book.listings
        return [listings[f"{asset}/{NETWORK}"].difference for asset in (ETH, USDT)]

    async def _bare(self, block: Block) -> tuple[int, int]:
        """Return what all users hold of both, by one call for each."""
        number = hex(block.number)
        sums = []
        async with _client(self._bed.devchain) as client:
            for contract in ("", self._bed.token):
                total = 0
                for start in range(0, len(self._users), BATCH):
                    part = self._users[start : start + BATCH]
                    calls = [_balance_call(address, contract, number) for address in part]
                    total += sum(int(found, 16) for found in await _ask(client, calls))
                sums.append(total)
        return sums[0], sums[1]

    async def _reconcile(self, block: Block) -> tuple[int, int]:
        """Read, report and commit, as the treasury does."""
        bed = self._bed
        state = bed.node.funding
        where = addresses(state, NETWORK, self._wallets)
        units = await read_holdings(bed.chain, where, ("", bed.token), block)
        reading = Reading(block=block, units=units, receipts={}, ledger_sequence=state.sequence)
        for listing in list(state.book.listings.values()):
            await bed.do(report(state, listing.listing, reading))
        return units[Vault.DEPOSIT, ""], units[Vault.DEPOSIT, bed.token]

    async def _watch(self) -> None:
        """Note for how long the loop did not come back."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(LOOK_S)
            self.held_s = max(self.held_s, time.perf_counter() - before - LOOK_S)

    def rows(self) -> list[dict[str, Any]]:
        bare, ours = min(self._bare_s), min(self._ours_s)
        return [
            self._row("bare batched reading, one endpoint", bare, bare),
            self._row("reconciliation, two endpoints compared", ours, bare),
        ]

    def _row(self, what: str, seconds: float, bare: float) -> dict[str, Any]:
        return {
            "what": what,
            "users": len(self._users),
            "balances": 2 * len(self._users),
            "seconds": round(seconds, 3),
            "balances_per_s": round(2 * len(self._users) / seconds),
            "of_bare": round(bare / seconds, 3),
        }


async def _balances_slot(bed: TreasuryBed) -> int:
    """Find where the token keeps its table of balances."""
    owner, units = bed.devchain.accounts[0], 10**15
    for slot in range(10):
        found = await bed.devchain.rpc("eth_getStorageAt", bed.token, _place(owner, slot), "latest")
        if int(found, 16) == units:
            return slot
    raise ValueError("the token keeps its balances somewhere else")


def _place(address: str, slot: int) -> str:
    """Return where a Vyper mapping keeps an address's value."""
    key = slot.to_bytes(32, "big") + bytes(12) + bytes.fromhex(address[2:])
    return "0x" + keccak(key).hex()


def _balance_call(address: str, contract: str, number: str) -> tuple[str, list[Any]]:
    if not contract:
        return "eth_getBalance", [address, number]
    data = "0x" + (BALANCE_SELECTOR + bytes(12) + bytes.fromhex(address[2:])).hex()
    return "eth_call", [{"to": contract, "data": data}, number]


def _client(devchain: DevChain) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=devchain.url, timeout=60, trust_env=False)


async def _ask(client: httpx.AsyncClient, calls: list[tuple[str, list[Any]]]) -> list[Any]:
    """Make calls in one batch; return their results in order."""
    body = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(calls)
    ]
    answers = (await client.post("/", json=body)).json()
    return [one["result"] for one in sorted(answers, key=lambda one: one["id"])]


RECONCILE: Final = Bench(
    name="reconcile",
    summary="chain against ledger for 100,000 users, against a bare batched reading",
    run=run_reconcile,
)
