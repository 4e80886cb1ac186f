"""The embedded chain behind JSON-RPC on loopback, as a process of its own.

The rule: one call at a time, in the order they come.  The process is started by
`lab/devchain.py`, which reads the port from its first line: `python -m
seawall.lab.ethchain_server --help`.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
from embit import bip32, bip39
from eth_typing import Address
from eth_utils.address import to_checksum_address
from eth_utils.exceptions import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seawall.lab.ethchain import TIP, CallError, EthChain, sign
from seawall.lab.ethchain_documents import hexed, number_of, transaction_document
from seawall.lab.ethchain_store import ChainStore, Document
from seawall.treasury.addresses import evm_address

HOST: Final = "127.0.0.1"
WORDS: Final = "test test test test test test test test test test test junk"
"""Anvil's: everybody has these keys, and they are for play money."""
ACCOUNTS: Final = 10
WEALTH: Final = 10_000 * 10**18
MINED_MOST: Final = 1_000
FEE_BLOCKS_MOST: Final = 1_024
LOG_BLOCKS_MOST: Final = 10_000
_NEWEST: Final = ("latest", "pending", "safe", "finalized")
_NOBODY: Final = Address(bytes(20))


def known_keys() -> dict[Address, bytes]:
    """Return the accounts that may be sent from without signing, and their keys."""
    account = bip32.HDKey.from_seed(bip39.mnemonic_to_seed(WORDS)).derive("m/44h/60h/0h/0")
    keys: dict[Address, bytes] = {}
    for index in range(ACCOUNTS):
        child = account.child(index)
        address = evm_address(child.to_public().key)
        keys[Address(bytes.fromhex(address[2:]))] = bytes(child.key.secret)
    return keys


class Node:
    """The methods, by their names."""

    def __init__(self, store: ChainStore, chain_id: int) -> None:
        self._keys = known_keys()
        self._chain_id = chain_id
        self._chain = self._begin(store)
        self._methods: dict[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: "seawall-embedded-chain",
            "net_version": lambda: str(chain_id),
            "eth_chainId": lambda: hex(chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": lambda: [hexed(account) for account in self._keys],
            "eth_blockNumber": lambda: self._chain.head["number"],
            "eth_gasPrice": lambda: hex(int(self._chain.head["baseFeePerGas"], 16) + TIP),
            "eth_maxPriorityFeePerGas": lambda: hex(TIP),
            "eth_feeHistory": self._fee_history,
            "eth_getBlockByNumber": self._block,
            "eth_getBlockByHash": self._block,
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_getTransactionCount": self._nonce,
            "eth_getStorageAt": self._storage,
            "eth_call": self._call,
            "eth_estimateGas": self._gas,
            "eth_getLogs": self._logs,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getRawTransactionByHash": self._raw,
            "eth_sendRawTransaction": lambda raw: self._chain.send(_bytes(raw)),
            "eth_sendTransaction": self._send,
            "evm_mine": self.mine,
            "anvil_mine": self.mine,
            "anvil_reorg": self._reorganise,
            "anvil_reset": self._reset,
            "anvil_setBalance": self._set_balance,
            "anvil_setNextBlockBaseFeePerGas": self._set_base_fee,
        }  # fmt: skip

    def _begin(self, store: ChainStore) -> EthChain:
        wealth = dict.fromkeys(self._keys, WEALTH)
        return EthChain(store, chain_id=self._chain_id, wealth=wealth, at_s=_now_s())

    def answer(self, call: Any) -> Document:
        """Return the reply to one call; a broken one is told what is wrong with it."""
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return _failure("Invalid Request", -32600)
        reply: Document = {"jsonrpc": "2.0", "id": call.get("id")}
        try:
            reply["result"] = self._invoke(call["method"], call.get("params") or [])
        except CallError as error:
            reply["error"] = {"code": error.code, "message": str(error)}
            if error.data is not None:
                reply["error"]["data"] = error.data
        return reply

    def _invoke(self, name: str, params: Any) -> Any:
        method = self._methods.get(name)
        if method is None:
            raise CallError(f"the method {name} does not exist", -32601)
        if not isinstance(params, list):
            raise CallError("params is a list", -32602)
        try:
            return method(*params)
        except (TypeError, ValueError, KeyError, AttributeError, ValidationError) as error:
            raise CallError(f"invalid params: {error}", -32602) from error

    def mine(self, blocks: str | int = 1, *_interval: Any) -> None:
        count = _number(blocks)
        if not 0 < count <= MINED_MOST:
            raise CallError(f"from 1 to {MINED_MOST} blocks at once", -32602)
        for _ in range(count):
            self._chain.mine(_now_s())

    # Blocks and state

    def _find(self, at: Any) -> Document | None:
        """Return the block that is meant: by a word, a number or a hash."""
        if isinstance(at, dict):
            at = at.get("blockHash") or at.get("blockNumber")
        store = self._chain.store
        if at is None or at in _NEWEST:
            return self._chain.head
        if at == "earliest":
            return store.block(0)
        if isinstance(at, str) and len(at) == 66:
            return store.block_by_hash(at)
        return store.block(_number(at))

    def _known(self, at: Any) -> Document:
        found = self._find(at)
        if found is None:
            raise CallError("header not found")
        return found

    def _state(self, at: Any) -> Any:
        return self._chain.state(self._known(at))

    def _block(self, at: Any, full: bool = False) -> Document | None:
        block = self._find(at)
        if block is not None and full:
            block["transactions"] = self._chain.store.transactions(number_of(block))
        return block

    def _balance(self, who: str, at: Any = "latest") -> str:
        return hex(self._state(at).get_balance(_account(who)))

    def _code(self, who: str, at: Any = "latest") -> str:
        return hexed(self._state(at).get_code(_account(who)))

    def _nonce(self, who: str, at: Any = "latest") -> str:
        account = _account(who)
        if at == "pending":
            return hex(self._chain.pending_nonce(account))
        return hex(self._chain.nonce(account, self._known(at)))

    def _storage(self, who: str, slot: str | int, at: Any = "latest") -> str:
        return f"0x{self._state(at).get_storage(_account(who), _number(slot)):064x}"

    def _fee_history(self, count: str | int, newest: Any, parts: list[float] | None = None) -> Any:
        last = number_of(self._known(newest))
        first = max(last - min(_number(count), FEE_BLOCKS_MOST) + 1, 0)
        bases, ratios, rewards = [], [], []
        for number in range(first, last + 1):
            block = self._known(number)
            bases.append(block["baseFeePerGas"])
            ratios.append(int(block["gasUsed"], 16) / int(block["gasLimit"], 16))
            rewards.append(self._rewards(number, int(bases[-1], 16), parts or []))
        bases.append(hex(self._chain.base_fee_after(self._known(last))))
        return {"oldestBlock": hex(first), "baseFeePerGas": bases, "gasUsedRatio": ratios,
                "reward": rewards if parts else None}  # fmt: skip

    def _rewards(self, number: int, base: int, parts: list[float]) -> list[str]:
        """Return the tips below which a part of the block's gas was bought."""
        bought = sorted(
            (int(one["effectiveGasPrice"], 16) - base, int(one["gasUsed"], 16))
            for one in self._chain.store.receipts(number, number)
        )
        total = sum(gas for _, gas in bought)
        found = []
        for part in parts:
            tip = passed = 0
            for tip, gas in bought:  # noqa: B007 - the last one looked at is the answer
                passed += gas
                if passed * 100 >= part * total:
                    break
            found.append(hex(tip))
        return found

    def _logs(self, wanted: Document) -> list[Document]:
        if wanted.get("blockHash"):
            low = high = number_of(self._known(wanted["blockHash"]))
        else:
            low = number_of(self._known(wanted.get("fromBlock")))
            high = number_of(self._find(wanted.get("toBlock")) or self._chain.head)
        if high - low > LOG_BLOCKS_MOST:
            raise CallError(f"logs of {LOG_BLOCKS_MOST} blocks at once", -32602)
        receipts = self._chain.store.receipts(low, high)
        return [log for one in receipts for log in one["logs"] if _fits(log, wanted)]

    # Transactions

    def _call(self, call: Document, at: Any = "latest", *_overrides: Any) -> str:
        return hexed(self._chain.call(*_parts(call), self._known(at)))

    def _gas(self, call: Document, at: Any = "latest") -> str:
        return hex(self._chain.gas(*_parts(call), self._known(at)))

    def _transaction(self, tx_id: str) -> Document | None:
        waiting = self._chain.waiting(tx_id.lower())
        if waiting is not None:
            return transaction_document(waiting.transaction, waiting.sender)
        return self._chain.store.transaction(tx_id)

    def _receipt(self, tx_id: str) -> Document | None:
        return self._chain.store.receipt(tx_id)

    def _raw(self, tx_id: str) -> str | None:
        waiting = self._chain.waiting(tx_id.lower())
        return hexed(waiting.raw) if waiting else self._chain.store.raw(tx_id)

    def _send(self, fields: Document) -> str:
        return self._chain.send(self._signed(fields))

    def _signed(self, fields: Document) -> bytes:
        """Sign for an account whose key is known; what is not given is filled in."""
        sender, to, value, data = _parts(fields)
        key = self._keys.get(sender)
        if key is None:
            raise CallError(f"no key of {fields.get('from')} is known here")
        gas = fields.get("gas")
        base = int(self._chain.head["baseFeePerGas"], 16)
        tip = _number(fields.get("maxPriorityFeePerGas", TIP))
        nonce = fields.get("nonce", self._chain.pending_nonce(sender))
        return sign(
            {
                "type": 2,
                "chainId": self._chain.chain_id,
                "nonce": _number(nonce),
                "value": value,
                "data": data,
                "gas": _number(gas) if gas else self._gas_with_room(sender, to, value, data),
                "maxPriorityFeePerGas": tip,
                "maxFeePerGas": _number(fields.get("maxFeePerGas", 2 * base + tip)),
                **({"to": to_checksum_address(to)} if to else {}),
            },
            key,
        )

    def _gas_with_room(self, sender: Address, to: bytes, value: int, data: bytes) -> int:
        gas = self._chain.gas(sender, to, value, data, self._chain.head)
        return gas if not data else gas * 5 // 4

    # What only a development chain does

    def _reorganise(self, depth: int, keep: list[tuple[str | Document, int]]) -> None:
        content: dict[int, list[bytes]] = {}
        for what, place in keep:
            raw = _bytes(what) if isinstance(what, str) else self._signed(what)
            content.setdefault(place, []).append(raw)
        self._chain.reorganise(_number(depth), content, _now_s())

    def _reset(self, *_fork: Any) -> None:
        """Begin a new chain in memory."""
        if self._chain.store.kept:
            raise CallError("a chain that is kept in a file is not reset")
        self._chain.store.close()
        self._chain = self._begin(ChainStore(None))

    def _set_balance(self, who: str, units: str | int) -> None:
        """Give an account a balance, in a block of its own."""
        self._chain.mine(_now_s(), [], {_account(who): _number(units)})

    def _set_base_fee(self, units: str | int) -> None:
        self._chain.next_base_fee = _number(units)


def _now_s() -> int:
    return int(time.time())


def _number(value: Any) -> int:
    return int(value, 16) if isinstance(value, str) else int(value)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _account(text: str) -> Address:
    account = _bytes(text)
    if len(account) != 20:
        raise CallError("an address has 20 bytes", -32602)
    return Address(account)


def _parts(call: Document) -> tuple[Address, bytes, int, bytes]:
    """Return who calls whom, with what coin and data."""
    sender = _account(call["from"]) if call.get("from") else _NOBODY
    to = _account(call["to"]) if call.get("to") else b""
    data = _bytes(call.get("input") or call.get("data") or "0x")
    return sender, to, _number(call.get("value") or 0), data


def _fits(log: Document, wanted: Document) -> bool:
    accounts = wanted.get("address") or []
    accounts = [accounts] if isinstance(accounts, str) else accounts
    if accounts and log["address"] not in [one.lower() for one in accounts]:
        return False
    topics = wanted.get("topics") or []
    if len(topics) > len(log["topics"]):
        return False
    for asked, found in zip(topics, log["topics"], strict=False):
        choice = [asked] if isinstance(asked, str) else asked or []
        if choice and found not in [one.lower() for one in choice if one]:
            return False
    return True


def create_app(node: Node) -> Starlette:
    async def answer(request: Request) -> Response:
        try:
            asked = json.loads(await request.body())
        except ValueError:
            return _json(_failure("Parse error", -32700))
        if isinstance(asked, list):
            return _json([node.answer(one) for one in asked])
        return _json(node.answer(asked))

    return Starlette(routes=[Route("/", answer, methods=["POST"])])


def _failure(message: str, code: int) -> Document:
    return {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}


def _json(content: Any) -> Response:
    return Response(json.dumps(content), media_type="application/json")


async def _mine_on(node: Node, block_s: float) -> None:
    """Add a block each so many seconds, whatever the last one took."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due = max(due + block_s, loop.time())
        await asyncio.sleep(due - loop.time())
        node.mine()


async def _serve(options: argparse.Namespace) -> None:
    store = ChainStore(options.file)
    node = Node(store, options.chain_id)
    # Named, so that asyncio answers without Nagle's algorithm; see gateway/server.py.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((options.host, options.port))
    settings = uvicorn.Config(
        create_app(node), log_level="warning", access_log=False, lifespan="off"
    )
    miner = asyncio.create_task(_mine_on(node, options.block_time)) if options.block_time else None
    # Whoever started this reads the port here; connections wait in the socket until it serves.
    listener.listen()
    sys.stdout.write(f"Listening on {options.host}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    try:
        await uvicorn.Server(settings).serve(sockets=[listener])
    finally:
        if miner is not None:
            miner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await miner
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A development chain in Python, on loopback.")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--chain-id", type=int, default=31337)
    parser.add_argument("--block-time", type=float, default=0, help="seconds; 0: only when asked")
    parser.add_argument("--file", type=Path, default=None, help="keeps the chain; else in memory")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
