"""One user who withdraws while everything breaks.  The rule: without an answer, ask the same again.

A customer uses the wallet API and nothing else.  It writes down what was acknowledged and only
that; whatever was not answered is asked again under the same `withdrawOrderId` until it is.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from eth_utils.address import to_checksum_address
from msgspec import Struct

from seawall.lab.drills.payouts_audit import Asked, Told
from seawall.lab.drills.payouts_chain import HurtChain
from seawall.lab.exchange_process import ExchangeProcess
from seawall.lab.wire import Answer, BrokenError, Key
from seawall.lib.prng import Prng

ANSWER_S: Final = 8.0
PAUSE_S: Final = 0.05
PAGE: Final = 1_000
UNSETTLED: Final = frozenset({-1001, -1007, -1008})
"""Codes after which nobody knows, or which say that nothing was done and another try may help."""
SIGNED: Final = frozenset({"prepared", "broadcast"})
TRAP_LOOKS: Final = 200


class Coin(Struct, frozen=True, kw_only=True):
    """One asset of the drill; amounts in units on chain."""

    asset: str
    contract: str
    decimals: int
    """In the ledger, and as written in requests."""
    chain_decimals: int
    least: int
    most: int
    large: int
    """Above what people must approve."""
    deposit: int

    @property
    def unit(self) -> int:
        """Atoms in one unit."""
        return int(10 ** (self.decimals - self.chain_decimals))

    def text(self, units: int) -> str:
        return f"{Decimal(units).scaleb(-self.chain_decimals):f}"

    def atoms(self, text: str) -> int:
        return int(Decimal(text).scaleb(self.decimals))


class Customer:
    """Withdraws, repeats, cancels, and remembers what was said."""

    def __init__(
        self,
        name: str,
        key: Key,
        exchange: ExchangeProcess,
        up: asyncio.Event,
        chain: HurtChain,
        coins: tuple[Coin, ...],
        prng: Prng,
    ) -> None:
        self.name = name
        self.address = ""
        self.asked: list[Asked] = []
        self.answered_at_s: list[float] = []
        self.unanswered = 0
        self._key = key
        self._connection = exchange.connection(ANSWER_S)
        self._up = up
        self._chain = chain
        self._coins = coins
        self._prng = prng
        self._traps: set[asyncio.Task[None]] = set()
        self._line = asyncio.Lock()
        """A connection carries one request at a time."""

    # Asking

    async def open_account(self) -> None:
        """Learn the address for deposits."""
        params = {"coin": self._coins[0].asset}
        found = await self._insist("GET", "/sapi/v1/capital/deposit/address", params)
        self.address = found.json()["address"]

    async def deposit(self, coin: Coin, units: int, account: int) -> None:
        """Pay some to the own deposit address, from one of the chain's rich accounts."""
        fields = {"from": self._chain.node.accounts[account]}
        if coin.contract:
            data = "0xa9059cbb" + self.address[2:].lower().rjust(64, "0") + f"{units:064x}"
            fields |= {"to": coin.contract, "data": data, "gas": hex(200_000)}
        else:
            fields |= {"to": self.address, "value": hex(units)}
        await self._chain.insist("eth_sendTransaction", fields)

    async def to_spot(self, coin: Coin, units: int) -> None:
        params = {
            "type": "FUNDING_MAIN",
            "asset": coin.asset,
            "amount": coin.text(units),
            "clientTranId": f"spot-{coin.asset}",
        }
        answer = await self._insist("POST", "/sapi/v1/asset/transfer", params)
        if answer.status != 200:
            raise BrokenError(f"transfer: {answer.status} {answer.body.decode()}")

    async def withdraw(self) -> None:
        """Ask for one withdrawal of a kind that chance chooses."""
        prng = self._prng
        coin = prng.choice(self._coins)
        chance = prng.below(100)
        units = prng.between(coin.least, coin.most)
        if chance < 5:
            units = coin.large + prng.below(coin.least)
        asked = Asked(
            name=f"{self.name}-{len(self.asked)}",
            user=self.name,
            asset=coin.asset,
            address=self._new_address(),
            atoms=units * coin.unit,
        )
        self.asked.append(asked)
        amount, wallet = coin.text(units), "1"
        if 5 <= chance < 8:
            amount = "0.000000000000000001" if coin.chain_decimals < 18 else "0.0000001"
        elif 8 <= chance < 14:
            wallet = "0"
        elif chance == 14 and not coin.contract:
            await self._chain.refuse(asked.address)
        params = {
            "coin": coin.asset,
            "network": "ETH",
            "address": asked.address,
            "amount": amount,
            "withdrawOrderId": asked.name,
            "walletType": wallet,
        }
        await self._apply(asked, params)
        if asked.number and chance >= 92:
            await self._cancel(asked)
        elif asked.number and 80 <= chance < 86:
            await self._apply(asked, params)
        elif asked.number and 15 <= chance < 19 and not coin.contract:
            self._set_trap(asked)

    async def _apply(self, asked: Asked, params: Mapping[str, str]) -> None:
        answer = await self._insist("POST", "/sapi/v1/capital/withdraw/apply", params)
        body = answer.json()
        if answer.status == 200:
            asked.number = int(body["id"])
            asked.numbers.add(asked.number)
        elif not asked.number:
            asked.refused = f"{body.get('code')} {body.get('msg')}"

    async def _cancel(self, asked: Asked) -> None:
        answer = await self._insist("DELETE", "/seawall/v1/withdrawals", {"id": str(asked.number)})
        asked.canceled = answer.status == 200 and answer.json()["state"] == "canceled"

    def _set_trap(self, asked: Asked) -> None:
        """Let the payee refuse as soon as the payment is signed: it will fail on chain."""
        task = asyncio.create_task(self._trap(asked))
        self._traps.add(task)
        task.add_done_callback(self._traps.discard)

    async def _trap(self, asked: Asked) -> None:
        for _ in range(TRAP_LOOKS):
            row = next((row for row in await self._rows(20) if row["id"] == asked.number), None)
            if row is not None and row["state"] in SIGNED:
                await self._chain.refuse(asked.address)
            if row is not None and row["state"] != "queued":
                return
            await asyncio.sleep(PAUSE_S)

    def _new_address(self) -> str:
        digits = f"{self._prng.bits64():016x}{self._prng.bits64():016x}{self._prng.bits64():016x}"
        return str(to_checksum_address("0x" + digits[:40]))

    # What is there now

    async def told(self) -> list[Told]:
        """Ask for every withdrawal."""
        rows: list[dict[str, Any]] = []
        while True:
            page = await self._rows(PAGE, len(rows))
            rows += page
            if len(page) < PAGE:
                break
        coins = {coin.asset: coin for coin in self._coins}
        return [
            Told(
                number=row["id"],
                name=row["withdrawOrderId"],
                state=row["state"],
                address=row["address"],
                atoms=coins[row["asset"]].atoms(row["amount"]),
                fee=coins[row["asset"]].atoms(row["fee"]),
                tx_id=row["txId"],
            )
            for row in rows
        ]

    async def open_withdrawals(self) -> list[dict[str, Any]]:
        return await self._rows(PAGE, only_open=True)

    async def balances(self) -> dict[str, int]:
        """Return what the user owns in all wallets, in atoms by asset."""
        coins = {coin.asset: coin for coin in self._coins}
        found = dict.fromkeys(coins, 0)
        funding = (await self._insist("POST", "/sapi/v1/asset/get-funding-asset", {})).json()
        spot = (await self._insist("GET", "/api/v3/account", {})).json()["balances"]
        for row, held in [
            *((row, "withdrawing") for row in funding),
            *((row, "locked") for row in spot),
        ]:
            if row["asset"] in coins:
                coin = coins[row["asset"]]
                found[coin.asset] += coin.atoms(row["free"]) + coin.atoms(row[held])
        return found

    async def _rows(
        self, limit: int, offset: int = 0, *, only_open: bool = False
    ) -> list[dict[str, Any]]:
        params = {"limit": str(limit), "offset": str(offset)}
        if only_open:
            params["open"] = "true"
        answer = await self._insist("GET", "/seawall/v1/withdrawals", params)
        rows: list[dict[str, Any]] = answer.json()["withdrawals"]
        return rows

    async def close(self) -> None:
        for task in list(self._traps):
            task.cancel()
        await asyncio.gather(*self._traps, return_exceptions=True)
        self._connection.close()

    async def _insist(self, method: str, path: str, params: Mapping[str, str]) -> Answer:
        """Return a definite answer, however often the exchange dies meanwhile."""
        while True:
            await self._up.wait()
            try:
                async with self._line:
                    answer = await self._connection.signed(self._key, method, path, params)
                if answer.status < 500 and _code(answer) not in UNSETTLED:
                    self.answered_at_s.append(asyncio.get_running_loop().time())
                    return answer
            except BrokenError:
                pass
            self.unanswered += 1
            await asyncio.sleep(PAUSE_S)


def _code(answer: Answer) -> int:
    body = answer.json()
    return int(body.get("code", 0)) if isinstance(body, dict) else 0
