"""Bad input: each case has its exact answer, and changes nothing at all."""

from typing import Any

import httpx
from tests.gateway.exchange import SECOND_NS, Exchange, User

LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "1000",
}
DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
SYMBOL = r"^[\w\-._&&[^a-z]]{1,50}$"
CLIENT_ID = "^[a-zA-Z0-9-_]{1,36}$"
MISSING = object()


def illegal(name: str, legal: str) -> tuple[int, str]:
    return -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."


def missing(name: str) -> tuple[int, str]:
    return -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def not_required(name: str) -> tuple[int, str]:
    return -1106, f"Parameter '{name}' sent when not required."


def invalid(name: str) -> tuple[int, str]:
    return -1130, f"Data sent for parameter '{name}' is not valid."


def filtered(name: str) -> tuple[int, str]:
    return -1013, f"Filter failure: {name}"


ORDERS: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"quantity": "NaN"}, illegal("quantity", DECIMAL)),
    ({"quantity": "Infinity"}, illegal("quantity", DECIMAL)),
    ({"quantity": "1e3"}, illegal("quantity", DECIMAL)),
    ({"quantity": "1E-3"}, illegal("quantity", DECIMAL)),
    ({"quantity": "-1"}, illegal("quantity", DECIMAL)),
    ({"quantity": "+1"}, illegal("quantity", DECIMAL)),
    ({"quantity": " 1"}, illegal("quantity", DECIMAL)),
    ({"quantity": "1 "}, illegal("quantity", DECIMAL)),
    ({"quantity": "1\n"}, illegal("quantity", DECIMAL)),
    ({"quantity": "0x10"}, illegal("quantity", DECIMAL)),
    ({"quantity": ".5"}, illegal("quantity", DECIMAL)),
    ({"quantity": "5."}, illegal("quantity", DECIMAL)),
    ({"quantity": "1,5"}, illegal("quantity", DECIMAL)),
    ({"quantity": "1_000"}, illegal("quantity", DECIMAL)),
    ({"quantity": "\u0661"}, illegal("quantity", DECIMAL)),
    ({"quantity": "9" * 30}, illegal("quantity", DECIMAL)),
    ({"quantity": "9" * 10_000}, illegal("quantity", DECIMAL)),
    ({"quantity": "0." + "1" * 21}, illegal("quantity", DECIMAL)),
    ({"quantity": "0.000000001"}, (-1111, "Parameter 'quantity' has too much precision.")),
    ({"price": "0.000000001"}, (-1111, "Parameter 'price' has too much precision.")),
    ({"quantity": "0"}, (-1013, "Invalid quantity.")),
    ({"quantity": "0.00000000"}, (-1013, "Invalid quantity.")),
    ({"price": "0"}, (-1013, "Invalid price.")),
    ({"quantity": ""}, missing("quantity")),
    ({"quantity": MISSING}, missing("quantity")),
    ({"price": MISSING}, missing("price")),
    ({"price": ""}, missing("price")),
    ({"timeInForce": MISSING}, missing("timeInForce")),
    ({"symbol": MISSING}, missing("symbol")),
    ({"symbol": ""}, missing("symbol")),
    ({"side": MISSING}, missing("side")),
    ({"type": MISSING}, missing("type")),
    ({"symbol": "btcusdt"}, illegal("symbol", SYMBOL)),
    ({"symbol": "BTC/USDT"}, illegal("symbol", SYMBOL)),
    ({"symbol": "X" * 51}, illegal("symbol", SYMBOL)),
    ({"symbol": "BTCEUR"}, (-1121, "Invalid symbol.")),
    ({"side": "HOLD"}, (-1117, "Invalid side.")),
    ({"side": "buy"}, (-1117, "Invalid side.")),
    ({"type": "FANCY"}, (-1116, "Invalid orderType.")),
    ({"timeInForce": "GTX"}, (-1115, "Invalid timeInForce.")),
    ({"stopPrice": "90"}, not_required("stopPrice")),
    ({"quoteOrderQty": "10"}, not_required("quoteOrderQty")),
    ({"trailingDelta": "100"}, not_required("trailingDelta")),
    ({"type": "LIMIT_MAKER"}, not_required("timeInForce")),
    ({"type": "MARKET"}, not_required("price")),
    ({"type": "MARKET", "price": MISSING}, not_required("timeInForce")),
    (
        {"type": "MARKET", "price": MISSING, "timeInForce": MISSING, "quantity": MISSING},
        (-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"),
    ),
    (
        {"type": "MARKET", "price": MISSING, "timeInForce": MISSING, "quoteOrderQty": "10"},
        (-1128, "Combination of optional parameters invalid."),
    ),
    (
        {"type": "STOP_LOSS_LIMIT"},
        (-1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!"),
    ),
    ({"type": "STOP_LOSS", "stopPrice": "90"}, not_required("price")),
    ({"newClientOrderId": "x" * 37}, illegal("newClientOrderId", CLIENT_ID)),
    ({"newClientOrderId": "a b"}, illegal("newClientOrderId", CLIENT_ID)),
    ({"newClientOrderId": "ünïcode"}, illegal("newClientOrderId", CLIENT_ID)),
    ({"newClientOrderId": ""}, (-1105, "Parameter 'newClientOrderId' was empty.")),
    ({"newOrderRespType": "SHORT"}, invalid("newOrderRespType")),
    ({"selfTradePreventionMode": "MAYBE"}, invalid("selfTradePreventionMode")),
    ({"strategyType": "999999"}, (-1134, "strategyType was less than 1000000.")),
    ({"strategyId": "99999999999999999999"}, (-1108, "Parameter 'strategyId' overflowed.")),
    ({"strategyId": "4294967296"}, invalid("strategyId")),
    ({"strategyId": "1.5"}, illegal("strategyId", "^[0-9]{1,20}$")),
    (
        {"colour": "blue"},
        (-1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'."),
    ),
    ({"price": "100.001"}, filtered("PRICE_FILTER")),
    ({"price": "10000000"}, filtered("PRICE_FILTER")),
    ({"quantity": "0.000001"}, filtered("LOT_SIZE")),
    ({"quantity": "90000"}, filtered("LOT_SIZE")),
    ({"quantity": "0.00001"}, filtered("NOTIONAL")),
    ({"icebergQty": "0.00001", "quantity": "1"}, filtered("ICEBERG_PARTS")),
    (
        {"icebergQty": "0.01", "quantity": "1", "timeInForce": "IOC"},
        (-1014, "Unsupported order combination."),
    ),
    (
        {"quantity": "5", "price": "900000"},
        (-2010, "Account has insufficient balance for requested action."),
    ),
    ({"newClientOrderId": "resting"}, (-2010, "Duplicate order sent.")),
]


async def test_orders_are_refused_by_name(exchange: Exchange, alice: User) -> None:
    """One exchange takes them all: what one case left behind, the next would show."""
    await exchange.limit(alice, "BUY", "0.01", "900", newClientOrderId="resting")
    before = exchange.substance()
    wrong = []
    for changes, (code, message) in ORDERS:
        params = {key: value for key, value in {**LIMIT, **changes}.items() if value is not MISSING}
        for path in ("/api/v3/order", "/api/v3/order/test"):
            exchange.clock.advance(SECOND_NS)
            answer = await exchange.signed("POST", path, alice, **params)
            if (answer.status_code, answer.json()) != (400, {"code": code, "msg": message}):
                wrong.append((path, changes, answer.text))
        if exchange.substance() != before:
            wrong.append(("changed", changes, ""))
    assert wrong == []


QUESTIONS: list[tuple[str, tuple[int, str]]] = [
    ("ping?x=1", (-1101, "Too many parameters; expected '0' and received '1'.")),
    ("depth", missing("symbol")),
    ("depth?symbol=", missing("symbol")),
    ("depth?symbol=NOPE", (-1121, "Invalid symbol.")),
    ("depth?symbol=BTCUSDT&limit=0", invalid("limit")),
    ("depth?symbol=BTCUSDT&limit=-5", illegal("limit", "^[0-9]{1,20}$")),
    ("depth?symbol=BTCUSDT&limit=ten", illegal("limit", "^[0-9]{1,20}$")),
    ("depth?symbol=BTCUSDT&limit=1e3", illegal("limit", "^[0-9]{1,20}$")),
    ("depth?symbol=BTCUSDT&symbol=LTCUSDT", (-1101, "Duplicate values for a parameter detected.")),
    ("depth?symbol=BTCUSDT&x=1", (-1101, "Too many parameters; expected '3' and received '2'.")),
    ("depth?symbol=%FF%FE", (-1100, "Illegal characters found in a parameter.")),
    ("klines?symbol=BTCUSDT", missing("interval")),
    ("klines?symbol=BTCUSDT&interval=7m", (-1120, "Invalid interval.")),
    ("klines?symbol=BTCUSDT&interval=1m&timeZone=99", invalid("timeZone")),
    ("klines?symbol=BTCUSDT&interval=1m&startTime=soon", illegal("startTime", "^[0-9]{1,20}$")),
    ("ticker?symbol=BTCUSDT&windowSize=8d", invalid("windowSize")),
    ("ticker", (-1102, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!")),
    ("ticker/24hr?symbol=BTCUSDT&type=TINY", (-1139, "Invalid ticker type.")),
    (
        'ticker/price?symbols=["BTCUSDT","BTCUSDT"]',
        (-1151, "Symbol is present multiple times in the list."),
    ),
    (
        'ticker/price?symbol=BTCUSDT&symbols=["BTCUSDT"]',
        (-1128, "Combination of optional parameters invalid."),
    ),
    ("exchangeInfo?symbolStatus=ODD", (-1122, "Invalid symbolStatus.")),
]


async def test_questions_are_refused_by_name(exchange: Exchange) -> None:
    before = exchange.digests()
    wrong = []
    for path, (code, message) in QUESTIONS:
        answer = await exchange.client.get(f"/api/v3/{path}")
        if (answer.status_code, answer.json()) != (400, {"code": code, "msg": message}):
            wrong.append((path, answer.text))
    assert wrong == []
    assert exchange.digests() == before


CANCELS: list[tuple[str, str, dict[str, Any], tuple[int, str]]] = [
    (
        "DELETE", "order", {"symbol": "BTCUSDT"},
        (-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"),
    ),
    ("DELETE", "order", {"symbol": "BTCUSDT", "orderId": 999}, (-2011, "Unknown order sent.")),
    (
        "DELETE", "order", {"symbol": "BTCUSDT", "orderId": 1, "cancelRestrictions": "ALL"},
        (-1145, "cancelRestrictions has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED."),
    ),
    ("DELETE", "openOrders", {"symbol": "LTCUSDT"}, (-2011, "Unknown order sent.")),
    ("GET", "order", {"symbol": "BTCUSDT", "orderId": 999}, (-2013, "Order does not exist.")),
    ("GET", "orderList", {"orderListId": 5}, (-2018, "Order list does not exist.")),
    ("GET", "openOrders", {"symbol": "NOPE"}, (-1121, "Invalid symbol.")),
    (
        "GET", "allOrders", {"symbol": "BTCUSDT", "startTime": 1, "endTime": 90_000_000},
        (-1127, "More than 24 hours between startTime and endTime."),
    ),
    (
        "GET", "myPreventedMatches", {"symbol": "BTCUSDT"},
        (-1102, "Param 'preventedMatchId' or 'orderId' must be sent, but both were empty/null!"),
    ),
    (
        "PUT", "order/amend/keepPriority", {"symbol": "BTCUSDT", "orderId": 999, "newQty": "1"},
        (-2038, "Unknown order sent."),
    ),
    ("PUT", "order/amend/keepPriority", {"symbol": "BTCUSDT", "orderId": 999}, missing("newQty")),
    (
        "POST", "orderList/oco",
        {
            "symbol": "BTCUSDT", "side": "SELL", "quantity": "1", "aboveType": "LIMIT_MAKER",
            "abovePrice": "110", "belowType": "LIMIT_MAKER", "belowPrice": "90",
        },
        (-1168, "At least one OCO order must be contingent."),
    ),
    (
        "POST", "orderList/oco",
        {
            "symbol": "BTCUSDT", "side": "SELL", "quantity": "1", "aboveType": "STOP_LOSS",
            "aboveStopPrice": "110", "belowType": "STOP_LOSS", "belowStopPrice": "90",
        },
        (-1197, "A stop loss order in a sell OCO must be below."),
    ),
]  # fmt: skip


async def test_what_is_not_there_is_refused_by_name(exchange: Exchange, alice: User) -> None:
    before = exchange.substance()
    wrong = []
    for verb, path, params, (code, message) in CANCELS:
        answer = await exchange.signed(verb, f"/api/v3/{path}", alice, **params)
        if (answer.status_code, answer.json()) != (400, {"code": code, "msg": message}):
            wrong.append((path, params, answer.text))
    assert wrong == []
    assert exchange.substance() == before


async def test_unknown_paths_and_verbs(exchange: Exchange) -> None:
    answer = await exchange.client.get("/api/v3/nothing")
    assert answer.status_code == 404
    assert answer.json()["code"] == -1000
    answer = await exchange.client.post("/api/v3/time")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"


async def test_an_oversized_body_is_refused_before_it_is_read(
    exchange: Exchange, alice: User
) -> None:
    before = exchange.digests()
    answer = await exchange.client.post(
        "/api/v3/order", content=b"a=" + b"1" * 100_000, headers=alice.headers
    )
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert exchange.digests() == before


async def test_a_json_body_is_named_as_such(exchange: Exchange, alice: User) -> None:
    answer = await exchange.client.post(
        "/api/v3/order", json={"symbol": "BTCUSDT"}, headers=alice.headers
    )
    assert answer.status_code == 400
    assert answer.json() == {"code": -1135, "msg": "Invalid JSON Request"}


async def test_operator_input_is_refused_by_name(exchange: Exchange) -> None:
    before = exchange.digests()

    async def post(path: str, content: bytes) -> httpx.Response:
        return await exchange.client.post(
            f"/seawall/v1/operator/{path}", content=content, headers=exchange.operator_headers
        )

    assert (await post("users", b"{")).json() == {"code": -1135, "msg": "Invalid JSON Request"}
    assert (await post("users", b'{"name": 5}')).status_code == 400
    assert (await post("users", b'{"name": "a", "more": 1}')).status_code == 400
    assert (await post("users", b'{"name": ""}')).status_code == 400
    assert (await post("keys", b'{"user": "nobody"}')).json()["code"] == -1130
    assert (
        await post("markets/BTCUSDT/status", b'{"status": "odd", "reason": ""}')
    ).status_code == 400
    assert (await post("users", b'"' + b"x" * 100_000)).status_code == 413
    assert exchange.digests()[0] == before[0]
