"""Waiting for what another task does.  The rule: if that ends first, the test fails with it."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], bool], *tasks: asyncio.Task[None]) -> None:
    while not holds():
        for task in tasks:
            if task.done():
                task.result()
                raise AssertionError("the task has ended")
        await asyncio.sleep(0.02)
