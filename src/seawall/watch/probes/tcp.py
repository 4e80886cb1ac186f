"""Whether a port takes connections.  The rule: it is opened, and closed at once."""

import asyncio
import contextlib
import time

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import ms
from seawall.watch.probes.outcome import Outcome, answered, of_error


class TcpProbe:
    """One host and port."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def close(self) -> None:
        """Nothing is kept open."""

    async def look(self) -> Outcome:
        began_ns = time.monotonic_ns()
        try:
            _, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            return of_error(error)
        took_ns = time.monotonic_ns() - began_ns
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return answered(Health.OK, f"connected in {ms(took_ns)}", latency_ns=took_ns)
