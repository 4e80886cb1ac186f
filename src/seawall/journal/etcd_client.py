"""Calls to etcd's members.  The rule: whether a call was carried out is never guessed.

A call goes to one member; without a definite answer it goes to the next, with more time, until the
caller's time is over.  So a call given here must be harmless when it is carried out twice: a read,
or a transaction whose comparison holds only once.  `Reply.doubt` and `EtcdError.doubt` say whether
an earlier attempt is unaccounted for.  The messages and stubs come from `aetcd`, the channels are
our own: one for each member, with TLS from files that may be replaced while in use
(docs/decisions/0013).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc
from aetcd import rpc
from grpc import StatusCode
from msgspec import Struct

PATIENCE_S: Final = 0.5
"""The least that a member gets to answer; the last answers' time sets what it gets."""
PATIENCE_S_MAX: Final = 5.0
_PAUSE_S: Final = 0.05
"""Between two rounds over all members."""
_LOOK_S: Final = 5.0
"""How often the certificates' files are looked at."""
_FAREWELL_S: Final = 30.0
"""What calls get to finish on a channel whose certificate was replaced."""

_OPTIONS: Final = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # etcd breaks with clients that ping more often than each five seconds.
    ("grpc.keepalive_time_ms", 6_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
)
_STUBS: Final = {
    "Range": rpc.KVStub,
    "Txn": rpc.KVStub,
    "Put": rpc.KVStub,
    "DeleteRange": rpc.KVStub,
    "Compact": rpc.KVStub,
    "Watch": rpc.WatchStub,
    "Status": rpc.MaintenanceStub,
    "Alarm": rpc.MaintenanceStub,
    "Defragment": rpc.MaintenanceStub,
    "MoveLeader": rpc.MaintenanceStub,
    "MemberList": rpc.ClusterStub,
}
_REFUSALS: Final = frozenset(
    {
        StatusCode.INVALID_ARGUMENT,
        StatusCode.UNAUTHENTICATED,
        StatusCode.PERMISSION_DENIED,
        StatusCode.NOT_FOUND,
        StatusCode.FAILED_PRECONDITION,
        StatusCode.OUT_OF_RANGE,
        StatusCode.UNIMPLEMENTED,
    }
)


class EtcdError(Exception):
    """A call without success; the message names the member and what it said."""

    doubt = False
    """Whether an earlier attempt at the same call may yet be carried out."""


class EtcdUnsureError(EtcdError):
    """No member gave an answer that says whether the call was carried out."""

    doubt = True


class EtcdFullError(EtcdError):
    """etcd's quota is used up.  The call may have been carried out all the same.

    The transaction that crosses the quota is applied, and answered with this error.
    """


class EtcdRefusedError(EtcdError):
    """The member understood, and did not carry it out."""


class EtcdCorruptError(EtcdError):
    """etcd has found that its members differ."""


class EtcdTls(Struct, frozen=True, kw_only=True):
    """Mutual TLS by files in PEM format; they may be replaced while in use."""

    ca: Path
    certificate: Path
    key: Path


class EtcdSettings(Struct, frozen=True, kw_only=True):
    """Where etcd is."""

    endpoints: tuple[str, ...]
    """`host:port` of each member, the nearest first."""
    tls: EtcdTls | None = None


class Reply(Struct, frozen=True):
    """A definite answer."""

    message: Any
    doubt: bool
    """Whether an earlier attempt was left without an answer."""


class Member:
    """One member's channel."""

    def __init__(self, endpoint: str, tls: EtcdTls | None) -> None:
        self.endpoint = endpoint
        self._tls = tls
        self._channel: Any = None
        self._methods: dict[str, Any] = {}
        self._stamp: tuple[int, ...] = ()
        self._looked_s = 0.0
        self._farewells: set[asyncio.Task[None]] = set()

    def method(self, name: str) -> Any:
        """Return the stub's method, on a channel that holds the present certificate."""
        self._look()
        found = self._methods.get(name)
        if found is None:
            found = self._methods[name] = getattr(_STUBS[name](self._channel), name)
        return found

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()
        for farewell in self._farewells:
            farewell.cancel()
        await asyncio.gather(*self._farewells, return_exceptions=True)

    def _look(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._channel is not None and (self._tls is None or now_s - self._looked_s < _LOOK_S):
            return
        self._looked_s = now_s
        stamp = _stamp(self._tls)
        if self._channel is not None:
            if stamp == self._stamp:
                return
            farewell = asyncio.get_running_loop().create_task(self._channel.close(_FAREWELL_S))
            self._farewells.add(farewell)
            farewell.add_done_callback(self._farewells.discard)
        self._stamp = stamp
        self._methods = {}
        self._channel = _channel(self.endpoint, self._tls)


class EtcdClient:
    """All members of one cluster, for any number of journals."""

    def __init__(self, settings: EtcdSettings) -> None:
        if not settings.endpoints:
            raise ValueError("etcd has at least one endpoint")
        self.settings = settings
        self.members = [Member(endpoint, settings.tls) for endpoint in settings.endpoints]
        self._at = 0
        self._near = 0
        self._patience_s = PATIENCE_S

    @property
    def preferred(self) -> Member:
        """Return the member that is asked first: the last one that answered."""
        return self.members[self._at]

    def avoid(self, member: Member) -> None:
        """Ask another first from now on; unless that was decided already."""
        if self.members[self._at] is member:
            self._at = (self._at + 1) % len(self.members)

    def _avoid_near(self, member: Member) -> None:
        if self.members[self._near] is member:
            self._near = (self._near + 1) % len(self.members)

    async def call(
        self, method: str, request: Any, *, total_s: float, alone: bool = False
    ) -> Reply:
        """Return a definite answer, whichever member gives it; raise EtcdError.

        `alone` is for what a member answers without the others: then it is not held against one
        that it had no quorum, and the nearest stays the first to be asked.
        """
        now_s = asyncio.get_running_loop().time
        deadline_s = now_s() + total_s
        patience_s = self._patience_s
        attempts = 0
        while True:
            member = self.members[self._near] if alone else self.preferred
            attempts += 1
            started_s = now_s()
            try:
                message = await self.once(
                    member, method, request, min(patience_s, max(deadline_s - started_s, _PAUSE_S))
                )
            except EtcdUnsureError:
                (self._avoid_near if alone else self.avoid)(member)
                if now_s() >= deadline_s:
                    raise
                patience_s = min(2 * patience_s, PATIENCE_S_MAX)
                if attempts % len(self.members) == 0:
                    await asyncio.sleep(_PAUSE_S)
            except EtcdError as error:
                error.doubt = attempts > 1
                raise
            else:
                took_s = now_s() - started_s
                self._patience_s = min(max(PATIENCE_S, 4 * took_s), PATIENCE_S_MAX)
                return Reply(message, attempts > 1)

    async def once(self, member: Member, method: str, request: Any, timeout_s: float) -> Any:
        """Return this member's answer to one attempt; raise EtcdError."""
        try:
            return await member.method(method)(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise translated(error, member.endpoint) from error
        except (grpc.aio.UsageError, OSError) as error:
            # A channel being closed, or certificates that cannot be read at the moment.
            raise EtcdUnsureError(f"{member.endpoint}: {error}") from error

    async def close(self) -> None:
        for member in self.members:
            await member.close()


def translated(error: Any, endpoint: str) -> EtcdError:
    """Return what a gRPC error means for its caller."""
    code, details = error.code(), error.details() or ""
    told = f"etcd at {endpoint}: {details or code.name} ({code.name})"
    if code is StatusCode.RESOURCE_EXHAUSTED and "space exceeded" in details:
        return EtcdFullError(told)
    if code is StatusCode.DATA_LOSS or "corrupt cluster" in details:
        return EtcdCorruptError(told)
    if code in _REFUSALS:
        return EtcdRefusedError(told)
    return EtcdUnsureError(told)


def prefix_end(prefix: bytes) -> bytes:
    """Return the first key after all that begin with `prefix`, which ends below 0xff."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


def reads(*ranges: Any) -> Any:
    """Return a transaction that only reads; all its answers are of one moment."""
    return rpc.TxnRequest(success=[rpc.RequestOp(request_range=each) for each in ranges])


def kvs(message: Any) -> Sequence[Sequence[Any]]:
    """Return the found keys and values of each range that a transaction read."""
    return [
        answer.response_range.kvs
        for answer in message.responses
        if answer.WhichOneof("response") == "response_range"
    ]


def _stamp(tls: EtcdTls | None) -> tuple[int, ...]:
    if tls is None:
        return ()
    found: list[int] = []
    for path in (tls.ca, tls.certificate, tls.key):
        status = path.stat()
        found += (status.st_mtime_ns, status.st_size, status.st_ino)
    return tuple(found)


def _channel(endpoint: str, tls: EtcdTls | None) -> Any:
    if tls is None:
        return grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=tls.ca.read_bytes(),
        private_key=tls.key.read_bytes(),
        certificate_chain=tls.certificate.read_bytes(),
    )
    return grpc.aio.secure_channel(endpoint, credentials, options=_OPTIONS)
