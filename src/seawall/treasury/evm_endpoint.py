"""One EVM node, asked through web3.py.  The rule: every answer names the block it is about.

Payments are read from transactions and from ERC-20 logs.  Coin that a contract passes on inside a
transaction shows in neither: docs/internals/treasury.md says what follows from that.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from aiohttp import (
    ClientError,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    InvalidURL,
    TCPConnector,
)
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from msgspec.structs import replace
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import (
    BlockNotFound,
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import RPCEndpoint

from seawall.treasury.chain import (
    Block,
    Coin,
    FeeQuote,
    Payment,
    Receipt,
    SendOutcome,
    SendResult,
    parse_lane_slot,
)
from seawall.treasury.compared import ANSWER_S, EndpointError, MissingError
from seawall.treasury.evm_bytes import BALANCE_SELECTOR, TRANSFER_TOPIC
from seawall.treasury.evm_codec import checksummed
from seawall.treasury.evm_reader import MOST, balances_program, read_balances
from seawall.treasury.evm_refusals import classify
from seawall.treasury.settings import FeeSettings

FEE_BLOCKS: Final = 5
RECEIPTS_AT_ONCE: Final = 16
"""A block may hold hundreds of deposits: read one by one they would take longer than the block."""
IDLE_S: Final = 10
"""A connection is let go after so long, well before nodes and their proxies do that."""
MISSING: Final = ("header not found", "unknown block", "block not found", "resource not found",
                  "out of range", "unknown header", "header for hash not found")  # fmt: skip
PRUNED: Final = ("missing trie node", "state is not available", "pruned", "historical state")


class GasCall(NamedTuple):
    """A call whose gas is asked for."""

    source: str
    to: str
    value: int
    data: bytes

    def fields(self) -> dict[str, str]:
        return {
            "from": self.source,
            "to": self.to,
            "value": hex(self.value),
            "data": "0x" + self.data.hex(),
        }


class EvmEndpoint:
    """One node behind one address."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        chain_id: int,
        fees: FeeSettings,
        measured: frozenset[str] = frozenset(),
    ) -> None:
        self._name = name
        self._chain_id = chain_id
        self._fees = fees
        self._measured = measured
        self._checked = False
        self._connected = False
        self._provider = AsyncHTTPProvider(
            url,
            request_kwargs={"timeout": ClientTimeout(total=ANSWER_S)},
            exception_retry_configuration=None,
        )
        self._web3 = AsyncWeb3(self._provider, middleware=[ExtraDataToPOAMiddleware])

    @property
    def name(self) -> str:
        return self._name

    async def _check(self) -> None:
        """Ask once which chain this is: another one's answers would all be plausible."""
        if self._checked:
            return
        if not self._connected:
            # web3.py's own session would open a connection for each request.
            self._connected = True
            connector = TCPConnector(keepalive_timeout=IDLE_S)
            await self._provider.cache_async_session(ClientSession(connector=connector))
        with _translated():
            told = await self._web3.eth.chain_id
        if told != self._chain_id:
            raise EndpointError(f"serves chain {told}, not {self._chain_id}")
        self._checked = True

    async def head(self) -> Block:
        await self._check()
        with _translated():
            return _block(await self._web3.eth.get_block("latest"))

    async def block(self, number: int) -> Block | None:
        await self._check()
        with _translated():
            try:
                return _block(await self._web3.eth.get_block(number))
            except BlockNotFound:
                return None

    async def payments(self, block: Block, addresses: Collection[str]) -> tuple[Payment, ...]:
        await self._check()
        with _translated():
            content = await self._content(HexBytes(block.id))
            logs = await self._web3.eth.get_logs(
                {"blockHash": HexBytes(block.id), "topics": [TRANSFER_TOPIC]}
            )
            concerned = {
                _text(sent["hash"])
                for sent in content
                if sent.get("to") in addresses and sent["value"]
            }
            for log in logs:
                transfer = _transfer(log)
                if transfer is not None and transfer[2] in addresses:
                    concerned.add(_text(log["transactionHash"]))
            found = await self._paid_by(
                [sent for sent in content if _text(sent["hash"]) in concerned], block, addresses
            )
            moved = [transfer for log in logs if (transfer := _transfer(log)) is not None]
            return tuple(await self._measure(found, moved, block))

    async def _content(self, block: HexBytes | int) -> list[Mapping[str, Any]]:
        found = await self._web3.eth.get_block(block, full_transactions=True)
        return cast("list[Mapping[str, Any]]", found["transactions"])

    async def _paid_by(
        self, content: list[Mapping[str, Any]], block: Block, addresses: Collection[str]
    ) -> list[Payment]:
        slots = asyncio.Semaphore(RECEIPTS_AT_ONCE)

        async def paid(sent: Mapping[str, Any]) -> list[Payment]:
            async with slots:
                receipt = await self._web3.eth.get_transaction_receipt(sent["hash"])
            if _text(receipt["blockHash"]) != block.id:
                raise MissingError(f"block {block.id} was replaced while it was read")
            return [each for each in _effects(sent, receipt) if each.address in addresses]

        found = await asyncio.gather(*(paid(sent) for sent in content))
        return [each for of_one in found for each in of_one if each.units]

    async def _measure(
        self, found: list[Payment], moved: list[tuple[str, str, str, int]], block: Block
    ) -> list[Payment]:
        """Return what really arrived of listed tokens: some keep a fee that their log hides."""
        groups: dict[str, dict[str, list[int]]] = {}
        for place, payment in enumerate(found):
            if payment.contract in self._measured:
                of_contract = groups.setdefault(payment.contract, {})
                of_contract.setdefault(payment.address, []).append(place)
        for contract, of_contract in groups.items():
            arrived = await self._arrived(list(of_contract), contract, moved, block)
            for address, places in of_contract.items():
                stated = sum(found[place].stated_units for place in places)
                for place in places:
                    if arrived[address] < stated:
                        share = found[place].stated_units * max(arrived[address], 0) // stated
                        found[place] = replace(found[place], units=share)
        return [payment for payment in found if payment.units]

    async def _arrived(
        self,
        addresses: list[str],
        contract: str,
        moved: list[tuple[str, str, str, int]],
        block: Block,
    ) -> dict[str, int]:
        """Return by how much balances grew in a block, with what left in it added back."""
        parent = Block(number=block.number - 1, id=block.parent_id, parent_id="", at_ns=0)
        gone: dict[str, int] = {}
        for token, source, _, units in moved:
            if token == contract:
                gone[source] = gone.get(source, 0) + units
        arrived: dict[str, int] = {}
        for start in range(0, len(addresses), MOST):
            part = addresses[start : start + MOST]
            after = await self.balances(part, contract, block)
            before = await self.balances(part, contract, parent)
            for address, now, then in zip(part, after, before, strict=True):
                arrived[address] = now - then + gone.get(address, 0)
        return arrived

    async def balance(self, address: str, contract: str, block: Block) -> int:
        await self._check()
        at = HexBytes(block.id)
        with _translated():
            if not contract:
                return int(await self._web3.eth.get_balance(checksummed(address), at))
            data = BALANCE_SELECTOR + bytes(12) + bytes.fromhex(address[2:])
            told = await self._web3.eth.call({"to": contract, "data": HexBytes(data)}, at)
            if len(told) != 32:
                raise EndpointError(f"{contract} gives no balance: it is no token")
            return int.from_bytes(told, "big")

    async def balances(
        self, addresses: Sequence[str], contract: str, block: Block
    ) -> tuple[int, ...]:
        await self._check()
        program = HexBytes(balances_program(addresses, contract))
        with _translated():
            try:
                told = await self._web3.eth.call({"data": program}, HexBytes(block.id))
            except ContractLogicError as error:
                raise EndpointError(f"{contract} gives no balances: it is no token") from error
            return read_balances(told, len(addresses))

    async def nonce(self, address: str, block: Block) -> int:
        await self._check()
        with _translated():
            account = checksummed(address)
            return int(await self._web3.eth.get_transaction_count(account, HexBytes(block.id)))

    async def fee_quote(self) -> FeeQuote:
        await self._check()
        with _translated():
            history = await self._web3.eth.fee_history(FEE_BLOCKS, "latest", [50])
        base = int(history["baseFeePerGas"][-1])
        tips = sorted(int(block[0]) for block in history.get("reward") or [] if block)
        tip = max(tips[len(tips) // 2] if tips else 0, self._fees.tip_floor)
        return FeeQuote(
            base=base,
            tip=min(tip, self._fees.cap),
            # Twice the base holds through six full blocks in a row.
            most=min(2 * base + tip, self._fees.cap),
            spiked=base + tip > self._fees.cap,
        )

    async def coins(self, _address: str) -> tuple[Coin, ...]:
        return ()

    async def gas(self, calls: Sequence[GasCall]) -> tuple[int | str, ...]:
        """Return what each call would use, or the reason why it would fail."""
        answers = await self._batch([("eth_estimateGas", [call.fields()]) for call in calls])
        if answers is None:
            return tuple([await self._gas_of(call) for call in calls])
        # What an error means is judged where a call is made alone; there are few of them.
        return tuple(
            [
                await self._gas_of(call) if "error" in answer else _number(answer["result"])
                for call, answer in zip(calls, answers, strict=True)
            ]
        )

    async def _gas_of(self, call: GasCall) -> int | str:
        await self._check()
        with _translated():
            try:
                return int(await self._web3.eth.estimate_gas(call.fields()))  # type: ignore[arg-type]  # web3 wants its own TypedDict of the same fields
            except ContractLogicError as error:
                return f"it would revert: {error.message or 'no reason given'}"
            except Web3RPCError as error:
                if classify(str(error)) is SendOutcome.INSUFFICIENT_FUNDS:
                    return "insufficient funds"
                raise

    async def receipt(self, tx_id: str) -> Receipt | None:
        await self._check()
        with _translated():
            try:
                receipt = await self._web3.eth.get_transaction_receipt(HexBytes(tx_id))
                sent = await self._web3.eth.get_transaction(HexBytes(tx_id))
            except TransactionNotFound:
                return None
            return _receipt(tx_id, sent, receipt)

    async def receipts(self, tx_ids: Sequence[str]) -> tuple[Receipt | None, ...]:
        calls = [
            (method, [tx_id])
            for tx_id in tx_ids
            for method in ("eth_getTransactionReceipt", "eth_getTransactionByHash")
        ]
        answers = await self._batch(calls)
        if answers is None:
            return tuple([await self.receipt(tx_id) for tx_id in tx_ids])
        with _translated():
            return tuple(
                None if receipt is None or sent is None else _receipt(tx_id, sent, receipt)
                for tx_id, receipt, sent in zip(
                    tx_ids, map(_result, answers[::2]), map(_result, answers[1::2]), strict=True
                )
            )

    async def _batch(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any] | None:
        """Make many calls in one request; None if the node takes no more than one at a time."""
        await self._check()
        with _translated():
            made = [(RPCEndpoint(method), parameters) for method, parameters in calls]
            answers = await self._provider.make_batch_request(made)
        return answers if isinstance(answers, list) and len(answers) == len(calls) else None

    async def slot_user(self, slot: str, head: Block) -> str | None:
        """Find the block in which the account's nonce passed the slot's, by halving."""
        lane, nonce = parse_lane_slot(slot)
        if await self.nonce(lane, head) <= nonce:
            return None
        with _translated():
            low, step = head.number, 1
            while low > 0 and await self._nonce_at(lane, low) > nonce:
                low, step = max(low - step, 0), step * 2
            high = head.number
            while high - low > 1:
                middle = (low + high) // 2
                if await self._nonce_at(lane, middle) > nonce:
                    high = middle
                else:
                    low = middle
            for sent in await self._content(high):
                if (sent["from"], int(sent["nonce"])) == (lane, nonce):
                    return _text(sent["hash"])
        raise MissingError(f"block {high} was replaced while it was read")

    async def _nonce_at(self, lane: str, number: int) -> int:
        return int(await self._web3.eth.get_transaction_count(checksummed(lane), number))

    async def is_contract(self, address: str, block: Block) -> bool:
        await self._check()
        with _translated():
            code = await self._web3.eth.get_code(checksummed(address), HexBytes(block.id))
        return len(code) > 0

    async def send(self, signed: bytes) -> SendResult:
        tx_id = "0x" + keccak(signed).hex()
        await self._check()
        with _translated():
            try:
                await self._web3.eth.send_raw_transaction(HexBytes(signed))
            except Web3RPCError as error:
                detail = error.message or str(error)
                return SendResult(outcome=classify(detail), tx_id=tx_id, detail=detail)
        return SendResult(outcome=SendOutcome.ACCEPTED, tx_id=tx_id)

    async def send_all(self, signed: Sequence[bytes]) -> tuple[SendResult, ...]:
        answers = await self._batch(
            [("eth_sendRawTransaction", ["0x" + each.hex()]) for each in signed]
        )
        if answers is None:
            return tuple([await self.send(each) for each in signed])
        return tuple(_taken(each, answer) for each, answer in zip(signed, answers, strict=True))

    async def close(self) -> None:
        await self._provider.disconnect()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what web3.py raises into this package's words."""
    try:
        yield
    except (EndpointError, TransactionNotFound):
        raise
    except BlockNotFound as error:
        raise MissingError(str(error)) from error
    except Web3RPCError as error:
        text = (error.message or str(error)).lower()
        if any(phrase in text for phrase in PRUNED):
            raise EndpointError(f"keeps no state of that block: {text}") from error
        if any(phrase in text for phrase in MISSING):
            raise MissingError(text) from error
        raise EndpointError(text) from error
    except ClientResponseError as error:
        # Its own text has the address, and the address may hold an access key.
        raise EndpointError(f"HTTP {error.status} {error.message}".rstrip()) from None
    except InvalidURL:
        raise EndpointError("its address is no URL") from None
    except (ClientError, OSError, TimeoutError) as error:
        raise EndpointError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    except (Web3Exception, ValueError, KeyError, TypeError, IndexError) as error:
        raise EndpointError(f"a malformed answer: {type(error).__name__}: {error}") from error


def _block(found: Mapping[str, Any]) -> Block:
    return Block(
        number=int(found["number"]),
        id=_text(found["hash"]),
        parent_id=_text(found["parentHash"]),
        at_ns=int(found["timestamp"]) * 1_000_000_000,
    )


def _result(answer: Mapping[str, Any]) -> Any:
    """Return what one call of a batch gave; an error there is the endpoint's."""
    if "error" in answer:
        raise EndpointError(str(answer["error"]))
    return answer["result"]


def _taken(signed: bytes, answer: Mapping[str, Any]) -> SendResult:
    tx_id = "0x" + keccak(signed).hex()
    if "error" not in answer:
        return SendResult(outcome=SendOutcome.ACCEPTED, tx_id=tx_id)
    detail = str(answer["error"].get("message") or answer["error"])
    return SendResult(outcome=classify(detail), tx_id=tx_id, detail=detail)


def _receipt(tx_id: str, sent: Mapping[str, Any], receipt: Mapping[str, Any]) -> Receipt:
    cost = _number(receipt["gasUsed"]) * _number(receipt["effectiveGasPrice"])
    # Rollups charge for their place on the chain below as well.
    cost += _number(receipt.get("l1Fee", 0))
    return Receipt(
        tx_id=tx_id,
        block=_number(receipt["blockNumber"]),
        block_id=_text(receipt["blockHash"]),
        ok=_number(receipt["status"]) == 1,
        cost=cost,
        payments=tuple(_effects(sent, receipt)),
    )


def _effects(sent: Mapping[str, Any], receipt: Mapping[str, Any]) -> list[Payment]:
    """Return what a transaction paid; a reverted one paid nothing."""
    if _number(receipt["status"]) != 1:
        return []
    tx_id = _text(sent["hash"])
    found = []
    units = _number(sent["value"])
    if sent.get("to") and units:
        found.append(
            Payment(
                tx_id=tx_id, output=0, address=checksummed(sent["to"]), contract="",
                units=units, stated_units=units, source=checksummed(sent["from"]),
            )
        )  # fmt: skip
    # A log is named by its place within its transaction: its place in the block may change.
    for place, log in enumerate(receipt["logs"]):
        transfer = _transfer(log)
        if transfer is not None:
            contract, source, payee, units = transfer
            found.append(
                Payment(
                    tx_id=tx_id, output=1 + place, address=payee, contract=contract,
                    units=units, stated_units=units, source=source,
                )
            )  # fmt: skip
    return found


def _transfer(log: Mapping[str, Any]) -> tuple[str, str, str, int] | None:
    """Return contract, source, payee and units of an ERC-20 transfer; None for any other log.

    Tokens of ERC-721 use the same topic with one more indexed field.
    """
    topics = log["topics"]
    data = _bytes(log["data"])
    if len(topics) != 3 or _text(topics[0]) != TRANSFER_TOPIC or len(data) != 32:
        return None
    if log.get("removed"):
        return None
    source, payee = (checksummed(_text(_bytes(topic)[12:])) for topic in topics[1:])
    contract = checksummed(log["address"])
    return contract, source, payee, int.from_bytes(data, "big")


def _text(data: Any) -> str:
    return "0x" + _bytes(data).hex()


def _bytes(data: Any) -> bytes:
    """Return bytes as web3.py gives them, or as they stand in an answer that it did not read."""
    return bytes.fromhex(data[2:]) if isinstance(data, str) else bytes(data)


def _number(value: Any) -> int:
    return int(value, 16) if isinstance(value, str) else int(value)
