"""Calls to etcd's members.  The rule: whether a call was carried out is never guessed.

A call goes to one member.  Without an answer it also goes to the next, and so on until one gives a
definite answer or the caller's time is over; none is taken back, since the slow one may be the only
one that can answer.  So a call given here must be harmless when it is carried out twice: a read, or
a transaction whose comparison holds only once.  `Reply.doubt` and `EtcdError.doubt` say whether
another attempt is unaccounted for.  The messages and stubs come from `aetcd`, the channels are our
own: one for each member, with TLS from files that may be replaced while in use
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

PATIENCE_S: Final = 0.25
"""The least that a member gets before the next is asked too; four times what the last took."""
PATIENCE_S_MAX: Final = 2.0
_PAUSE_S: Final = 0.05
"""Between two rounds over all members."""
_ATTEMPTS: Final = 6
"""Attempts of one call that may wait for their answers at once."""
_LOOK_S: Final = 5.0
"""How often the certificates' files are looked at."""
_FAREWELL_S: Final = 30.0
"""What calls get to finish on a channel whose certificate was replaced."""

_OPTIONS: Final = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # etcd breaks with clients that ping more often than each five seconds, or while they ask
    # nothing.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 0),
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

    async def call(
        self, method: str, request: Any, *, total_s: float, alone: bool = False
    ) -> Reply:
        """Return a definite answer, whichever member gives it; raise EtcdError.

        `alone` is for what a member answers without the others: the nearest is asked first then,
        even if it has no quorum.
        """
        now_s = asyncio.get_running_loop().time
        deadline_s = now_s() + total_s
        start = self._near if alone else self._at
        race = _Race()
        failed = EtcdUnsureError(f"etcd at {self.members[start].endpoint} did not answer in time")
        failures = 0
        try:
            while (left_s := deadline_s - now_s()) > 0:
                if race.waiting < _ATTEMPTS:
                    at = (start + race.started) % len(self.members)
                    race.start(at, self.members[at], method, request, left_s)
                attempt = await race.finished(min(self._patience_s, left_s))
                if attempt is None:
                    continue
                try:
                    message = await attempt.answer()
                except EtcdUnsureError as error:
                    failed = error
                    failures += 1
                    if failures % len(self.members) == 0:
                        await asyncio.sleep(_PAUSE_S)
                except EtcdError as error:
                    error.doubt = race.started > 1
                    raise
                else:
                    self._learn(attempt.at, now_s() - attempt.started_s, alone=alone)
                    return Reply(message, race.started > 1)
            raise failed
        finally:
            race.close()

    def _learn(self, at: int, took_s: float, *, alone: bool) -> None:
        """Remember who answered, and how quickly."""
        if alone:
            self._near = at
        else:
            self._at = at
        self._patience_s = min(max(PATIENCE_S, 4 * took_s), PATIENCE_S_MAX)

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


class _Attempt:
    """One call to one member."""

    def __init__(self, at: int, member: Member, call: Any) -> None:
        self.at = at
        self.started_s = asyncio.get_running_loop().time()
        self.call = call
        self._member = member

    async def answer(self) -> Any:
        """Return the member's answer; raise EtcdError."""
        try:
            return await self.call
        except grpc.aio.AioRpcError as error:
            raise translated(error, self._member.endpoint) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Not we were cancelled: the channel was closed.
            raise EtcdUnsureError(f"the channel to {self._member.endpoint} was closed") from None


class _Race:
    """The attempts of one call; a task for each would cost more than the call does."""

    def __init__(self) -> None:
        self.started = 0
        self._attempts: list[_Attempt] = []
        self._wake: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> int:
        return len(self._attempts)

    def start(self, at: int, member: Member, method: str, request: Any, timeout_s: float) -> None:
        self.started += 1
        try:
            call = member.method(method)(request, timeout=timeout_s)
        except (grpc.aio.UsageError, OSError) as error:
            call = _failed(EtcdUnsureError(f"{member.endpoint}: {error}"))
        self._attempts.append(_Attempt(at, member, call))
        call.add_done_callback(self._awake)

    async def finished(self, timeout_s: float) -> _Attempt | None:
        """Return an attempt that has an answer, or None after `timeout_s` without one."""
        if not any(attempt.call.done() for attempt in self._attempts):
            loop = asyncio.get_running_loop()
            self._wake = loop.create_future()
            timer = loop.call_later(timeout_s, self._awake)
            try:
                await self._wake
            finally:
                timer.cancel()
                self._wake = None
        for attempt in self._attempts:
            if attempt.call.done():
                self._attempts.remove(attempt)
                return attempt
        return None

    def close(self) -> None:
        for attempt in self._attempts:
            attempt.call.cancel()

    def _awake(self, _: object = None) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def _failed(error: EtcdError) -> "asyncio.Future[Any]":
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    # Another attempt may settle the call; then nobody asks for this error, and that is no fault.
    future.exception()
    return future


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
