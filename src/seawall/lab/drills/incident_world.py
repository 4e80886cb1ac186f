"""Everything that an incident needs: a cluster, its watchers, money on a chain, and a status site.

The rule: nothing stands in for anything.  Three providers each run a member of the journal, a node
and a watcher; chain, signer and the status site's publisher stand outside of all three, as they do
for an exchange that means it.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from seawall.lab.devchain import DevChain, open_development_chain
from seawall.lab.drills.payouts_world import PASSPHRASE
from seawall.lab.drills.provider_loss import PROVIDERS, three_providers
from seawall.lab.exchange_process import environment
from seawall.lab.local_cluster import LocalCluster
from seawall.lab.local_process import LocalProcess
from seawall.lab.local_state import ClusterError
from seawall.lab.local_watchers import LocalWatchers
from seawall.lab.wire import Connection, Key
from seawall.model.ids import FUNDING
from seawall.model.posture import Stage
from seawall.model.topology import CellPlace, Topology, split_address
from seawall.treasury.signer.command import make_keystore
from seawall.treasury.signer.settings import AssetLimits, NetworkLimits, SignerSettings

RUNBOOK: Final = Path(__file__).with_name("incident.toml")
CHAIN_ID: Final = 31_337
FINALITY: Final = 3
BLOCK_S: Final = 1.0
LANES: Final = 2
HOT_WHOLE: Final = 200
COLD: Final = "0x000000000000000000000000000000000000c01d"
"""Nobody has its key: what the canary pays there is play money."""
FUNDS: Final = {"BTC": "1000", "USDC": "100000000"}
SAVED_WHOLE: Final = 100
READY_S: Final = 180.0
STOP_S: Final = 10.0
OPERATORS: Final = ("ada", "ben")
SITES: Final = ("folder-one", "folder-two")
CONFIGURATION: Final = """\
[exchange]
name = "Drill"
demo = true

[demo]
chain = false

[gateway.throttle]
weight_per_minute = 100000000
orders_per_10_s = 100000000
orders_per_day = 100000000
requests_per_5_minutes = 100000000
ban_after_refusals = 100000000

[assets.BTC]
name = "Bitcoin"
decimals = 8

[assets.USDC]
name = "USD Coin"
decimals = 8

[assets.ETH]
name = "Ether"
decimals = 18

[markets.BTCUSDC]
base = "BTC"
quote = "USDC"
tick = "0.01"
lot = "0.00001"
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
approval_above = "10"
limited_max = "0.05"
hot_floor = "0.1"

[treasury.ETH]
signer = "{socket}"
lone_endpoint = true
fee_cap = "500"
tip_floor = "1"
cold = ["{cold}"]

[[treasury.ETH.endpoint]]
name = "one"
url = "{url}"

[control]
runbook = "{runbook}"

[watch]
symbol = "BTCUSDC"

[[watch.rpc]]
network = "ETH"
name = "one"
url = "{url}"
every_s = 1
stalled_s = 10
"""
PUBLISHER: Final = """\
[status]
gateways = {gateways}
url = "https://status.example"
data = "{data}"
every_s = 1

{targets}
"""


class IncidentWorld:
    """All of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = LocalCluster(
            topology(), folder / "cluster", demo=True, configure=self._configure
        )
        self.sites = [folder / name for name in SITES]
        self.chain: DevChain
        self.wallets: tuple[str, ...] = ()
        self.target = ""
        """The provider that was hurt, for whoever heals it."""
        self.watchers = LocalWatchers(self.cluster, folder / "watchers", OPERATORS[0])
        self.publisher = LocalProcess("status", folder / "status.output")
        self._signer = LocalProcess("signer", folder / "signer.output")
        self._later: set[asyncio.Task[None]] = set()

    @property
    def gateways(self) -> dict[str, tuple[str, int]]:
        """Where each node's gateway is."""
        return {node.name: split_address(node.gateway) for node in self.cluster.topology.node}

    async def start(self) -> None:
        """Start everything; return once money is on the chain and every watcher is heard."""
        await self.cluster.start()
        await self._endow()
        await self.watchers.start()
        async with asyncio.timeout(READY_S):
            await self.watchers.well()
        self._publish()

    async def stop(self) -> None:
        """End everything, in an orderly way as far as it goes."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        await self.watchers.stop()
        await self.publisher.stop(STOP_S)
        await self.cluster.stop()
        await self._signer.stop(STOP_S)
        with contextlib.suppress(AttributeError):
            await self.chain.stop()

    def later(self, after_s: float, act: Callable[[], Awaitable[None]]) -> None:
        """Do something a little later, as a supervisor of processes does."""

        async def wait() -> None:
            await asyncio.sleep(after_s)
            await act()

        task = asyncio.get_running_loop().create_task(wait())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    # Money

    async def _configure(self, host: str) -> str:
        """Start chain and signer, and say where they are."""
        self.chain = await open_development_chain(
            self.folder / "chain", chain_id=CHAIN_ID, block_s=BLOCK_S, host=host
        )
        folder = self.folder / "signer"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "passphrase").write_text(PASSPHRASE, encoding="utf-8")
        keystore, socket = folder / "keys.json", folder / "signer.sock"
        made = await asyncio.to_thread(make_keystore, keystore, PASSPHRASE, wallets=LANES)
        self.wallets = made.wallets
        most = AssetLimits(payment_units=10**24, window_units=10**24)
        limits = NetworkLimits(chain_id=CHAIN_ID, assets=(most,), own=(*made.wallets, COLD))
        settings = SignerSettings(networks={"ETH": limits}, lease_s=4)
        (folder / "limits.json").write_bytes(msgspec.json.encode(settings))
        command = [sys.executable, "-m", "seawall", "signer", "run"]
        command += ["--keystore", str(keystore), "--socket", str(socket)]
        command += ["--settings", str(folder / "limits.json")]
        command += ["--passphrase-file", str(folder / "passphrase")]
        self._signer.start(command, environment())
        return CONFIGURATION.format(
            finality=FINALITY,
            block_ms=int(BLOCK_S * 1_000),
            socket=socket,
            cold=COLD,
            url=self.chain.url,
            runbook=RUNBOOK,
        )

    # Those who look, and those who tell

    def _publish(self) -> None:
        """Let the status site's own process read all gateways, and write to two places."""
        file = self.folder / "status.toml"
        text = PUBLISHER.format(
            gateways=json.dumps(list(self.cluster.gateways.values())),
            data=self.folder / "publisher",
            targets="\n".join(f'[[status.target]]\nurl = "file:{site}"' for site in self.sites),
        )
        file.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "seawall", "status", "run", "--config", str(file)]
        self.publisher.start(command, environment())

    async def approve(self, plan_id: int, stage: Stage, person: str) -> None:
        """Agree to a plan's next stage, at whichever gateway answers."""
        body = {"stage": stage.value, "person": person}
        for name in self.cluster.gateways:
            try:
                await self.cluster.operator(f"plans/{plan_id}/approve", body, node=name)
            except ClusterError as error:
                # Another of them may be able to; what was refused stays refused.
                if "operator call" in str(error) and ": 4" in str(error):
                    return
            else:
                return

    async def _endow(self) -> None:
        """Give the hot wallet what it pays with, and book it as the exchange's own."""
        for number, wallet in enumerate(self.wallets):
            await self.chain.pay(wallet, HOT_WHOLE * 10**18, account=number)
        body = {
            "asset": "ETH",
            "network": "ETH",
            "vault": "hot",
            "amount": str(HOT_WHOLE * len(self.wallets)),
            "reference": "drill",
            "person": OPERATORS[0],
        }
        await self.cluster.operator("funding/capital", body)
        await self._agreed()

    async def _agreed(self) -> None:
        """Wait until chain and ledger agree, and open what their comparison stopped meanwhile."""
        row: dict[str, Any] = {}
        async with asyncio.timeout(READY_S):
            while not row or Decimal(row["difference"]):
                await asyncio.sleep(BLOCK_S)
                leader = await self.cluster.leader(FUNDING)
                with contextlib.suppress(ClusterError):
                    found = await self.cluster.operator("funding/reconcile", {}, node=leader)
                    row = found["listings"][0]
        if row["withdrawal"]["status"] != "open":
            body = {"asset": "ETH", "network": "ETH", "service": "withdrawal"}
            why = {"person": OPERATORS[0], "reason": "the drill's capital is booked"}
            await self.cluster.operator("funding/resume", body | why)

    async def open_account(self, name: str, *, saves: bool) -> Key:
        """Make a user who trades, or one who withdraws."""
        await self.cluster.operator("users", {"name": name})
        funds = {"ETH": str(SAVED_WHOLE)} if saves else FUNDS
        for asset, amount in funds.items():
            body = {"user": name, "asset": asset, "amount": amount, "reference": "drill"}
            await self.cluster.operator("credits", body)
        permissions = ["read", "trade", "withdraw"]
        wanted = {"user": name, "label": "drill", "permissions": permissions}
        made = await self.cluster.operator("keys", wanted)
        key = Key(made["apiKey"], made["secretKey"])
        if saves:
            await self._to_funding(key)
        return key

    async def _to_funding(self, key: Key) -> None:
        connection = Connection(*next(iter(self.gateways.values())))
        params = {"type": "MAIN_FUNDING", "asset": "ETH", "amount": str(SAVED_WHOLE)}
        try:
            answer = await connection.signed(key, "POST", "/sapi/v1/asset/transfer", params)
        finally:
            connection.close()
        if answer.status != 200:
            raise ClusterError(f"transfer: {answer.status} {answer.body.decode()}")

    async def paid_to(self, address: str) -> int:
        """Return what an address holds on the chain, in wei."""
        return int(await self.chain.rpc("eth_getBalance", address, "latest"), 16)


def topology() -> Topology:
    """Return three providers, the control cell's favourite apart from funding's and spot's."""
    amber, blue, coral = PROVIDERS
    plain = three_providers()
    known = tuple(cell for cell in plain.cell if cell.name != "control")
    return replace(plain, cell=(*known, CellPlace(name="control", prefer=(amber, blue, coral))))
