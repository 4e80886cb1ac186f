"""A tiny amount from wallet to wallet, and back.  The rule: an id for each way, so never twice."""

import time
from collections.abc import Callable
from typing import Final

from seawall.model.watch_facts import Health
from seawall.watch.probes.http import NoAnswerError, ms
from seawall.watch.probes.outcome import Outcome, answered, unable
from seawall.watch.probes.public_api import PublicApi, RefusedError, read

PATH: Final = "/sapi/v1/asset/transfer"
THERE: Final = "MAIN_FUNDING"
BACK: Final = "FUNDING_MAIN"
INSUFFICIENT: Final = -5013
PAUSED: Final = "paused"


class TransfersProbe:
    """The transfers of one user."""

    def __init__(
        self,
        api: PublicApi,
        name: str,
        *,
        asset: str,
        amount: str,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._api = api
        self._name = name
        self._asset = asset
        self._amount = amount
        self._wall_ns = wall_ns

    async def close(self) -> None:
        """Leave the connections to whoever made them."""

    async def look(self) -> Outcome:
        began_ns = time.monotonic_ns()
        moved = 0
        try:
            for kind in (THERE, BACK):
                try:
                    wrong = await self._move(kind)
                except RefusedError as error:
                    # What an earlier look left on the other side comes back with this one.
                    if error.code != INSUFFICIENT:
                        raise
                    continue
                if wrong is not None:
                    return wrong
                moved += 1
        except NoAnswerError as error:
            return error.outcome
        except RefusedError as error:
            if PAUSED in error.text.lower():
                return answered(Health.OK, "transfers are paused, and say so")
            return error.outcome
        if not moved:
            return unable(f"the probe's user has no {self._amount} {self._asset}")
        took_ns = time.monotonic_ns() - began_ns
        return answered(Health.OK, f"there and back in {ms(took_ns)}", latency_ns=took_ns)

    async def _move(self, kind: str) -> Outcome | None:
        """Transfer and see it arrive; return what is wrong."""
        params = {
            "type": kind,
            "asset": self._asset,
            "amount": self._amount,
            "clientTranId": f"watch-{self._name}-{self._wall_ns()}"[:64],
        }
        number = read((await self._api.signed("POST", PATH, params)).content, "tranId")
        told = await self._api.signed("GET", PATH, {"type": kind, "size": "10"})
        for row in read(told.content, "rows"):
            if read(row, "tranId") == number:
                status = read(row, "status")
                if status == "CONFIRMED":
                    return None
                return answered(Health.DEGRADED, f"a transfer {kind} is {status}")
        return answered(Health.DOWN, f"a transfer {kind} was taken, and is in no list")
