"""`/seawall/v1/operator`: running the exchange from its own machine.

The rule: from this machine or named addresses, with a token, and every act is a journaled command.
The token is a person's own, of `operators.toml`, or the one that all share, of `operator.token`.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from typing import TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seawall.gateway import errors
from seawall.gateway.auth import ED25519, HMAC, UnsupportedKeyError, read_public_key
from seawall.gateway.context import Context
from seawall.gateway.encode import encode_json
from seawall.gateway.errors import ApiError
from seawall.gateway.operators import OPERATORS_FILE, OperatorsFile, Person, Role
from seawall.gateway.sealing import key_owner, write_private
from seawall.model.amounts import DecimalPrecisionError, DecimalSyntaxError, parse_decimal
from seawall.model.commands import (
    CreateApiKey,
    CreateUser,
    Credit,
    DeleteApiKey,
    SetAccountTier,
    SetFeeTier,
    SetMarketStatus,
    SpotCommand,
)
from seawall.model.events import CommandRejected, Event, UserCreated
from seawall.model.funding_commands import SetFundingTier
from seawall.model.ids import AssetCode, Symbol, UserId
from seawall.model.instruments import FeeTier
from seawall.model.trading import MarketStatus
from seawall.node.errors import NodeError

T = TypeVar("T", bound=Struct)

TOKEN_FILE = "operator.token"  # noqa: S105  # a file's name, not a token
HEADER = "x-seawall-operator"
_LOOPBACK = ("127.0.0.1", "::1", "testclient")
_SECRET_BYTES = 32
_READS = ("GET", "HEAD")

OPERATOR_CALLS = (
    ("POST /seawall/v1/operator/users", '{"name"}', "creates a user, or finds it"),
    (
        "POST /seawall/v1/operator/keys",
        '{"user", "permissions", "label", "ipAllow", "kind", "publicKey"}',
        "creates an API key; an `hmac` key's secret is shown this once",
    ),
    ("DELETE /seawall/v1/operator/keys", '{"user", "apiKey"}', "deletes an API key, at once"),
    (
        "POST /seawall/v1/operator/credits",
        '{"user", "asset", "amount", "reference"}',
        "credits a user, in a demo only; a reference takes effect once per user and asset",
    ),
    (
        "POST /seawall/v1/operator/markets/{symbol}/status",
        '{"status", "reason"}',
        "sets a market's status: `open`, `post_only`, `auction`, `cancel_only` or `halted`",
    ),
    (
        "POST /seawall/v1/operator/tiers",
        '{"tier", "makerPpm", "takerPpm", "maxOrders"}',
        "sets a fee tier; with `user` instead, says which tier a user has",
    ),
)
"""Request, body and effect of each call, for the reference."""


class NewUser(Struct, forbid_unknown_fields=True):
    name: str


class NewKey(Struct, forbid_unknown_fields=True, rename="camel"):
    user: str
    permissions: tuple[str, ...] = ("read", "trade")
    label: str = ""
    ip_allow: tuple[str, ...] = ()
    kind: str = HMAC
    public_key: str = ""


class OldKey(Struct, forbid_unknown_fields=True, rename="camel"):
    user: str
    api_key: str


class NewCredit(Struct, forbid_unknown_fields=True):
    user: str
    asset: str
    amount: str
    reference: str


class NewStatus(Struct, forbid_unknown_fields=True):
    status: MarketStatus
    reason: str


class NewTier(Struct, forbid_unknown_fields=True, rename="camel"):
    """A tier's terms, or with `user` which tier a user has."""

    tier: int
    maker_ppm: int | None = None
    taker_ppm: int | None = None
    max_orders: int = 0
    user: str | None = None


class Operator:
    """The operator's calls."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._token = read_token(context)
        self._file = OperatorsFile(context.settings.data / OPERATORS_FILE)

    def routes(self) -> list[Route]:
        at = "/seawall/v1/operator"
        return [
            Route(f"{at}/users", self.guarded(self.create_user), methods=["POST"]),
            Route(f"{at}/keys", self.guarded(self.create_key), methods=["POST"]),
            Route(f"{at}/keys", self.guarded(self.delete_key), methods=["DELETE"]),
            Route(f"{at}/credits", self.guarded(self.credit), methods=["POST"]),
            Route(
                f"{at}/markets/{{symbol}}/status",
                self.guarded(self.set_status),
                methods=["POST"],
            ),
            Route(f"{at}/tiers", self.guarded(self.set_tier), methods=["POST"]),
        ]

    def guarded(
        self, act: Callable[[Request], Awaitable[object]], *, approves: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a route's endpoint, open to operators only, or only to those who may approve."""

        async def answer(request: Request) -> Response:
            try:
                self._admit(request, approves=approves)
                result = await act(request)
            except ApiError as error:
                return json_response(error.body(), error.status)
            except NodeError as error:
                answer = errors.of_node(error)
                return json_response(answer.body(), answer.status)
            return json_response(result)

        return answer

    def _admit(self, request: Request, *, approves: bool) -> None:
        client = request.client
        if client is not None and not self._may_operate(client.host, request):
            raise errors.operator_refused()
        given = request.headers.get(HEADER, "")
        people = self._file.look()
        person = people.holder(given)
        shared = hmac.compare_digest(given.encode(), self._token.encode())
        request.state.person = person
        if person is not None:
            needed = Role.APPROVER if approves else Role.OPERATOR
            if request.method in _READS:
                needed = Role.VIEWER
            if not person.may(needed):
                raise errors.role_missing(person.name, needed)
        elif not shared:
            raise errors.operator_refused()
        elif approves and not self._file.shared_approves:
            raise errors.shared_token_approves_nothing(self._file.fault)

    def _may_operate(self, host: str, request: Request) -> bool:
        """Whether the call comes from this machine, or from where operators may call from."""
        own = request.scope.get("server")
        return (
            host in _LOOPBACK
            or (own is not None and host == own[0])
            or host in self._context.settings.operators
        )

    # What an operator may do

    async def create_user(self, request: Request) -> object:
        """Answer with the user of that name, creating it if there is none."""
        wanted = await self.read(request, NewUser)
        found = self._context.node.identity.by_name.get(wanted.name)
        if found is not None:
            return {"user": wanted.name, "userId": found.user_id, "created": False}
        committed = await self._context.node.submit_identity(CreateUser(name=wanted.name))
        refuse_rejected(committed.events)
        created = next(event for event in committed.events if isinstance(event, UserCreated))
        return {"user": created.name, "userId": created.user_id, "created": True}

    async def create_key(self, request: Request) -> object:
        wanted = await self.read(request, NewKey)
        user_id = self._user(wanted.user)
        for network in wanted.ip_allow:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise errors.invalid_value("ipAllow") from None
        api_key = secrets.token_hex(_SECRET_BYTES)
        answer: dict[str, object] = {
            "apiKey": api_key,
            "user": wanted.user,
            "kind": wanted.kind,
            "permissions": wanted.permissions,
        }
        if wanted.kind == HMAC:
            secret = secrets.token_hex(_SECRET_BYTES)
            answer["secretKey"] = secret
            material = self._context.sealer.seal(secret, key_owner(user_id, api_key))
        elif wanted.kind == ED25519:
            try:
                read_public_key(wanted.public_key)
            except UnsupportedKeyError as error:
                raise errors.bad_public_key(str(error)) from None
            material = wanted.public_key
        else:
            raise errors.bad_public_key("only hmac and ed25519 keys are supported, not RSA")
        committed = await self._context.node.submit_identity(
            CreateApiKey(
                user_id=UserId(user_id),
                api_key=api_key,
                kind=wanted.kind,
                material=material,
                label=wanted.label,
                permissions=wanted.permissions,
                ip_allow=wanted.ip_allow,
            )
        )
        refuse_rejected(committed.events)
        return answer

    async def delete_key(self, request: Request) -> object:
        wanted = await self.read(request, OldKey)
        committed = await self._context.node.submit_identity(
            DeleteApiKey(user_id=UserId(self._user(wanted.user)), api_key=wanted.api_key)
        )
        refuse_rejected(committed.events)
        return {"apiKey": wanted.api_key, "deleted": True}

    async def credit(self, request: Request) -> object:
        if not self._context.settings.demo:
            raise errors.demo_only()
        wanted = await self.read(request, NewCredit)
        asset = self._context.node.spot.assets.get(wanted.asset)
        if asset is None:
            raise errors.invalid_value("asset")
        try:
            atoms = parse_decimal(wanted.amount, asset.decimals)
        except DecimalPrecisionError:
            raise errors.too_precise("amount") from None
        except DecimalSyntaxError:
            raise errors.invalid_value("amount") from None
        return await self._submit_spot(
            Credit(
                user_id=UserId(self._user(wanted.user)),
                asset=AssetCode(wanted.asset),
                atoms=atoms,
                reference=wanted.reference,
            )
        )

    async def set_status(self, request: Request) -> object:
        wanted = await self.read(request, NewStatus)
        symbol = request.path_params["symbol"]
        return await self._submit_spot(
            SetMarketStatus(symbol=Symbol(symbol), status=wanted.status, reason=wanted.reason)
        )

    async def set_tier(self, request: Request) -> object:
        wanted = await self.read(request, NewTier)
        if wanted.user is not None:
            user_id = UserId(self._user(wanted.user))
            done = await self._submit_spot(SetAccountTier(user_id=user_id, tier=wanted.tier))
            # The same tier says what may be withdrawn in a day.
            committed = await self._context.node.submit_funding(
                SetFundingTier(user_id=user_id, tier=wanted.tier)
            )
            refuse_rejected(committed.events)
            return done
        if wanted.maker_ppm is None or wanted.taker_ppm is None:
            raise errors.either_missing("makerPpm", "takerPpm")
        tier = FeeTier(
            tier=wanted.tier,
            maker_ppm=wanted.maker_ppm,
            taker_ppm=wanted.taker_ppm,
            max_orders=wanted.max_orders,
        )
        return await self._submit_spot(SetFeeTier(tier=tier))

    # Helpers

    def _user(self, name: str) -> int:
        user = self._context.node.identity.by_name.get(name)
        if user is None:
            raise errors.invalid_value("user")
        return user.user_id

    async def _submit_spot(self, command: SpotCommand) -> object:
        committed = await self._context.node.submit_spot(command)
        refuse_rejected(committed.events)
        return {"sequence": committed.sequence, "time": committed.at_ns // 1_000_000}

    async def read(self, request: Request, of: type[T]) -> T:
        """Return the body, or refuse it."""
        body = await read_body(request, self._context.settings.body_bytes_max)
        try:
            wanted = msgspec.json.decode(body, type=of)
        except msgspec.ValidationError as error:
            raise errors.bad(-1130, f"Invalid data sent for a parameter: {error}.") from None
        except msgspec.DecodeError:
            raise errors.bad_json() from None
        self._check_person(request.state.person, getattr(wanted, "person", None))
        return wanted

    def _check_person(self, own: Person | None, named: str | None) -> None:
        """Refuse an act in another's name: in any, with one's own token; else in a listed one."""
        if named is None:
            return
        if own is not None and named != own.name:
            raise errors.another_person(own.name)
        if own is None and self._file.look().named(named) is not None:
            raise errors.person_has_a_token(named)


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Return the body, or refuse one that is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise errors.body_too_large()
    return bytes(body)


def read_token(context: Context) -> str:
    """Read the operator's token, making one where there is none."""
    path = context.settings.data / TOKEN_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, secrets.token_urlsafe(_SECRET_BYTES) + "\n")
    return path.read_text().strip()


def json_response(content: object, status: int = 200) -> Response:
    return Response(encode_json(content), status, media_type="application/json")


def refuse_rejected(events: list[Event]) -> None:
    """Raise what answers a command that was refused."""
    for event in events:
        if isinstance(event, CommandRejected):
            error = errors.rejected(event.reason, errors.NEW_ORDER_REJECTED)
            detail = f" ({event.detail})" if event.detail else ""
            error.message = f"{error.message}{detail}"
            raise error
