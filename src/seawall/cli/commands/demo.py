"""`seawall demo`.  The rule: on the demo's own chain, with coins that are worth nothing."""

import hmac
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import msgspec
from rich.markup import escape
from rich.table import Table

from seawall.cli.demo_file import CHAIN_FILE, KEYS_FILE, ChainFile
from seawall.cli.options import DEFAULT_DATA, Data, Json
from seawall.cli.output import CliError, Exit, human, print_json
from seawall.cli.running import operator, read_running, refused
from seawall.model.amounts import (
    DecimalPrecisionError,
    DecimalSyntaxError,
    format_decimal,
    parse_decimal,
)

PATIENCE_S: Final = 15
COIN_ACCOUNT: Final = 2
TOKEN_ACCOUNT: Final = 0
"""Of the chain's own rich accounts; 0 owns the token's supply."""

TRANSFER: Final = "a9059cbb"


def faucet(
    user: str,
    asset: str,
    amount: str,
    /,
    *,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Send play coins to a user's deposit address; they are credited once the payment is final.

    Parameters
    ----------
    user
        Whose deposit address; `demo` is the user of demo-keys.json.
    asset
        ETH, or a token that is listed on the chain.
    amount
        How much, as 1.5.
    """
    chain = _chain(data)
    code = asset.upper()
    if code not in chain.contracts:
        raise CliError(
            f"{code} is not on the demo's chain.",
            f"There are: {', '.join(chain.contracts)}.",
            Exit.USAGE,
        )
    units = _units(amount, chain.decimals[code])
    body = {"user": user, "network": chain.network}
    address = operator(data).post("funding/address", body)["address"]
    tx_id = _pay(chain, code, address, units)
    document = {"user": user, "asset": code, "amount": amount, "address": address, "txId": tx_id}
    if json:
        print_json(document)
        return 0
    human.print(f"[green]✓[/] {amount} {code} are on their way to {escape(user)} at {address}")
    human.print(f"  seawall demo transaction {tx_id} --data {escape(str(data))}", style="dim")
    return 0


def withdraw(
    asset: str,
    amount: str,
    address: str,
    /,
    *,
    data: Data = Path(DEFAULT_DATA),
    json: Json = False,
) -> int:
    """Withdraw from the demo user's wallets to an address outside, as any client would.

    Parameters
    ----------
    asset
        ETH, or a token that is listed on the chain.
    amount
        How much; the fee is taken out of it.
    address
        Any 0x… address that is not the exchange's.
    """
    chain = _chain(data)
    order = {
        "coin": asset.upper(),
        "network": chain.network,
        "address": address,
        "amount": amount,
    }
    made = _signed(data, "POST", "/sapi/v1/capital/withdraw/apply", order)
    if json:
        print_json(made)
        return 0
    human.print(f"[green]✓[/] Withdrawal {made['id']} is asked for.")
    human.print(f"  seawall demo transaction {made['id']} --data {escape(str(data))}", style="dim")
    return 0


def transaction(
    transaction_id: str, /, *, data: Data = Path(DEFAULT_DATA), json: Json = False
) -> int:
    """Show where a transaction stands, and what it pays to whom.

    Parameters
    ----------
    transaction_id
        As deposits and withdrawals name it, 0x and 64 hexadecimal digits; or the number of one of
        the demo user's withdrawals.
    """
    chain = _chain(data)
    tx_id = transaction_id
    if tx_id.isdecimal():
        tx_id = _of_withdrawal(data, tx_id)
    sent = _call(chain, "eth_getTransactionByHash", tx_id)
    if sent is None:
        raise CliError(
            f"The chain has no transaction {tx_id}.",
            "A withdrawal has one once it is broadcast: see its txId in its history.",
            Exit.REFUSED,
        )
    receipt = _call(chain, "eth_getTransactionReceipt", tx_id)
    head = int(_call(chain, "eth_blockNumber"), 16)
    found = _told(chain, sent, receipt, head)
    if json:
        print_json(found)
        return 0
    table = Table.grid(padding=(0, 2))
    for name, value in found.items():
        table.add_row(name, escape(str(value)))
    human.print(table)
    return 0


def _of_withdrawal(data: Path, number: str) -> str:
    rows = _signed(data, "GET", "/sapi/v1/capital/withdraw/history", {})
    row = next((row for row in rows if row["id"] == number), None)
    if row is None:
        raise CliError(
            f"The demo user has no withdrawal {number}.",
            "Name its number, as `seawall demo withdraw` told it.",
            Exit.REFUSED,
        )
    if not row["txId"]:
        raise CliError(
            f"Withdrawal {number} has no transaction yet{row['info'] and ': ' + row['info']}.",
            "Ask again in a moment; `seawall funding queue` says what it waits for.",
            Exit.REFUSED,
        )
    return str(row["txId"])


def _signed(data: Path, verb: str, path: str, params: dict[str, str]) -> Any:
    """Ask the exchange as the demo's user."""
    try:
        keys = msgspec.json.decode((data / KEYS_FILE).read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise CliError(
            f"{data / KEYS_FILE} cannot be read: {error}",
            "It is written by `seawall up --demo`.",
            Exit.UNREACHABLE,
        ) from error
    url = read_running(data).url
    query = urlencode(params | {"timestamp": str(time.time_ns() // 1_000_000)})
    proof = hmac.new(keys["secretKey"].encode(), query.encode(), sha256).hexdigest()
    try:
        answer = httpx.request(
            verb,
            f"{url}{path}?{query}&signature={proof}",
            headers={"X-MBX-APIKEY": keys["apiKey"]},
            timeout=PATIENCE_S,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        raise CliError(
            f"The exchange at {url} does not answer: {error}",
            "See whether it still runs, and its log.",
            Exit.UNREACHABLE,
        ) from error
    if not answer.is_success:
        raise refused(answer)
    return answer.json()


def _told(
    chain: ChainFile, sent: dict[str, Any], receipt: dict[str, Any] | None, head: int
) -> dict[str, Any]:
    """Return a transaction in people's words; a token's transfer is read from its call."""
    by_contract = {contract.lower(): asset for asset, contract in chain.contracts.items()}
    target, data = str(sent["to"] or ""), str(sent["input"]).removeprefix("0x")
    asset, payee, units = by_contract.get("", ""), target, int(sent["value"], 16)
    token = by_contract.get(target.lower(), "") if target else ""
    if token and data.startswith(TRANSFER) and len(data) == 136:
        asset, payee, units = token, "0x" + data[32:72], int(data[72:], 16)
    found = {
        "transaction": sent["hash"],
        "from": sent["from"],
        "to": payee or "(makes a contract)",
        "pays": f"{_trimmed(units, chain.decimals.get(asset, 18))} {asset}",
        "nonce": int(sent["nonce"], 16),
    }
    if receipt is None:
        return found | {"status": "waiting to be mined", "confirmations": 0}
    block = int(receipt["blockNumber"], 16)
    price = int(receipt["effectiveGasPrice"], 16)
    return found | {
        "status": "done" if receipt["status"] == "0x1" else "failed",
        "block": block,
        "confirmations": head - block + 1,
        "network fee": f"{_trimmed(int(receipt['gasUsed'], 16) * price, 18)}"
        f" {by_contract.get('', '')} ({_trimmed(price, 9)} gwei per gas)",
    }


def _chain(data: Path) -> ChainFile:
    try:
        return msgspec.json.decode((data / CHAIN_FILE).read_bytes(), type=ChainFile)
    except (OSError, msgspec.MsgspecError) as error:
        raise CliError(
            f"No demo with a chain runs on {data}.",
            f"Start one: seawall up --demo --data {data}",
            Exit.UNREACHABLE,
        ) from error


def _units(amount: str, decimals: int) -> int:
    try:
        units = parse_decimal(amount, decimals)
    except (DecimalSyntaxError, DecimalPrecisionError):
        units = 0
    if units <= 0:
        raise CliError(
            f"`{amount}` is no amount.",
            f"Write digits and at most one point, with up to {decimals} decimals.",
            Exit.USAGE,
        )
    return units


def _pay(chain: ChainFile, asset: str, address: str, units: int) -> str:
    accounts = _call(chain, "eth_accounts")
    contract = chain.contracts[asset]
    if not contract:
        sent = {"from": accounts[COIN_ACCOUNT], "to": address, "value": hex(units)}
    else:
        call = TRANSFER + address.removeprefix("0x").lower().rjust(64, "0") + f"{units:064x}"
        sent = {
            "from": accounts[TOKEN_ACCOUNT],
            "to": contract,
            "data": "0x" + call,
            "gas": hex(200_000),
        }
    return str(_call(chain, "eth_sendTransaction", sent))


def _call(chain: ChainFile, method: str, *params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    try:
        answer = httpx.post(chain.url, json=body, timeout=PATIENCE_S, trust_env=False).json()
    except (httpx.HTTPError, ValueError) as error:
        raise CliError(
            f"The demo's chain at {chain.url} does not answer: {error}",
            "It is started again by the exchange: try again in a moment.",
            Exit.UNREACHABLE,
        ) from error
    if "error" in answer:
        raise CliError(
            f"The chain refused: {answer['error'].get('message')}",
            "Change what you ask for, and try again.",
            Exit.REFUSED,
        )
    return answer["result"]


def _trimmed(units: int, decimals: int) -> str:
    text = format_decimal(units, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text
