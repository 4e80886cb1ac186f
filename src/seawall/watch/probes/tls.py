"""A server's certificate.  The rule: one that soon ends is trouble before it has ended.

The context is made anew for each look: certificates are replaced while the watch runs.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import ms
from seawall.watch.probes.outcome import Outcome, answered, of_error, unable

DAY_S: Final = 86_400
WARN_DAYS: Final = 14


class TlsFiles(Struct, frozen=True, kw_only=True):
    """Who is believed, and what this side shows of itself; PEM files."""

    ca: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return a context; raises OSError or ssl.SSLError for files that cannot be used."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(self.certificate, self.key)
        return context


class TlsProbe:
    """One host and port; without `files` whoever the system believes is believed."""

    def __init__(
        self,
        host: str,
        port: int,
        files: TlsFiles | None = None,
        *,
        warn_days: int = WARN_DAYS,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._port = port
        self._files = files
        self._warn_days = warn_days
        self._now_s = now_s

    async def close(self) -> None:
        """Nothing is kept open."""

    async def look(self) -> Outcome:
        try:
            context = self._files.context() if self._files else ssl.create_default_context()
        except OSError as error:
            return unable(f"this watcher's own certificate cannot be read: {error.strerror}")
        began_ns = time.monotonic_ns()
        try:
            _, writer = await asyncio.open_connection(
                self._host, self._port, ssl=context, server_hostname=self._host
            )
        except (OSError, EOFError) as error:
            return of_error(error)
        took_ns = time.monotonic_ns() - began_ns
        found = writer.get_extra_info("ssl_object").getpeercert() or {}
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await writer.wait_closed()
        return self._judge(str(found.get("notAfter", "")), took_ns)

    def _judge(self, ends: str, took_ns: int) -> Outcome:
        if not ends:
            return answered(Health.DOWN, "its certificate has no end")
        days = (ssl.cert_time_to_seconds(ends) - self._now_s()) / DAY_S
        health = Health.OK if days >= self._warn_days else Health.DEGRADED
        if days < 0:
            health = Health.DOWN
        told = f"certificate ends {ends}, in {days:.0f} days; handshake {ms(took_ns)}"
        return answered(health, told, latency_ns=took_ns)
