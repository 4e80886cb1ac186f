"""A node of an EVM chain.  The rule: one that answers and stands still is down.

It is asked for its newest block: the number must rise, and the block's own time must be near.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import Answer, Asker, NoAnswerError, judge_status, ms
from seawall.watch.probes.outcome import Outcome, answered, failed

SECOND_NS: Final = 1_000_000_000
AHEAD_S: Final = 60
BACK_MOST: Final = 64
"""Blocks that a chain may give up; an endpoint that falls back further is another machine."""


class EvmProbe:
    """One endpoint."""

    def __init__(
        self,
        asker: Asker,
        *,
        stalled_s: int,
        chain_id: int = 0,
        wall_s: Callable[[], float] = time.time,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`chain_id` 0 is any chain."""
        self._asker = asker
        self._stalled_s = stalled_s
        self._chain_id = chain_id
        self._wall_s = wall_s
        self._now_ns = now_ns
        self._known = False
        self._height = -1
        self._rose_ns = 0

    async def close(self) -> None:
        await self._asker.close()

    async def look(self) -> Outcome:
        try:
            if self._chain_id and not self._known:
                found, _ = await self._call("eth_chainId", [])
                if _number(found) != self._chain_id:
                    return answered(Health.DOWN, f"it is of chain {_number(found)}")
                self._known = True
            block, latency_ns = await self._call("eth_getBlockByNumber", ["latest", False])
            if not isinstance(block, dict):
                return failed("it has no newest block", reached=True)
            return self._judge(_number(block.get("number")), _number(block.get("timestamp")),
                               latency_ns)  # fmt: skip
        except NoAnswerError as error:
            return error.outcome

    def _judge(self, height: int, told_s: int, latency_ns: int) -> Outcome:
        now_ns = self._now_ns()
        fell = self._height - height
        if height > self._height or fell > BACK_MOST:
            self._height, self._rose_ns = height, now_ns
        age_s = self._wall_s() - told_s
        still_s = (now_ns - self._rose_ns) / SECOND_NS
        told = f"block {height:,}"
        if age_s < -AHEAD_S:
            # A clock of ours that is behind shows in the clock probes.
            return answered(Health.DEGRADED, f"{told} is {-age_s:.0f} s from now")
        if age_s > self._stalled_s or still_s > self._stalled_s:
            return answered(
                Health.DOWN, f"it stands still: {told} is {max(age_s, still_s):.0f} s old"
            )
        if fell > BACK_MOST:
            return answered(Health.DEGRADED, f"{told} is {fell:,} below what it had before")
        return answered(Health.OK, f"{told}, {max(age_s, 0):.0f} s old, in {ms(latency_ns)}",
                        latency_ns=latency_ns)  # fmt: skip

    async def _call(self, method: str, params: list[Any]) -> tuple[Any, int]:
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        found = await self._asker.ask(
            "POST", content=body, headers={"content-type": "application/json"}
        )
        if wrong := judge_status(found):
            raise NoAnswerError(wrong)
        return _result(found), found.latency_ns


def _result(found: Answer) -> Any:
    reply = found.json()
    if not isinstance(reply, dict):
        raise NoAnswerError(answered(Health.DOWN, "what came is no answer of a chain's node"))
    error = reply.get("error")
    if error is not None:
        words = error.get("message") if isinstance(error, dict) else error
        raise NoAnswerError(failed(f"it refuses: {words}", reached=True))
    if "result" not in reply:
        raise NoAnswerError(answered(Health.DOWN, "what came is no answer of a chain's node"))
    return reply["result"]


def _number(value: Any) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise NoAnswerError(
            answered(Health.DOWN, f"a malformed answer: {str(value)[:40]!r} is no quantity")
        ) from None
