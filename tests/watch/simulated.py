"""Wallets that are made up.  The rule: a seed makes the same wallet everywhere."""

import math
import random
from collections.abc import Callable, Iterator, Sequence

from msgspec import convert

from seawall.watch.activity import HOUR_S, WEEK_S, Sent, hour_of_week
from seawall.watch.chain_silence import Assessment, Detector
from seawall.watch.pulse import Look, Moment

BEGAN_S = 1_700_000_000
BLOCK_S = 12
Wallet = Callable[[random.Random, float, float], Iterator[float]]


def by_day(per_hour: float, swing: float = 0.8) -> list[float]:
    """Return rates per hour for each hour of the week, greatest in the morning."""
    return [per_hour * (1 + swing * math.sin(math.tau * (hour % 24) / 24)) for hour in range(168)]


def poisson(rates: Sequence[float]) -> Wallet:
    """Send by chance, at the rate of the hour."""

    def times(rng: random.Random, begin_s: float, end_s: float) -> Iterator[float]:
        most = max(rates)
        at_s = begin_s
        while (at_s := at_s + rng.expovariate(most / HOUR_S)) < end_s:
            if rng.random() * most < rates[hour_of_week(at_s)]:
                yield at_s

    return times


def batches(rates: Sequence[float]) -> Wallet:
    """Send ten or more at once."""
    starts = poisson(rates)

    def times(rng: random.Random, begin_s: float, end_s: float) -> Iterator[float]:
        before_s = begin_s
        for at_s in starts(rng, begin_s, end_s):
            before_s = max(at_s, before_s)
            for _ in range(10 + int(rng.expovariate(1 / 10))):
                before_s += BLOCK_S
                if before_s < end_s:
                    yield before_s

    return times


def sessions(rng: random.Random, begin_s: float, end_s: float) -> Iterator[float]:
    """Send 30 an hour for two hours or so, then rest for one or so, at any time of the week."""
    at_s = begin_s
    while at_s < end_s:
        until_s = at_s + rng.expovariate(1 / 7_200)
        while (at_s := at_s + rng.expovariate(30 / HOUR_S)) < min(until_s, end_s):
            yield at_s
        at_s = until_s + rng.expovariate(1 / 3_600)


class Watched:
    """A detector that learned four weeks of a wallet, and a chain that goes on."""

    def __init__(
        self,
        wallet: Wallet,
        *,
        seed: int = 1,
        until_s: float = BEGAN_S + 4 * WEEK_S,
        endpoints: Sequence[str] = ("one",),
        threshold: float = 1e-4,
    ) -> None:
        self.detector = Detector(endpoints, threshold=threshold)
        self.elapsed_s = 1_000.0
        self.wall_s = until_s
        self.number = 20_000_000
        began_s = until_s - 4 * WEEK_S
        past = list(wallet(random.Random(seed), began_s, until_s))
        self.nonce = len(past)
        self.last_s = past[-1]
        for name in endpoints:
            self.detector.pulses[name].learn([0, BLOCK_S])
            self.look(name)
        self.detector.on_history(began_s, self.nonce, [sent(at_s) for at_s in past])
        self.detector.on_last(past[-1])

    @property
    def now(self) -> Moment:
        return Moment(wall_s=self.wall_s, elapsed_s=self.elapsed_s)

    def look(self, name: str = "one", **changed: int | str) -> None:
        """Let an endpoint answer as a current one does, but for what is changed."""
        usual: dict[str, int | str] = {
            "number": self.number, "id": f"0x{self.number:x}",
            "at_s": int(self.wall_s), "nonce": self.nonce,
        }  # fmt: skip
        self.detector.on_look(name, convert({**usual, **changed}, Look), self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall_s += seconds
        self.elapsed_s += seconds

    def block(self, *names: str, seconds: float = BLOCK_S) -> None:
        """Let a block come, which these endpoints see."""
        self.wait(seconds)
        self.number += 1
        for name in names or ("one",):
            self.look(name)

    def send(self) -> None:
        """Let the next block hold a transaction."""
        self.nonce += 1

    def assess(self) -> Assessment:
        return self.detector.assess(self.now)


def sent(at_s: float) -> Sent:
    return Sent(after_s=at_s - 1, until_s=at_s, count=1)
