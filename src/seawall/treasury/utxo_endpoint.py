"""One node of a Bitcoin-like network.  The rule: every answer names the block it is about.

Wants the node's transaction index (`txindex=1`), and replacements let into its pool, which Litecoin
does not by default (`mempoolreplacement=1`).  The node's wallet is not used: blocks are read,
and balances come from the set of unspent outputs.
"""

import asyncio
import json
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import httpx

from seawall.treasury.chain import (
    Block,
    Coin,
    FeeQuote,
    Payment,
    Receipt,
    SendOutcome,
    SendResult,
    coin_slot,
    parse_coin_slot,
)
from seawall.treasury.compared import ANSWER_S, EndpointError, MissingError
from seawall.treasury.settings import FeeSettings
from seawall.treasury.utxo_bytes import decode_signed, script_of

COIN: Final = 10**8
NOT_FOUND: Final = -5
OUT_OF_RANGE: Final = -8
FEE_BLOCKS: Final = 3
SCAN_S: Final = 900.0
"""How long a node may look through all unspent outputs."""
REFUSALS: Final[tuple[tuple[SendOutcome, tuple[str, ...]], ...]] = (
    (SendOutcome.ALREADY_KNOWN, ("already in block chain", "already in utxo", "already-known",
                                 "already-in-mempool")),
    (SendOutcome.SLOT_USED, ("missingorspent", "missing inputs")),
    (SendOutcome.UNDERPRICED, ("insufficient fee", "min relay fee", "mempool min fee",
                               "mempool full", "mempool-conflict")),
    (SendOutcome.REFUSED, ("decode failed", "script-verify", "non-mandatory", "dust", "max fee",
                           "absurdly-high", "bad-txns", "scriptpubkey", "tx-size", "too-long")),
)  # fmt: skip


class RpcError(EndpointError):
    """The node refused the call."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


class _Scan(NamedTuple):
    """All that is unspent of some addresses after a block."""

    block_id: str
    addresses: frozenset[str]
    coins: tuple[Coin, ...]


class UtxoEndpoint:
    """One node behind one address."""

    def __init__(self, name: str, url: str, *, prefix: str, fees: FeeSettings) -> None:
        self._name = name
        self._prefix = prefix
        self._fees = fees
        self._client = httpx.AsyncClient(base_url=url, timeout=ANSWER_S, trust_env=False)
        # The node scans its outputs for one caller at a time, and takes a while: a scan that its
        # caller gave up on goes on, and answers the next.
        self._scanning = asyncio.Lock()
        self._scan_task: asyncio.Task[None] | None = None
        self._scanned = _Scan("", frozenset(), ())

    @property
    def name(self) -> str:
        return self._name

    async def _call(self, method: str, *params: Any, within_s: float = ANSWER_S) -> Any:
        body = {"jsonrpc": "1.0", "id": 1, "method": method, "params": params}
        try:
            response = await self._client.post("/", json=body, timeout=within_s)
            reply = json.loads(response.text, parse_float=Decimal)
            error = reply.get("error")
            if error:
                raise RpcError(int(error["code"]), str(error["message"]))
            return reply["result"]
        except httpx.HTTPError as error:
            raise EndpointError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EndpointError(f"a malformed answer: {type(error).__name__}") from error

    async def head(self) -> Block:
        return _block(await self._call("getblockheader", await self._call("getbestblockhash")))

    async def block(self, number: int) -> Block | None:
        try:
            name = await self._call("getblockhash", number)
        except RpcError as error:
            if error.code == OUT_OF_RANGE:
                return None
            raise
        return _block(await self._call("getblockheader", name))

    async def payments(self, block: Block, addresses: Collection[str]) -> tuple[Payment, ...]:
        content = await self._content(block.id)
        return tuple(
            payment
            for sent in content["tx"]
            for payment in _outputs(sent)
            if payment.address in addresses and payment.units
        )

    async def _content(self, block_id: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = await self._call("getblock", block_id, 2)
        except RpcError as error:
            if error.code == NOT_FOUND:
                raise MissingError(f"has no block {block_id}") from error
            raise
        if int(found["confirmations"]) < 1:
            raise MissingError(f"block {block_id} was replaced")
        return found

    async def balance(self, address: str, contract: str, block: Block) -> int:
        return (await self.balances((address,), contract, block))[0]

    async def balances(
        self, addresses: Sequence[str], contract: str, block: Block
    ) -> tuple[int, ...]:
        """Scan the outputs once for all of them."""
        if contract:
            raise EndpointError("this network has no tokens")
        units = dict.fromkeys(addresses, 0)
        for coin in await self.coins_at(frozenset(addresses), block):
            units[coin.address] += coin.units
        return tuple(units[address] for address in addresses)

    async def coins(self, address: str) -> tuple[Coin, ...]:
        return (await self._scan(frozenset({address}))).coins

    async def coins_at(self, addresses: frozenset[str], block: Block) -> tuple[Coin, ...]:
        """Return what is unspent of these addresses after the block, which must be the newest."""
        if not addresses:
            return ()
        found = await self._scan(addresses)
        if found.block_id != block.id:
            raise MissingError("knows the outputs of its newest block only")
        return found.coins

    async def _scan(self, addresses: frozenset[str]) -> "_Scan":
        async with self._scanning:
            if self._scan_task is not None:
                await asyncio.shield(self._scan_task)
            best = str(await self._call("getbestblockhash"))
            if (best, addresses) != (self._scanned.block_id, self._scanned.addresses):
                self._scan_task = asyncio.create_task(self._scan_now(addresses))
                self._scan_task.add_done_callback(_forgive)
                await asyncio.shield(self._scan_task)
            return self._scanned

    async def _scan_now(self, addresses: frozenset[str]) -> None:
        wanted = [f"addr({address})" for address in sorted(addresses)]
        try:
            found = await self._call("scantxoutset", "start", wanted, within_s=SCAN_S)
            if not found or not found.get("success"):
                raise EndpointError("the scan of unspent outputs was cut short")
            coins = _coins(found, addresses, self._prefix)
            if sum(coin.units for coin in coins) != _units(found["total_amount"]):
                raise EndpointError("its outputs are not the total that it names")
            self._scanned = _Scan(str(found["bestblock"]), addresses, coins)
        except (KeyError, TypeError, ValueError) as error:
            raise EndpointError(f"a malformed answer: {type(error).__name__}") from error
        finally:
            self._scan_task = None

    async def nonce(self, _address: str, _block: Block) -> int:
        return 0

    async def fee_quote(self) -> FeeQuote:
        pool = await self._call("getmempoolinfo")
        base = _units(pool["mempoolminfee"])
        estimate = await self._call("estimatesmartfee", FEE_BLOCKS)
        wanted = max(base, self._fees.tip_floor, _units(estimate.get("feerate", Decimal(0))))
        most = min(wanted, self._fees.cap)
        return FeeQuote(base=base, tip=max(most - base, 0), most=most, spiked=wanted > most)

    async def receipt(self, tx_id: str) -> Receipt | None:
        sent = await self._transaction(tx_id)
        if sent is None or int(sent.get("confirmations", 0)) < 1:
            return None
        header = await self._call("getblockheader", sent["blockhash"])
        if int(header["confirmations"]) < 1:
            return None
        payments = tuple(_outputs(sent))
        spent = 0
        for coin in sent["vin"]:
            if "txid" not in coin:
                # Newly mined coin costs nothing.
                return _receipt(sent, header, 0, payments)
            before = await self._transaction(coin["txid"])
            if before is None:
                raise EndpointError("its transaction index has holes")
            spent += _units(before["vout"][int(coin["vout"])]["value"])
        paid = sum(_units(output["value"]) for output in sent["vout"])
        return _receipt(sent, header, spent - paid, payments)

    async def _transaction(self, tx_id: str) -> dict[str, Any] | None:
        try:
            return dict(await self._call("getrawtransaction", tx_id, True))  # noqa: FBT003 -- the node's own flag
        except RpcError as error:
            if error.code == NOT_FOUND:
                return None
            raise

    async def slot_user(self, slot: str, head: Block) -> str | None:
        """Look for what spent a coin, from the head down to the block that made it."""
        tx_id, output = parse_coin_slot(slot)
        made = await self.receipt(tx_id)
        unspent = await self._call("gettxout", tx_id, output, False)  # noqa: FBT003 -- not the pool's view
        if made is None or unspent is not None:
            return None
        at = head.id
        for _ in range(head.number - made.block + 1):
            content = await self._content(at)
            for sent in content["tx"]:
                if any(_spends(coin, tx_id, output) for coin in sent["vin"]):
                    return str(sent["txid"])
            at = content["previousblockhash"]
        raise MissingError(f"{slot} was spent above {head.id}")

    async def is_contract(self, _address: str, _block: Block) -> bool:
        return False

    async def receipts(self, tx_ids: Sequence[str]) -> tuple[Receipt | None, ...]:
        return tuple([await self.receipt(tx_id) for tx_id in tx_ids])

    async def send(self, signed: bytes) -> SendResult:
        tx_id = decode_signed(signed, self._prefix).tx_id
        try:
            await self._call("getmempoolentry", tx_id)
        except RpcError:
            known = False
        else:
            known = True
        try:
            await self._call("sendrawtransaction", signed.hex(), 0)
        except RpcError as error:
            return SendResult(outcome=classify(error.message), tx_id=tx_id, detail=error.message)
        outcome = SendOutcome.ALREADY_KNOWN if known else SendOutcome.ACCEPTED
        return SendResult(outcome=outcome, tx_id=tx_id)

    async def close(self) -> None:
        if self._scan_task is not None:
            self._scan_task.cancel()
            await asyncio.gather(self._scan_task, return_exceptions=True)
        await self._client.aclose()


def classify(message: str) -> SendOutcome:
    """Return what a node's refusal means; words that nobody knows are UNKNOWN."""
    text = message.lower()
    for outcome, phrases in REFUSALS:
        if any(phrase in text for phrase in phrases):
            return outcome
    return SendOutcome.UNKNOWN


def _units(amount: Any) -> int:
    """Return an amount of coin in units; the node writes up to eight decimals."""
    units = Decimal(amount) * COIN
    if units != units.to_integral_value():
        raise EndpointError(f"a malformed amount: {amount}")
    return int(units)


def _block(header: dict[str, Any]) -> Block:
    return Block(
        number=int(header["height"]),
        id=str(header["hash"]),
        parent_id=str(header.get("previousblockhash", "")),
        at_ns=int(header["time"]) * 1_000_000_000,
    )


def _forgive(look: asyncio.Task[None]) -> None:
    """Take note of a failure that nobody waits for any more: the next caller looks again."""
    if not look.cancelled():
        look.exception()


def _coins(found: dict[str, Any], addresses: frozenset[str], prefix: str) -> tuple[Coin, ...]:
    owners = {script_of(address, prefix).hex(): address for address in addresses}
    coins = [
        Coin(
            slot=coin_slot(one["txid"], int(one["vout"])),
            address=owners[str(one["scriptPubKey"])],
            script=str(one["scriptPubKey"]),
            units=_units(one["amount"]),
            block=int(one["height"]),
        )
        for one in found["unspents"]
    ]
    return tuple(sorted(coins, key=lambda coin: coin.slot))


def _outputs(sent: dict[str, Any]) -> list[Payment]:
    found = []
    for output in sent["vout"]:
        script = output["scriptPubKey"]
        named = script.get("addresses") or [script.get("address", "")]
        units = _units(output["value"])
        if len(named) == 1 and named[0]:
            found.append(
                Payment(
                    tx_id=str(sent["txid"]), output=int(output["n"]), address=str(named[0]),
                    contract="", units=units, stated_units=units,
                )
            )  # fmt: skip
    return found


def _receipt(
    sent: dict[str, Any], header: dict[str, Any], cost: int, payments: tuple[Payment, ...]
) -> Receipt:
    return Receipt(
        tx_id=str(sent["txid"]),
        block=int(header["height"]),
        block_id=str(header["hash"]),
        ok=True,
        cost=cost,
        payments=payments,
    )


def _spends(coin: dict[str, Any], tx_id: str, output: int) -> bool:
    return coin.get("txid") == tx_id and int(coin["vout"]) == output
