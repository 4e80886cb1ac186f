"""What a transaction moved, in words.  The rule: a token says of itself what it likes.

Its symbol is cut and cleaned, and the contract's address stands beside it.
"""

import re
from decimal import Decimal, localcontext
from typing import Any, Final

from eth_utils.address import is_address, to_checksum_address
from msgspec import Struct

from seawall.watch.rpc import Chain, RpcError, number

COINS: Final = {
    1: "ETH", 10: "ETH", 56: "BNB", 100: "xDAI", 137: "POL", 324: "ETH", 8453: "ETH",
    42161: "ETH", 43114: "AVAX", 59144: "ETH", 11155111: "ETH", 31337: "ETH",
}  # fmt: skip
TRANSFER: Final = "0xa9059cbb"
TRANSFER_FROM: Final = "0x23b872dd"
SYMBOL: Final = "0x95d89b41"
DECIMALS: Final = "0x313ce567"
SYMBOL_MOST: Final = 16
DECIMALS_MOST: Final = 77


class Moved(Struct, frozen=True, kw_only=True, rename="camel"):
    """One outgoing transaction."""

    tx_id: str
    block: int
    at_s: float
    nonce: int
    kind: str
    """`payment`, `token`, `call` or `deployment`."""
    amount: str
    asset: str
    contract: str
    to: str
    failed: bool | None
    """None: the node did not say."""


async def describe(chain: Chain, sent: dict[str, Any], *, at_s: float, chain_id: int) -> Moved:
    """Return what it moved."""
    data = str(sent.get("input", "0x")).lower()
    target = _address(sent.get("to"))
    coin = COINS.get(chain_id, "coin")
    kind, amount, asset = "payment", plain(number(sent.get("value")), 18), coin
    to, contract = target, ""
    token = _token_payment(data)
    if not target:
        kind = "deployment"
    elif token is not None:
        symbol, decimals = await _token(chain, target)
        kind, amount, asset = "token", plain(token[1], decimals), symbol
        to, contract = token[0], target
    elif data != "0x":
        kind, contract = "call", target
    return Moved(
        tx_id=str(sent.get("hash")), block=number(sent.get("blockNumber")), at_s=at_s,
        nonce=number(sent.get("nonce")), kind=kind, amount=amount, asset=asset,
        contract=contract, to=to, failed=await _failed(chain, str(sent.get("hash"))),
    )  # fmt: skip


def plain(units: int, decimals: int) -> str:
    """Return units as a number that people read: 1,000,000 or 0.05."""
    with localcontext() as context:
        context.prec = 120
        text = f"{Decimal(units).scaleb(-decimals):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def clean(symbol: str) -> str:
    """Return what is fit to be shown of a symbol."""
    shown = re.sub(r"[^\w$.\-+₮ ]", "", symbol, flags=re.UNICODE).strip()[:SYMBOL_MOST]
    return shown or "token"


def _token_payment(data: str) -> tuple[str, int] | None:
    """Return payee and units of an ERC-20 transfer."""
    if data.startswith(TRANSFER) and len(data) >= 10 + 128:
        payee, units = data[10:74], data[74:138]
    elif data.startswith(TRANSFER_FROM) and len(data) >= 10 + 192:
        payee, units = data[74:138], data[138:202]
    else:
        return None
    try:
        return _address("0x" + payee[24:]), int(units, 16)
    except ValueError:
        return None


async def _token(chain: Chain, contract: str) -> tuple[str, int]:
    """Return symbol and decimals; one that does not say is counted in its smallest unit."""
    try:
        told = await chain.rpc.call("eth_call", {"to": contract, "data": SYMBOL}, "latest")
        symbol = clean(_text(str(told)))
    except RpcError:
        symbol = "token"
    try:
        told = await chain.rpc.call("eth_call", {"to": contract, "data": DECIMALS}, "latest")
        decimals = number(told) if told != "0x" else 0
    except RpcError:
        decimals = 0
    return symbol, decimals if decimals <= DECIMALS_MOST else 0


def _text(told: str) -> str:
    """Return an ABI string; some old tokens have 32 bytes instead."""
    try:
        data = bytes.fromhex(told.removeprefix("0x"))
    except ValueError:
        return ""
    if len(data) >= 64:
        size = int.from_bytes(data[32:64], "big")
        data = data[64 : 64 + size] if size <= len(data) else b""
    return data.rstrip(b"\0").decode("utf-8", "ignore")


async def _failed(chain: Chain, tx_id: str) -> bool | None:
    try:
        receipt = await chain.rpc.call("eth_getTransactionReceipt", tx_id)
        return number(receipt.get("status")) == 0 if isinstance(receipt, dict) else None
    except RpcError:
        return None


def _address(value: Any) -> str:
    return str(to_checksum_address(value)) if isinstance(value, str) and is_address(value) else ""
