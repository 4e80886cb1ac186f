"""Who asks: keys, signatures, time, permissions, addresses."""

import base64
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import structs
from tests.gateway.exchange import Exchange, User

from seawall.gateway.app import create_app
from seawall.gateway.auth import without_signature
from seawall.model.commands import DeleteApiKey
from seawall.model.ids import UserId

ACCOUNT = "/api/v3/account"
BAD_KEY = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
BAD_FORMAT = {"code": -2014, "msg": "API-key format invalid."}
BAD_SIGNATURE = {"code": -1022, "msg": "Signature for this request is not valid."}
STALE = {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}
EARLY = {
    "code": -1021,
    "msg": "Timestamp for this request was 1000ms ahead of the server's time.",
}


def said(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


async def test_keys_that_are_none(exchange: Exchange, alice: User) -> None:
    query = f"timestamp={exchange.now_ms()}&signature={'0' * 64}"
    url = f"{ACCOUNT}?{query}"
    assert said(await exchange.client.get(url)) == (401, BAD_FORMAT)
    for key in ("short", "x" * 65 + "!", " ", "k" * 129):
        answer = await exchange.client.get(url, headers={"X-MBX-APIKEY": key})
        assert said(answer) == (401, BAD_FORMAT)
    answer = await exchange.client.get(url, headers={"X-MBX-APIKEY": "k" * 64})
    assert said(answer) == (401, BAD_KEY)
    listen = await exchange.client.post("/api/v3/userDataStream")
    assert said(listen) == (401, BAD_FORMAT)


async def test_what_signed_requests_need(exchange: Exchange, alice: User) -> None:
    missing = "Mandatory parameter '{}' was not sent, was empty/null, or malformed."
    answer = await exchange.client.get(ACCOUNT, headers=alice.headers)
    assert said(answer) == (400, {"code": -1102, "msg": missing.format("timestamp")})
    url = f"{ACCOUNT}?timestamp={exchange.now_ms()}"
    answer = await exchange.client.get(url, headers=alice.headers)
    assert said(answer) == (400, {"code": -1102, "msg": missing.format("signature")})


async def test_every_changed_byte_spoils_the_signature(exchange: Exchange, alice: User) -> None:
    query = f"omitZeroBalances=true&timestamp={exchange.now_ms()}&recvWindow=5000"
    good = alice.sign(query)
    assert (
        await exchange.client.get(f"{ACCOUNT}?{query}&signature={good}", headers=alice.headers)
    ).status_code == 200
    upper = await exchange.client.get(
        f"{ACCOUNT}?{query}&signature={good.upper()}", headers=alice.headers
    )
    assert upper.status_code == 200
    spoiled = [
        (query.replace("true", "false"), good),
        (query + "&", good),
        (query, good[:-1] + ("0" if good[-1] != "0" else "1")),
        (query, good[:-1]),
        (query, good + "00"),
        (query, "é" * 64),
        (query, "not hex at all"),
        (query.replace("5000", "5001"), good),
    ]
    for sent, signature in spoiled:
        url = f"{ACCOUNT}?{sent}&signature={quote(signature)}"
        answer = await exchange.client.get(url, headers=alice.headers)
        assert said(answer) == (400, BAD_SIGNATURE), (sent, signature)


@pytest.mark.parametrize(
    "shift_us, window, expected",
    [
        (0, None, None),
        (999_000, None, None),
        (1_000_000, None, EARLY),
        (-5_000_000, None, None),
        (-5_001_000, None, STALE),
        (-5_001_000, "6000", None),
        (-60_000_000, "60000", None),
        (-60_001_000, "60000", STALE),
        (-1_000, "0", STALE),
        (-1_000, "0.5", STALE),
        (0, "0.5", None),
    ],
)
async def test_requests_are_fresh_or_refused(
    exchange: Exchange,
    alice: User,
    shift_us: int,
    window: str | None,
    expected: dict[str, Any] | None,
) -> None:
    now_us = exchange.clock.now_ns() // 1_000
    for timestamp in ((now_us + shift_us) // 1_000, now_us + shift_us):
        params: dict[str, Any] = {"timestamp": timestamp}
        if window is not None:
            params["recvWindow"] = window
        answer = await exchange.signed("GET", ACCOUNT, alice, **params)
        if expected is None:
            assert answer.status_code == 200, answer.text
        else:
            assert said(answer) == (400, expected)


@pytest.mark.parametrize(
    "params, code",
    [
        ({"recvWindow": "60001"}, -1102),
        ({"recvWindow": "-1"}, -1100),
        ({"recvWindow": "1e3"}, -1100),
        ({"timestamp": "yesterday"}, -1100),
        ({"timestamp": "-1"}, -1100),
        ({"timestamp": "9" * 20}, -1021),
        ({"timestamp": "9" * 30}, -1100),
    ],
)
async def test_times_that_are_none(
    exchange: Exchange, alice: User, params: dict[str, Any], code: int
) -> None:
    answer = await exchange.signed("GET", ACCOUNT, alice, **params)
    assert answer.status_code == 400
    assert answer.json()["code"] == code


async def test_parameters_may_stand_in_query_or_body(exchange: Exchange, alice: User) -> None:
    terms = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": "1000",
        "timestamp": exchange.now_ms(),
    }
    whole = urlencode(terms)
    half = len(terms) // 2
    first = urlencode(dict(list(terms.items())[:half]))
    second = urlencode(dict(list(terms.items())[half:]))
    form = "application/x-www-form-urlencoded"
    ways = [
        (f"{whole}&signature={alice.sign(whole)}", "", form),
        ("", f"{whole}&signature={alice.sign(whole)}", form),
        ("", f"{whole}&signature={alice.sign(whole)}", "application/json"),
        ("", f"{whole}&signature={alice.sign(whole)}", "text/plain"),
        (first, f"{second}&signature={alice.sign(first + second)}", form),
        (f"{first}&signature={alice.sign(first + second)}", second, form),
        (f"signature={alice.sign(whole)}&{whole}", "", form),
        (f"{whole}&signature={alice.sign(whole)}", "", "application/json"),
    ]
    for query, body, kind in ways:
        answer = await exchange.client.post(
            f"/api/v3/order?{query}",
            content=body,
            headers={**alice.headers, "content-type": kind},
        )
        assert answer.status_code == 200, (query, body, answer.text)
    # python-binance sends the parameters of a DELETE as a form body.
    cancel = urlencode({"symbol": "BTCUSDT", "timestamp": exchange.now_ms()})
    answer = await exchange.client.request(
        "DELETE",
        "/api/v3/openOrders",
        content=f"{cancel}&signature={alice.sign(cancel)}",
        headers={**alice.headers, "content-type": form},
    )
    assert len(answer.json()) == len(ways)


async def test_the_query_wins_over_the_body(exchange: Exchange, alice: User) -> None:
    query = urlencode({"symbol": "BTCUSDT", "orderId": 1, "timestamp": exchange.now_ms()})
    body = "orderId=2"
    answer = await exchange.client.request(
        "DELETE",
        f"/api/v3/order?{query}&signature={alice.sign(query + body)}",
        content=body,
        headers=alice.headers,
    )
    assert answer.json() == {"code": -2011, "msg": "Unknown order sent."}


async def test_ed25519_keys_sign_in_base64(exchange: Exchange) -> None:
    await exchange.operate("users", {"name": "eddy"})
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    made = await exchange.operate(
        "keys", {"user": "eddy", "kind": "ed25519", "publicKey": pem.decode()}
    )
    assert "secretKey" not in made
    query = f"timestamp={exchange.now_ms()}"
    signature = base64.b64encode(private.sign(query.encode())).decode()
    headers = {"X-MBX-APIKEY": made["apiKey"]}
    for sent in (quote(signature, safe=""), signature):
        answer = await exchange.client.get(f"{ACCOUNT}?{query}&signature={sent}", headers=headers)
        assert answer.status_code == 200, answer.text
    for wrong in ("AAAA", "not base64!", quote(base64.b64encode(b"x" * 64).decode(), safe="")):
        answer = await exchange.client.get(f"{ACCOUNT}?{query}&signature={wrong}", headers=headers)
        assert said(answer) == (400, BAD_SIGNATURE)


async def test_rsa_keys_are_refused_with_the_reason(exchange: Exchange) -> None:
    await exchange.operate("users", {"name": "ron"})
    public = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for kind, text in (("ed25519", pem), ("rsa", pem), ("ed25519", "junk")):
        answer = await exchange.client.post(
            "/seawall/v1/operator/keys",
            json={"user": "ron", "kind": kind, "publicKey": text},
            headers=exchange.operator_headers,
        )
        assert answer.status_code == 400
        assert "publicKey" in answer.json()["msg"]


async def test_permissions_and_addresses_hold(exchange: Exchange) -> None:
    await exchange.operate("users", {"name": "carol"})

    async def key(**terms: Any) -> User:
        made = await exchange.operate("keys", {"user": "carol", **terms})
        return User("carol", made["apiKey"], made["secretKey"])

    reader = await key(permissions=["read"])
    trader = await key(permissions=["trade"])
    here = await key(ipAllow=["127.0.0.0/8"])
    elsewhere = await key(ipAllow=["10.0.0.0/8", "2001:db8::/32"])
    assert (await exchange.signed("GET", ACCOUNT, reader)).status_code == 200
    cancel: dict[str, Any] = {"symbol": "BTCUSDT", "orderId": 1}
    assert said(await exchange.signed("DELETE", "/api/v3/order", reader, **cancel)) == (
        401,
        BAD_KEY,
    )
    assert said(await exchange.signed("GET", ACCOUNT, trader)) == (401, BAD_KEY)
    assert (await exchange.signed("DELETE", "/api/v3/order", trader, **cancel)).status_code == 400
    assert (await exchange.signed("GET", ACCOUNT, here)).status_code == 200
    assert said(await exchange.signed("GET", ACCOUNT, elsewhere)) == (401, BAD_KEY)


async def test_a_deleted_key_is_dead_at_once(exchange: Exchange, alice: User) -> None:
    assert (await exchange.signed("GET", ACCOUNT, alice)).status_code == 200
    await exchange.node.submit_identity(DeleteApiKey(user_id=UserId(1), api_key=alice.api_key))
    assert said(await exchange.signed("GET", ACCOUNT, alice)) == (401, BAD_KEY)


async def test_times_come_in_the_unit_that_was_asked_for(exchange: Exchange) -> None:
    for unit, digits in (("MICROSECOND", 16), ("microsecond", 16), ("MILLISECOND", 13)):
        answer = await exchange.client.get("/api/v3/time", headers={"X-MBX-TIME-UNIT": unit})
        assert len(str(answer.json()["serverTime"])) == digits
    answer = await exchange.client.get("/api/v3/time", headers={"X-MBX-TIME-UNIT": "FORTNIGHT"})
    assert answer.json()["code"] == -1194


async def test_only_the_operator_operates(exchange: Exchange) -> None:
    refused = {"code": -1002, "msg": "You are not authorized to execute this request."}
    for headers in ({}, {"X-Seawall-Operator": "guess"}, {"X-Seawall-Operator": ""}):
        answer = await exchange.client.post(
            "/seawall/v1/operator/users", json={"name": "eve"}, headers=headers
        )
        assert said(answer) == (403, refused)
    outside = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=exchange.app, client=("192.0.2.7", 1)),
        base_url="http://exchange",
    )
    async with outside:
        answer = await outside.post(
            "/seawall/v1/operator/users", json={"name": "eve"}, headers=exchange.operator_headers
        )
    assert said(answer) == (403, refused)
    assert "eve" not in exchange.node.identity.by_name


async def test_a_trusted_proxy_says_who_is_behind_it(exchange: Exchange) -> None:
    await exchange.operate("users", {"name": "dora"})
    made = await exchange.operate("keys", {"user": "dora", "ipAllow": ["203.0.113.0/24"]})
    dora = User("dora", made["apiKey"], made["secretKey"])
    settings = structs.replace(exchange.app.settings, trusted_proxies=("127.0.0.1",))
    behind = Exchange(
        exchange.node,
        create_app(exchange.node, settings),
        exchange.clock,
        exchange.client,
    )
    from_proxy = httpx.ASGITransport(app=behind.app, client=("127.0.0.1", 1))
    from_elsewhere = httpx.ASGITransport(app=behind.app, client=("192.0.2.7", 1))
    her = {"X-Forwarded-For": "10.0.0.1, 203.0.113.9"}
    for transport, headers, status in (
        (from_proxy, her, 200),
        (from_proxy, {"X-Forwarded-For": "203.0.113.9, 10.0.0.1"}, 401),
        (from_proxy, {}, 401),
        (from_elsewhere, her, 401),
    ):
        async with httpx.AsyncClient(transport=transport, base_url="http://exchange") as client:
            behind.client = client
            answer = await behind.signed("GET", ACCOUNT, dora, headers)
            assert answer.status_code == status, (headers, answer.text)
    async with httpx.AsyncClient(transport=from_proxy, base_url="http://exchange") as client:
        refused = await client.post(
            "/seawall/v1/operator/users",
            json={"name": "eve"},
            headers={**exchange.operator_headers, **her},
        )
        assert refused.status_code == 403
    await behind.app.close()


@pytest.mark.parametrize(
    "text, rest",
    [
        ("a=1&signature=ff", "a=1"),
        ("signature=ff&a=1", "a=1"),
        ("a=1&signature=ff&b=2", "a=1&b=2"),
        ("signature=ff", ""),
        ("a=1&mysignature=ff", "a=1&mysignature=ff"),
        ("", ""),
    ],
)
def test_the_signature_is_taken_out_and_nothing_else(text: str, rest: str) -> None:
    assert without_signature(text.encode()) == rest.encode()
