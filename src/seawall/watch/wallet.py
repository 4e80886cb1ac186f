"""Watches one wallet through its endpoints: asks, and brings the answers to the detector.

The rule: an endpoint that hangs holds up only its own loop.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from seawall.watch.activity import WEEK_S, Sent
from seawall.watch.backfill import Sample, last_sent, read_past, read_span
from seawall.watch.chain_silence import THRESHOLD, WEEKS, Assessment, Detector, Reason
from seawall.watch.moved import Moved, describe
from seawall.watch.pulse import Look, Moment
from seawall.watch.rpc import ANSWER_S, Chain, PrunedError, Rpc, RpcError, gather

POLL_MIN_S: Final = 1.0
POLL_MOST_S: Final = 10.0
RETRY_S: Final = 5.0
LEARN_TRIES: Final = 3
NEWEST_BLOCKS: Final = 20
DELEGATION: Final = "0xef0100"
"""Code of an account that is still moved by its own transactions (EIP-7702)."""


class WatchError(Exception):
    """A wallet that cannot be watched; the message says why."""


class WatchSettings(Struct, frozen=True, kw_only=True):
    wallet: str
    """With its checksum."""
    urls: tuple[str, ...]
    threshold: float = THRESHOLD
    weeks: int = WEEKS


class History(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the watch has learned from."""

    since_s: float | None
    transactions: int
    active_bins: int
    archive: bool | None
    """False: no endpoint keeps old state; only what was seen since, and the newest blocks."""
    progress: float
    trouble: str


class Report(Struct, frozen=True, kw_only=True, rename="camel"):
    """All of it at one moment, as `/api/wallet` answers."""

    wallet: str
    chain_id: int | None
    at_s: float
    assessment: Assessment
    last: Moved | None
    history: History
    profile: tuple[float, ...] | None
    """Transactions expected per hour, from Monday's first hour in UTC."""


class WalletWatch:
    """One wallet."""

    def __init__(
        self,
        settings: WatchSettings,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._chains = {chain.name: chain for chain in _chains(settings)}
        self.detector = Detector(self._chains, threshold=settings.threshold, weeks=settings.weeks)
        self._wall = wall
        self._elapsed = elapsed
        self._chain_id: int | None = None
        self._checked: set[str] = set()
        self._last: Moved | None = None
        self._archive: bool | None = None
        self._progress = 0.0
        self._trouble = ""
        self._known: Sample | None = None
        """The newest block up to which all is accounted for."""
        self._search: _Search | None = None

    async def close(self) -> None:
        for chain in self._chains.values():
            await chain.rpc.close()

    def now(self) -> Moment:
        return Moment(wall_s=self._wall(), elapsed_s=self._elapsed())

    def report(self) -> Report:
        """Return what is known now."""
        activity = self.detector.activity
        rates = activity.rates()
        return Report(
            wallet=self.settings.wallet,
            chain_id=self._chain_id,
            at_s=self._wall(),
            assessment=self.detector.assess(self.now()),
            last=self._last,
            history=History(
                since_s=activity.since_s,
                transactions=activity.transactions,
                active_bins=activity.active_bins,
                archive=self._archive,
                progress=self._progress,
                trouble=self._trouble,
            ),
            profile=None if rates is None else tuple(round(each, 3) for each in rates.per_hour),
        )

    # Once

    async def once(self) -> Report:
        """Look at every endpoint, read the past, look again, and report."""
        await self._look_at_all()
        for _ in range(LEARN_TRIES):
            if self.detector.assess(self.now()).reason is not Reason.LEARNING:
                break
            await self.learn()
        await self._look_at_all()
        await self.catch_up()
        return self.report()

    async def _look_at_all(self) -> None:
        await gather(self.look(name) for name in self._chains)

    # For as long as it is wanted

    async def run(self) -> None:
        """Watch until canceled; raise WatchError where this wallet cannot be watched."""
        await gather([*(self._follow(name) for name in self._chains), self._keep_up()])

    async def _follow(self, name: str) -> None:
        while True:
            await self.look(name)
            interval_s = self.detector.pulses[name].interval_s
            await asyncio.sleep(min(max(interval_s / 2, POLL_MIN_S), POLL_MOST_S))

    async def _keep_up(self) -> None:
        while True:
            if self.detector.assess(self.now()).reason is Reason.LEARNING:
                await self.learn()
            await self.catch_up()
            await asyncio.sleep(RETRY_S if self._trouble else POLL_MIN_S)

    # Steps

    async def look(self, name: str) -> None:
        """Ask one endpoint for its head."""
        chain = self._chains[name]
        try:
            async with asyncio.timeout(ANSWER_S):
                if name not in self._checked:
                    await self._check(chain)
                look = await chain.look()
        except TimeoutError:
            self.detector.on_trouble(name, f"no answer in {ANSWER_S:g} s")
        except RpcError as error:
            self.detector.on_trouble(name, str(error))
        else:
            self.detector.on_look(name, look, self.now())

    async def _check(self, chain: Chain) -> None:
        """Ask an endpoint once whether it is what it should be."""
        chain_id = await chain.chain_id()
        if self._chain_id not in {None, chain_id}:
            raise WatchError(
                f"{chain.name} serves chain {chain_id}, the other endpoint {self._chain_id}."
            )
        code = await chain.code()
        if code != "0x" and not code.startswith(DELEGATION):
            raise WatchError(
                f"{self.settings.wallet} is a contract: its nonce does not count what it pays."
            )
        head = (await chain.look()).number
        first = max(head - NEWEST_BLOCKS, min(1, head))
        self.detector.pulses[chain.name].learn(await chain.times(range(first, head + 1)))
        self._chain_id = chain_id
        self._checked.add(chain.name)

    async def learn(self) -> None:
        """Read the past through the endpoint with the newest head."""
        chosen = self._best()
        if chosen is None:
            return
        chain, look = chosen
        head = _sample(look)
        with self._told():
            since_s = look.at_s - self.settings.weeks * WEEK_S
            past = await read_past(chain, head, since_s, self._set_progress)
            self._archive = past.archive
            self._known = head
            self.detector.on_history(past.since_s, look.nonce, past.sent)
            self._search = _Search(low=0, high=head, block=past.last_block)
            if not past.archive and past.last_block is None:
                self._search = None
            await self._find_last(chain)

    async def catch_up(self) -> None:
        """Find out when the nonce moved, if it did, and what the last transaction was."""
        name = self.detector.wanted(self.now())
        with self._told():
            if name is not None:
                await self._account_for(name)
            elif (chosen := self._best()) is not None:
                chain, look = chosen
                if self._known is not None and look.nonce == self._known.nonce:
                    self._known = _sample(look)
                await self._find_last(chain)

    async def _account_for(self, name: str) -> None:
        chain, look, known = self._chains[name], self.detector.pulses[name].look, self._known
        if look is None:
            return
        high = _sample(look)
        low = 0
        sent: Sequence[Sent] = ()
        # A lower nonce: a reorganisation took the last transaction back.
        if known is not None and look.nonce > known.nonce and look.number > known.number:
            low = known.number
            try:
                sent = await read_span(chain, known, high, _nobody)
            except PrunedError:
                count = look.nonce - known.nonce
                sent = (Sent(after_s=known.at_s, until_s=high.at_s, count=count),)
        self.detector.on_sent(look.nonce, sent)
        self._known = high
        self._search = _Search(low=low, high=high, block=None)
        await self._find_last(chain)

    async def _find_last(self, chain: Chain) -> None:
        """Find the block of the last transaction, and what that moved; try again after trouble."""
        search = self._search
        if search is None:
            return
        try:
            block = search.block
            if block is None and search.high.nonce:
                block = await last_sent(chain, search.low, search.high)
            if block is not None:
                at_s, sent = await chain.transactions(block)
                if sent:
                    self.detector.on_last(at_s)
                    self._last = await describe(
                        chain, sent[-1], at_s=at_s, chain_id=self._chain_id or 0
                    )
        except PrunedError:
            # What is not kept cannot be found; the time is known as closely as heads came.
            pass
        self._search = None

    def _best(self) -> tuple[Chain, Look] | None:
        """Return the endpoint with the newest head."""
        looks = [
            (pulse.look.number, name, pulse.look)
            for name, pulse in self.detector.pulses.items()
            if pulse.look is not None
        ]
        if not looks:
            return None
        _, name, look = max(looks, key=lambda each: each[0])
        return self._chains[name], look

    def _set_progress(self, share: float) -> None:
        self._progress = share

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Keep trouble for the report; the step is done again later."""
        try:
            yield
        except RpcError as error:
            self._trouble = str(error)
        else:
            self._trouble = ""


class _Search(Struct, frozen=True, kw_only=True):
    """Where the last transaction is: in a block, or in those after `low` and up to `high`."""

    low: int
    high: Sample
    block: int | None


def _chains(settings: WatchSettings) -> list[Chain]:
    found: list[Chain] = []
    for url in settings.urls:
        rpc = Rpc(url)
        same = sum(chain.name.split(" ")[0] == rpc.name for chain in found)
        if same:
            rpc.name += f" ({same + 1})"
        found.append(Chain(rpc, settings.wallet))
    return found


def _sample(look: Look) -> Sample:
    return Sample(number=look.number, at_s=look.at_s, nonce=look.nonce)


def _nobody(_share: float) -> None:
    """Report progress to nobody."""
