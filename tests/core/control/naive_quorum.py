"""The rule of verdicts, by the letter.  The rule: it keeps all that was said, and looks at it anew.

Slow on purpose and written without the core: a report is accepted by its number and clocks, a
witness is a provider, and each of the three questions turns when all entries for long enough
answered it otherwise.
"""

from seawall.model.watch_facts import Health

SECOND_NS = 1_000_000_000
LEVELS = [Health.OK, Health.UNKNOWN, Health.DEGRADED, Health.DOWN]


class Said:
    def __init__(self, watcher: str, health: Health, at_ns: int) -> None:
        self.watcher = watcher
        self.health = health
        self.at_ns = at_ns


class NaiveQuorum:
    """One dependency, and all that was ever said of it."""

    def __init__(
        self, *, quorum: int, fresh_s: int, skew_s: int, down_after_s: int, ok_after_s: int
    ) -> None:
        self.quorum = quorum
        self.fresh_ns = fresh_s * SECOND_NS
        self.skew_ns = skew_s * SECOND_NS
        self.worse_ns = [0, self.fresh_ns, down_after_s * SECOND_NS, down_after_s * SECOND_NS]
        self.better_ns = ok_after_s * SECOND_NS
        self.providers: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.said: list[Said] = []
        self.timeline: list[tuple[int, int]] = []
        """(moment, level that most say) of each entry."""
        self.answers = [True, True, False, False]
        """Whether the verdict is at least each level; unknown to begin with."""

    def register(self, watcher: str, provider: str) -> None:
        self.providers[watcher] = provider

    def remove(self, watcher: str) -> None:
        del self.providers[watcher]
        self.numbers.pop(watcher, None)
        self.said = [said for said in self.said if said.watcher != watcher]

    def accepts(self, watcher: str, number: int, observed_ns: int, at_ns: int) -> bool:
        return (
            watcher in self.providers
            and number > self.numbers.get(watcher, 0)
            and abs(observed_ns - at_ns) <= self.skew_ns
            and number <= at_ns + self.skew_ns
        )

    def report(
        self, watcher: str, number: int, observed_ns: int, at_ns: int, health: Health | None
    ) -> None:
        """Take a report; None says nothing of the dependency that counts."""
        if self.accepts(watcher, number, observed_ns, at_ns):
            self.numbers[watcher] = number
            if health is not None:
                self.said.append(Said(watcher, health, min(observed_ns, at_ns)))

    def vote(self, provider: str, at_ns: int) -> Health:
        last: dict[str, Said] = {
            said.watcher: said for said in self.said if self.providers.get(said.watcher) == provider
        }
        voices = [said.health for said in last.values() if at_ns - said.at_ns <= self.fresh_ns]
        trouble = [health for health in voices if health in {Health.DEGRADED, Health.DOWN}]
        if trouble and Health.OK in voices:
            return Health.UNKNOWN
        if trouble:
            return Health.DEGRADED if Health.DEGRADED in trouble else Health.DOWN
        return Health.OK if Health.OK in voices else Health.UNKNOWN

    def judge(self, at_ns: int) -> Health:
        """Return the verdict at this entry."""
        votes = [self.vote(name, at_ns) for name in dict.fromkeys(self.providers.values())]
        if len([vote for vote in votes if vote is Health.DOWN]) >= self.quorum:
            level = 3
        elif len([vote for vote in votes if LEVELS.index(vote) >= 2]) >= self.quorum:
            level = 2
        else:
            level = 0 if votes.count(Health.OK) >= self.quorum else 1
        self.timeline.append((at_ns, level))
        turned = [self._answer(question, at_ns) for question in range(4)]
        verdict = max(question for question in range(4) if turned[question])
        self.answers = [question <= verdict for question in range(4)]
        return LEVELS[verdict]

    def _answer(self, question: int, at_ns: int) -> bool:
        """Return the answer now, turned if for long enough all entries gave the other."""
        now = self.answers[question]
        since_ns = None
        for moment_ns, level in reversed(self.timeline):
            if (level >= question) == now:
                break
            since_ns = moment_ns
        wait_ns = self.better_ns if now else self.worse_ns[question]
        return not now if since_ns is not None and at_ns - since_ns >= wait_ns else now
