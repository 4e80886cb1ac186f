"""One member of the journal's store.  The rule: it is asked itself, and through it the majority.

Its status says what it knows; a linearizable read through it says whether it still reaches most of
the others.  Members demand a certificate where the cluster uses TLS.
"""

import asyncio
import time
from typing import Any, Final

import grpc
from aetcd import rpc
from grpc import StatusCode

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import ms
from seawall.watch.probes.outcome import Outcome, answered, failed, unable
from seawall.watch.probes.tls import TlsFiles

KEY: Final = b"seawall-watch-reads-this"
"""Nobody writes it: the answer that there is none is an answer."""
_OPTIONS: Final = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.enable_http_proxy", 0),
)


class EtcdProbe:
    """One member."""

    def __init__(self, address: str, files: TlsFiles | None = None, *, answer_s: float) -> None:
        self._address = address
        self._files = files
        self._answer_s = answer_s
        self._channel: Any = None
        self._silent = False

    async def close(self) -> None:
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()

    async def look(self) -> Outcome:
        if self._silent:
            # An old connection may wait for minutes after a cut has healed.
            await self.close()
        self._silent = True
        try:
            channel = self._open()
        except OSError as error:
            return unable(f"this watcher's own certificate cannot be read: {error.strerror}")
        outcome = await self._ask(channel)
        self._silent = not outcome.reached
        return outcome

    async def _ask(self, channel: Any) -> Outcome:
        read = rpc.RangeRequest(key=KEY, limit=1, count_only=True)
        began_ns = time.monotonic_ns()
        status, alarms, found = await asyncio.gather(
            self._call(rpc.MaintenanceStub(channel).Status, rpc.StatusRequest()),
            self._call(rpc.MaintenanceStub(channel).Alarm, rpc.AlarmRequest()),
            self._call(rpc.KVStub(channel).Range, read),
        )
        took_ns = time.monotonic_ns() - began_ns
        if isinstance(status, grpc.aio.AioRpcError):
            return _of_rpc(status)
        # First: without one it also counts that among its errors.
        if not status.leader:
            return failed("it knows no leader", reached=True)
        ill = _ill(status, alarms)
        if ill is not None:
            return answered(*ill, latency_ns=took_ns)
        if isinstance(found, grpc.aio.AioRpcError):
            return failed("it answers, and reaches no majority of the others", reached=True)
        return answered(Health.OK, f"read through it in {ms(took_ns)}", latency_ns=took_ns)

    async def _call(self, method: Any, request: Any) -> Any:
        """Return the answer or the error."""
        try:
            return await method(request, timeout=self._answer_s)
        except grpc.aio.AioRpcError as error:
            return error

    def _open(self) -> Any:
        if self._channel is None:
            if self._files is None:
                self._channel = grpc.aio.insecure_channel(self._address, options=_OPTIONS)
            else:
                credentials = grpc.ssl_channel_credentials(
                    self._files.ca.read_bytes(),
                    self._files.key.read_bytes(),
                    self._files.certificate.read_bytes(),
                )
                self._channel = grpc.aio.secure_channel(
                    self._address, credentials, options=_OPTIONS
                )
        return self._channel


def _ill(status: Any, alarms: Any) -> tuple[Health, str] | None:
    """Return what the member says is wrong with it."""
    raised = [] if isinstance(alarms, grpc.aio.AioRpcError) else list(alarms.alarms)
    own = [alarm.alarm for alarm in raised if alarm.memberID == status.header.member_id]
    if rpc.AlarmType.Value("CORRUPT") in own:
        return Health.DOWN, "it has found that its data differs from the others'"
    if status.isLearner:
        return Health.DEGRADED, "it learns, and does not vote"
    if rpc.AlarmType.Value("NOSPACE") in own:
        return Health.DEGRADED, "its space is used up, so nothing can be written"
    if status.errors:
        return Health.DEGRADED, "it says: " + "; ".join(status.errors)
    return None


def _of_rpc(error: "grpc.aio.AioRpcError") -> Outcome:
    """Return what an error without an answer means.  Its text tells what its code does not."""
    text = str(error.details())
    if error.code() is StatusCode.DEADLINE_EXCEEDED:
        return failed("no answer in time", reached=False)
    if error.code() is not StatusCode.UNAVAILABLE:
        return failed(f"it answers with {error.code().name}", reached=True)
    if "Connection refused" in text:
        return failed("it refuses the connection", reached=True)
    if "Network is unreachable" in text:
        return unable("this machine cannot ask: no network leads there")
    if any(word in text for word in ("CERTIFICATE", "SSL_ERROR_SSL", "WRONG_VERSION")):
        return failed("it speaks no TLS that we understand", reached=True)
    return failed("no connection", reached="Connection reset" in text)
