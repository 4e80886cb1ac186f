"""Everything that pays: a chain, a signer and an exchange, each a process of its own.

The rule: an exchange as it is run for real money.  It is no demo: all that its users own came to
their deposit addresses on the chain, and all that it pays with was swept from there.
"""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from seawall.lab.drills.payouts_chain import HurtChain
from seawall.lab.drills.payouts_customer import Coin, Customer
from seawall.lab.exchange_process import ExchangeError, ExchangeProcess, environment
from seawall.lab.wire import BrokenError, Key
from seawall.lib.prng import Prng
from seawall.treasury.signer.command import READY, make_keystore
from seawall.treasury.signer.settings import AssetLimits, NetworkLimits, SignerSettings

FINALITY: Final = 6
BLOCK_S: Final = 0.4
LANES: Final = 2
CUSTOMERS: Final = 8
SUPPLY: Final = 10**16
TOKEN_DECIMALS: Final = 6
START_S: Final = 60.0
SETTLING_S: Final = 120.0
LOOK_S: Final = 0.1
PASSPHRASE: Final = "of a keystore that lives as long as a drill"  # noqa: S105  guards play money
CONFIGURATION: Final = """\
[exchange]
name = "Drill"

[node]
snapshot_entries = 3000

[gateway.throttle]
weight_per_minute = 100000000
orders_per_10_s = 100000000
orders_per_day = 100000000
requests_per_5_minutes = 100000000
ban_after_refusals = 100000000

[assets.ETH]
name = "Ether"
decimals = 18

[assets.USDT]
name = "Tether USD"
decimals = 8

[markets.ETHUSDT]
base = "ETH"
quote = "USDT"
tick = "0.01"
lot = "0.0001"
max_price = "1000000"
max_size = "9000"
min_notional = "5"
max_notional = "9000000"

[[network]]
code = "ETH"
name = "Ethereum"
kind = "evm"
chain_id = 31337
native = "ETH"
finality = {finality}
block_ms = {block_ms}

[[listing]]
asset = "ETH"
network = "ETH"
chain_decimals = 18
min_deposit = "0.0001"
min_withdrawal = "0.002"
withdrawal_fee = "0.001"
approval_above = "1"
limited_max = "0.5"
hot_floor = "0.1"

[[listing]]
asset = "USDT"
network = "ETH"
contract = "{token}"
chain_decimals = 6
min_deposit = "1"
min_withdrawal = "2"
withdrawal_fee = "1"
approval_above = "1000"
limited_max = "500"

[treasury.ETH]
signer = "../signer/signer.sock"
lone_endpoint = true
fee_cap = "500"
tip_floor = "1"

[[treasury.ETH.endpoint]]
name = "drill"
url = "{url}"

[[treasury.ETH.sweep]]
asset = "ETH"
least = "0.05"

[[treasury.ETH.sweep]]
asset = "USDT"
least = "5"
"""


class SignerProcess:
    """`seawall signer run`, started as often as needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keystore = folder / "keys.json"
        self.record = folder / "keys.signatures.sqlite"
        self._log = folder / "signer.log"
        self._process: asyncio.subprocess.Process | None = None

    async def make(self) -> tuple[str, ...]:
        """Make its keys; return the wallets."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "passphrase").write_text(PASSPHRASE, encoding="utf-8")
        made = await asyncio.to_thread(make_keystore, self.keystore, PASSPHRASE, wallets=LANES)
        return made.wallets

    def allow(self, wallets: tuple[str, ...], contracts: tuple[str, ...]) -> None:
        """Write the limits; they are wide, for the drill hurts processes, not budgets."""
        most = AssetLimits(payment_units=10**24, window_units=10**24)
        assets = tuple(msgspec.structs.replace(most, contract=contract) for contract in contracts)
        limits = NetworkLimits(chain_id=31_337, assets=assets, own=wallets)
        settings = SignerSettings(networks={"ETH": limits})
        (self.folder / "limits.json").write_bytes(msgspec.json.encode(settings))

    async def start(self) -> None:
        """Start it and return once it answers."""
        arguments = [
            "--keystore", str(self.keystore), "--socket", str(self.folder / "signer.sock"),
            "--settings", str(self.folder / "limits.json"),
            "--passphrase-file", str(self.folder / "passphrase"),
        ]  # fmt: skip
        with self._log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "seawall", "signer", "run", *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors,
                env=environment(),
            )  # fmt: skip
        said = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                while self._process.stdout and (line := await self._process.stdout.readline()):
                    said += line
                    if line.decode().startswith(READY):
                        return
        raise ExchangeError(f"the signer did not start: {said.decode()}{self._log.read_text()}")

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()


class Balance(Struct, frozen=True, kw_only=True):
    """What a listing says of itself at the end."""

    asset: str
    status: str
    reason: str
    difference: str


class PayoutWorld:
    """All of it, and the customers."""

    def __init__(self, folder: Path, prng: Prng) -> None:
        self.chain = HurtChain(
            folder / "chain", finality=FINALITY, block_s=BLOCK_S, prng=prng.fork()
        )
        self.signer = SignerProcess(folder / "signer")
        self.up = asyncio.Event()
        """Set while the exchange is to be asked."""
        self.wallets: tuple[str, ...] = ()
        self.coins: tuple[Coin, ...] = ()
        self.customers: list[Customer] = []
        self.exchange: ExchangeProcess
        self._folder = folder
        self._prng = prng

    @property
    def own(self) -> frozenset[str]:
        """The exchange's addresses: hot wallets and deposit addresses."""
        return frozenset((*self.wallets, *(customer.address for customer in self.customers)))

    async def start(self) -> None:
        """Start the three, and give every customer something to withdraw."""
        await self.chain.start()
        token = await self.chain.node.deploy_token("USDT", TOKEN_DECIMALS, SUPPLY)
        self.coins = (
            Coin(
                asset="ETH", contract="", decimals=18, chain_decimals=18, least=2 * 10**15,
                most=5 * 10**16, large=10**18, deposit=250 * 10**18,
            ),
            Coin(
                asset="USDT", contract=token, decimals=8, chain_decimals=TOKEN_DECIMALS,
                least=2 * 10**6, most=50 * 10**6, large=1_000 * 10**6 + 1, deposit=10**11,
            ),
        )  # fmt: skip
        self.wallets = await self.signer.make()
        self.signer.allow(self.wallets, tuple(coin.contract for coin in self.coins))
        self.chain.lanes = frozenset(self.wallets)
        await self.signer.start()
        configuration = CONFIGURATION.format(
            finality=FINALITY, block_ms=int(BLOCK_S * 1_000), token=token, url=self.chain.url
        )
        self.exchange = ExchangeProcess(self._folder, configuration)
        await self.start_exchange()
        for number in range(CUSTOMERS):
            self.customers.append(await self._hire(f"user{number}"))
        await self._fund()

    async def start_exchange(self) -> None:
        await self.exchange.spawn()
        await self.exchange.ready()
        self.up.set()

    async def kill_exchange(self) -> None:
        self.up.clear()
        await self.exchange.kill()

    async def close(self) -> None:
        """End whatever runs."""
        for customer in self.customers:
            await customer.close()
        with contextlib.suppress(AttributeError):
            await self.exchange.kill()
        await self.signer.kill()
        await self.chain.close()

    async def _hire(self, name: str) -> Customer:
        await self.exchange.operator("users", {"name": name})
        made = await self.exchange.operator(
            "keys", {"user": name, "label": "drill", "permissions": ["read", "trade", "withdraw"]}
        )
        key = Key(made["apiKey"], made["secretKey"])
        customer = Customer(
            name, key, self.exchange, self.up, self.chain, self.coins, self._prng.fork()
        )
        await customer.open_account()
        return customer

    async def _fund(self) -> None:
        """Pay to every deposit address; return once it is swept and some lies in spot wallets."""
        for number, customer in enumerate(self.customers):
            for coin in self.coins:
                account = number % len(self.chain.node.accounts) if not coin.contract else 0
                await customer.deposit(coin, coin.deposit, account)
        deadline_s = asyncio.get_running_loop().time() + SETTLING_S
        for customer in self.customers:
            for coin in self.coins:
                while (await customer.balances())[coin.asset] < coin.deposit * coin.unit:
                    await self._look_again(deadline_s, "deposits were not credited")
                await customer.to_spot(coin, coin.deposit // 4)
        for coin in self.coins:
            wanted = coin.deposit * len(self.customers) * 9 // 10
            while sum([await self.chain.held(one, coin.contract) for one in self.wallets]) < wanted:
                await self._look_again(deadline_s, f"{coin.asset} was not swept")

    async def _look_again(self, deadline_s: float, problem: str) -> None:
        if asyncio.get_running_loop().time() > deadline_s:
            raise ExchangeError(f"{problem} in {SETTLING_S:.0f} s")
        await asyncio.sleep(LOOK_S)

    # People

    async def reconciled(self) -> list[Balance]:
        """Have chain and ledger compared, and ask what each listing says of itself."""
        deadline_s = asyncio.get_running_loop().time() + SETTLING_S
        async with self.chain.standing():
            while True:
                with contextlib.suppress(BrokenError, ExchangeError):
                    found = await self.exchange.operator("funding/reconcile", {})
                    break
                await self._look_again(deadline_s, "chain and ledger were not compared")
        return [
            Balance(
                asset=row["asset"],
                status=row["withdrawal"]["status"],
                reason=row["withdrawal"]["reason"],
                difference=row["difference"],
            )
            for row in found["listings"]
        ]

    async def approve_all(self, prng: Prng) -> None:
        """Two people look at what waits for them, again and again; some they refuse."""
        while True:
            await self.up.wait()
            with contextlib.suppress(BrokenError, ExchangeError, OSError):
                queue = await self.exchange.operator("funding/queue", None, "GET")
                for row in queue["withdrawals"]:
                    if row["state"] == "awaiting_approval":
                        await self._approve(row, prng)
            await asyncio.sleep(3 * LOOK_S)

    async def _approve(self, row: dict[str, object], prng: Prng) -> None:
        number = row["id"]
        if not row["approvals"] and prng.chance(1, 4):
            body = {"id": number, "person": "ann", "reason": "the drill refuses some"}
            await self.exchange.operator("funding/reject", body)
            return
        for person in ("ann", "bob"):
            if person not in str(row["approvals"]):
                await self.exchange.operator("funding/approve", {"id": number, "person": person})
