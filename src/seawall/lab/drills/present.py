"""What an exchange says of one user now.  The rule: page after page, until all of it was asked."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from seawall.lab.drills.audit import Present, Row
from seawall.lab.wire import BrokenError, Connection, Key

PAGE: Final = 1_000
OK: Final = 200


async def ask_present(key: Key, host: str, port: int, symbol: str, answer_s: float) -> Present:
    """Ask one gateway for all orders, trades and balances; raise BrokenError if it will not say."""
    connection = Connection(host, port, answer_s)

    async def ask(path: str, params: Mapping[str, str]) -> Any:
        answer = await connection.signed(key, "GET", path, params)
        if answer.status != OK:
            raise BrokenError(f"{path}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer.json()

    async def pages(path: str, first_name: str, id_name: str) -> list[Row]:
        rows: list[Row] = []
        first = 0
        while True:
            params = {"symbol": symbol, first_name: str(first), "limit": str(PAGE)}
            page = await ask(path, params)
            rows += page
            if len(page) < PAGE:
                return rows
            first = page[-1][id_name] + 1

    try:
        orders = await pages("/api/v3/allOrders", "orderId", "orderId")
        trades = await pages("/api/v3/myTrades", "fromId", "id")
        account = await ask("/api/v3/account", {})
    finally:
        connection.close()
    balances = {
        row["asset"]: (Decimal(row["free"]), Decimal(row["locked"])) for row in account["balances"]
    }
    return Present(orders=orders, trades=trades, balances=balances)
