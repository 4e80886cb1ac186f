"""JSON-RPC to an EVM node.  The rule: an address may hold an access key, so it is never told.

What an answer says is not trusted to be well-formed: whatever does not fit is an `RpcError`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from seawall.watch.pulse import Look

ANSWER_S: Final = 10.0
BATCH: Final = 50
AT_ONCE: Final = 6
TRIES: Final = 4
PAUSE_S: Final = 0.5
LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
PRUNED: Final = (
    "missing trie node", "not available", "pruned", "historical state", "archive",
    "block is out of range", "state histories", "distance to target block",
)  # fmt: skip
T = TypeVar("T")
Call = tuple[str, tuple[Any, ...]]


class RpcError(Exception):
    """The node did not answer, refused, or answered something else."""


class PrunedError(RpcError):
    """The node keeps no state of that block."""


class Rpc:
    """One endpoint."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise RpcError("its address is no http or https URL")
        self.name = parts.hostname + (f":{parts.port}" if parts.port else "")
        self._url = url
        self._batches = True
        self._number = 0
        self._places = asyncio.Semaphore(AT_ONCE)
        self._client = httpx.AsyncClient(timeout=ANSWER_S, trust_env=parts.hostname not in LOOPBACK)

    async def close(self) -> None:
        await self._client.aclose()

    async def call(self, method: str, *params: Any) -> Any:
        """Call once; raise RpcError for whatever is no answer."""
        return _result(await self._post(self._body((method, params))))

    async def call_all(self, calls: Sequence[Call]) -> list[Any]:
        """Call all, in batches where the node takes them, each again when the node is busy."""
        if self._batches and len(calls) > 1:
            parts = [calls[at : at + BATCH] for at in range(0, len(calls), BATCH)]
            # The first alone: it finds out whether batches are taken at all.
            answers = [await self._patient(lambda: self._batch(parts[0]))]
            answers += await gather(self._batch_part(part) for part in parts[1:])
            return [each for part in answers for each in part]
        return await self._singles(calls)

    async def _batch_part(self, part: Sequence[Call]) -> list[Any]:
        return await self._patient(lambda: self._batch(part))

    async def _batch(self, calls: Sequence[Call]) -> list[Any]:
        if not self._batches:
            return await self._singles(calls)
        bodies = [self._body(call) for call in calls]
        replies = await self._post(bodies)
        if not isinstance(replies, list) or len(replies) != len(calls):
            self._batches = False
            return await self._singles(calls)
        try:
            by_id = {reply["id"]: reply for reply in replies}
            return [_result(by_id[body["id"]]) for body in bodies]
        except (KeyError, TypeError) as error:
            raise RpcError(f"a malformed answer: {error!r}") from None

    async def _singles(self, calls: Sequence[Call]) -> list[Any]:
        return await gather(self._single(call) for call in calls)

    async def _single(self, call: Call) -> Any:
        return await self._patient(lambda: self.call(call[0], *call[1]))

    async def _patient(self, ask: Callable[[], Awaitable[T]]) -> T:
        pause_s = PAUSE_S
        for left in range(TRIES - 1, -1, -1):
            try:
                async with self._places:
                    return await ask()
            except PrunedError:
                raise
            except RpcError:
                if not left:
                    raise
            await asyncio.sleep(pause_s)
            pause_s *= 2
        raise RpcError("it was not asked")

    def _body(self, call: Call) -> dict[str, Any]:
        self._number += 1
        return {"jsonrpc": "2.0", "id": self._number, "method": call[0], "params": list(call[1])}

    async def _post(self, body: Any) -> Any:
        try:
            answer = await self._client.post(self._url, json=body)
            if answer.status_code >= 400:
                raise RpcError(f"HTTP {answer.status_code} {answer.reason_phrase}".rstrip())
            return answer.json()
        except httpx.TimeoutException:
            raise RpcError("no answer in time") from None
        except httpx.ConnectError:
            raise RpcError("no connection") from None
        except httpx.HTTPError as error:
            # Its own text may have the address.
            raise RpcError(type(error).__name__) from None
        except ValueError:
            raise RpcError("its answer is no JSON") from None


class Chain:
    """The few questions that a watch asks about one wallet."""

    def __init__(self, rpc: Rpc, wallet: str) -> None:
        self.rpc = rpc
        self.wallet = wallet

    @property
    def name(self) -> str:
        return self.rpc.name

    async def chain_id(self) -> int:
        return number(await self.rpc.call("eth_chainId"))

    async def code(self) -> str:
        return str(await self.rpc.call("eth_getCode", self.wallet, "latest"))

    async def look(self) -> Look:
        """Return the head, and the nonce after it."""
        block = await self._block("latest")
        height = number(block["number"])
        (nonce,) = await self._nonces_once([height])
        return Look(
            number=height, id=str(block["hash"]), at_s=number(block["timestamp"]), nonce=nonce
        )

    async def _nonces_once(self, blocks: Sequence[int]) -> list[int]:
        return [
            number(await self.rpc.call("eth_getTransactionCount", self.wallet, hex(block)))
            for block in blocks
        ]

    async def nonces(self, blocks: Sequence[int]) -> list[int]:
        """Return how many transactions the wallet had sent after each block."""
        found = await self.rpc.call_all(
            [("eth_getTransactionCount", (self.wallet, hex(block))) for block in blocks]
        )
        return [number(each) for each in found]

    async def times(self, blocks: Sequence[int]) -> list[int]:
        found = await self.rpc.call_all(
            [("eth_getBlockByNumber", (hex(block), False)) for block in blocks]
        )
        if any(not isinstance(block, dict) for block in found):
            raise RpcError("it has not all of its blocks")
        return [number(block.get("timestamp")) for block in found]

    async def transactions(self, block: int) -> tuple[int, list[dict[str, Any]]]:
        """Return a block's time, and what the wallet sent in it, in order."""
        found = await self._block(hex(block), full=True)
        sent = found.get("transactions")
        if not isinstance(sent, list) or not all(isinstance(each, dict) for each in sent):
            raise RpcError("a malformed answer: a block without its transactions")
        mine = [each for each in sent if str(each.get("from")).lower() == self.wallet.lower()]
        return number(found["timestamp"]), sorted(mine, key=lambda each: number(each.get("nonce")))

    async def _block(self, name: str, *, full: bool = False) -> dict[str, Any]:
        found = await self.rpc.call("eth_getBlockByNumber", name, full)
        if not isinstance(found, dict) or not {"number", "hash", "timestamp"} <= found.keys():
            raise RpcError(f"it has no block {name}")
        return found


def number(value: Any) -> int:
    """Return a quantity such as `0x1f`."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise RpcError(f"a malformed answer: {str(value)[:40]!r} is no quantity")
    try:
        return int(value, 16)
    except ValueError:
        raise RpcError(f"a malformed answer: {value[:40]!r} is no quantity") from None


def _result(reply: Any) -> Any:
    if not isinstance(reply, dict):
        raise RpcError("a malformed answer: no object")
    error = reply.get("error")
    if error is not None:
        words = str(error.get("message") if isinstance(error, dict) else error)[:200]
        if any(phrase in words.lower() for phrase in PRUNED):
            raise PrunedError(words)
        raise RpcError(words)
    if "result" not in reply:
        raise RpcError("a malformed answer: neither result nor error")
    return reply["result"]


async def gather(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all; the first failure ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in asked]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
