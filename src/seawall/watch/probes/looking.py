"""Runs one probe again and again.  The rule: no crash and no hang of a probe reaches another.

A look that has not ended in time is given up and not waited for: it may not even hear that it was
canceled.  Until it has ended no other is begun, so that one probe never holds more than one look.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from seawall.watch.probes.outcome import Outcome, Probe, failed, unable

SECOND_NS: Final = 1_000_000_000
LATE_S: Final = 0.05
Took = Callable[[Outcome, int, int], None]
"""Hears an outcome with the moments at which its look began and ended."""


class Looking:
    """One probe, and how often it looks."""

    def __init__(
        self,
        probe: Probe,
        *,
        every_s: float,
        timeout_s: float,
        retry_s: float | None = None,
        now_ns: Callable[[], int],
    ) -> None:
        """After a look that found no good answer the next comes after `retry_s`."""
        self._probe = probe
        self._every_s = every_s
        self._timeout_s = timeout_s
        self._retry_s = every_s if retry_s is None else min(retry_s, every_s)
        self._now_ns = now_ns
        self._stuck: asyncio.Task[Outcome] | None = None

    async def run(
        self, took: Took, delay_s: float = 0.0, begins: Callable[[int], None] = lambda _at: None
    ) -> None:
        """Look for ever, the first time after `delay_s`; `begins` hears of each look first."""
        await asyncio.sleep(delay_s)
        while True:
            began_ns = self._now_ns()
            begins(began_ns)
            outcome = await self.look()
            ended_ns = self._now_ns()
            took(outcome, began_ns, ended_ns)
            pause_s = self._every_s if outcome.sure else self._retry_s
            # From its beginning: slow answers must not make the rounds longer.
            await asyncio.sleep(max(0.0, pause_s - (ended_ns - began_ns) / SECOND_NS))

    async def look(self) -> Outcome:
        """Look once, in bounded time, and raise nothing."""
        if self._stuck is not None:
            await asyncio.wait({self._stuck}, timeout=self._timeout_s)
            if not self._stuck.done():
                return unable("the probe itself hangs")
            self._stuck = None
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._timeout_s
        task = asyncio.create_task(self._probe.look())
        try:
            await asyncio.wait({task}, timeout=self._timeout_s)
            if not task.done() and (late_s := loop.time() - until_s) > LATE_S:
                # This process was held up: the answer may be here, and nobody has read it.
                await asyncio.wait({task}, timeout=min(late_s, self._timeout_s))
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.done():
            task.cancel()
            task.add_done_callback(_heard)
            self._stuck = task
            return failed(f"no answer within {self._timeout_s:g} s", reached=False)
        return _outcome(task)

    async def close(self) -> None:
        """Close the probe; one that cannot be closed in time is left behind."""
        task = asyncio.create_task(self._probe.close())
        task.add_done_callback(_heard)
        await asyncio.wait({task}, timeout=self._timeout_s)
        task.cancel()


def _outcome(task: "asyncio.Task[Outcome]") -> Outcome:
    if task.cancelled():
        return unable("the probe gave up")
    error = task.exception()
    if error is not None:
        return unable(f"the probe itself failed: {type(error).__name__}")
    return task.result()


def _heard(task: "asyncio.Task[Outcome] | asyncio.Task[None]") -> None:
    """Take a failure that nobody waits for, or it would be shouted at the end."""
    if not task.cancelled():
        task.exception()
