"""A program that plays one long flow into views until it is killed; prints its sequence as it goes.

Run as `python -m tests.views.endless_writer DIRECTORY`.
"""

import asyncio
import sys
from pathlib import Path

from tests.views.flow import Exchange, random_flow

from seawall.views.views import Views

SEED = 11
STEPS = 100_000


async def main(data: Path) -> None:
    exchange = Exchange(Views.open(data))
    exchange.list_markets()
    for number, step in enumerate(random_flow(SEED, STEPS)):
        exchange.step(step)
        if number % 20 == 0:
            await exchange.followers().orders(1, "AB", None, None, None, 1)
            print(exchange.state.sequence, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
