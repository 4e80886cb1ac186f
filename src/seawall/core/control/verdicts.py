"""How each dependency is, by quorum of independent witnesses.  The rule: unknown is never healthy,
worse comes soon, and better comes late.

A witness is a provider: its watchers together have one voice, and none if they contradict each
other.  Only probes and what the exchange knows of itself count; feeds, venues, chains and users
are told as explanation.  The damping is in three questions, each with its own time: is it anything
but well, is it in trouble, is it down?  Each turns to yes after a short while, and to no after
`ok_after_s` of no: so whatever witnesses do, a verdict changes at most six times in that time.
"""

from typing import Final

from seawall.core.control.reports import word_key
from seawall.core.control.runbook import terms_of
from seawall.core.control.state import ControlState
from seawall.model.control_events import VerdictChanged
from seawall.model.control_rows import Verdict, Word
from seawall.model.events import Event
from seawall.model.runbook import DependencyTerms
from seawall.model.signals import DECIDING
from seawall.model.watch_facts import Health

SECOND_NS: Final = 1_000_000_000

RANKS: Final = (Health.OK, Health.UNKNOWN, Health.DEGRADED, Health.DOWN)
"""What a verdict may be, from the lightest."""

Votes = dict[str, Health]
"""What each provider's witness says."""

Keys = tuple[str, ...]
"""Under which one watcher's words stand, those that count."""


def judge(state: ControlState, events: list[Event]) -> None:
    """Bring all verdicts up to this entry; tell those that changed."""
    witnesses: dict[str, list[Keys]] = {}
    for watcher in state.book.watchers.values():
        keys = tuple([word_key(watcher.watcher, kind) for kind in DECIDING])
        witnesses.setdefault(watcher.provider, []).append(keys)
    fresh_from_ns = state.at_ns - state.runbook.signals.fresh_s * SECOND_NS
    for name, verdict in state.book.verdicts.items():
        terms = state.terms.get(name)
        if terms is None:
            terms = terms_of(state.runbook, name) or DependencyTerms(name=name)
            state.terms[name] = terms
        votes = {
            provider: _voice(verdict.words, watchers, fresh_from_ns)
            for provider, watchers in witnesses.items()
        }
        changed = _update(state, verdict, terms, _most(votes, terms.quorum))
        # Why it came to be so; and while nothing is known, what is missing now.
        if changed or verdict.health is Health.UNKNOWN:
            verdict.reason = _reason(verdict, votes, terms.quorum, fresh_from_ns)
        if changed:
            events.append(VerdictChanged(name, verdict))


def healthy_ns(state: ControlState, dependency: str) -> int:
    """Return for how long the verdict has been that all is well; 0 if it is anything else."""
    verdict = state.book.verdicts.get(dependency)
    if verdict is None or verdict.health is not Health.OK:
        return 0
    return state.at_ns - verdict.since_ns


def _voice(words: dict[str, Word], watchers: list[Keys], fresh_from_ns: int) -> Health:
    """Return what the watchers at one provider say together."""
    said = [_says(words, keys, fresh_from_ns) for keys in watchers]
    if Health.OK in said:
        contradicted = Health.DOWN in said or Health.DEGRADED in said
        return Health.UNKNOWN if contradicted else Health.OK
    if Health.DEGRADED in said:
        return Health.DEGRADED
    return Health.DOWN if Health.DOWN in said else Health.UNKNOWN


def _says(words: dict[str, Word], keys: Keys, fresh_from_ns: int) -> Health:
    """Return the gravest of one watcher's fresh words that count."""
    worst: Health | None = None
    for key in keys:
        word = words.get(key)
        if word is None or word.at_ns < fresh_from_ns:
            continue
        # A probe cannot see planned work: whoever reports it so knows nothing of how it is.
        said = word.health if word.health is not Health.MAINTENANCE else Health.UNKNOWN
        if worst is None or RANKS.index(said) > RANKS.index(worst):
            worst = said
    return worst or Health.UNKNOWN


def _most(votes: Votes, quorum: int) -> Health:
    """Return what a quorum says; trouble before health, where it says both."""
    said = list(votes.values())
    down = said.count(Health.DOWN)
    if down >= quorum:
        return Health.DOWN
    if down + said.count(Health.DEGRADED) >= quorum:
        return Health.DEGRADED
    return Health.OK if said.count(Health.OK) >= quorum else Health.UNKNOWN


def _update(state: ControlState, verdict: Verdict, terms: DependencyTerms, most: Health) -> bool:
    """Take what most say now; return whether the verdict is another."""
    if most is verdict.health:
        verdict.doubted_ns = verdict.troubled_ns = verdict.downed_ns = 0
        verdict.pending = Health.UNKNOWN
        verdict.pending_ns = 0
        return False
    _note_pending(state, verdict, most)
    was = RANKS.index(verdict.health)
    now = RANKS.index(most)
    verdict.doubted_ns = _differ_ns(state, verdict.doubted_ns, 1, was, now)
    verdict.troubled_ns = _differ_ns(state, verdict.troubled_ns, 2, was, now)
    verdict.downed_ns = _differ_ns(state, verdict.downed_ns, 3, was, now)
    ok_ns = terms.ok_after_s * SECOND_NS
    down_ns = terms.down_after_s * SECOND_NS
    doubt_ns = state.runbook.signals.fresh_s * SECOND_NS
    rank = 0
    for level, since_ns, worse_ns in (
        (1, verdict.doubted_ns, doubt_ns),
        (2, verdict.troubled_ns, down_ns),
        (3, verdict.downed_ns, down_ns),
    ):
        yes = was >= level
        if since_ns and state.at_ns - since_ns >= (ok_ns if yes else worse_ns):
            yes = not yes
        if yes:
            rank = level
    if rank == was:
        return False
    verdict.health = RANKS[rank]
    verdict.since_ns = state.at_ns
    # Each question that is still open keeps its time; the others begin anew.
    verdict.doubted_ns = _differ_ns(state, verdict.doubted_ns, 1, rank, now)
    verdict.troubled_ns = _differ_ns(state, verdict.troubled_ns, 2, rank, now)
    verdict.downed_ns = _differ_ns(state, verdict.downed_ns, 3, rank, now)
    _note_pending(state, verdict, most)
    return True


def _note_pending(state: ControlState, verdict: Verdict, most: Health) -> None:
    """Keep, for people, what the verdict may become and since when."""
    if most is verdict.health:
        verdict.pending = Health.UNKNOWN
        verdict.pending_ns = 0
    elif not verdict.pending_ns or verdict.pending is not most:
        verdict.pending = most
        verdict.pending_ns = state.at_ns


def _differ_ns(state: ControlState, since_ns: int, level: int, was: int, now: int) -> int:
    """Return since when what most say answers the level's question otherwise than the verdict."""
    if (was >= level) == (now >= level):
        return 0
    return since_ns or state.at_ns


def _reason(verdict: Verdict, votes: Votes, quorum: int, fresh_from_ns: int) -> str:
    """Say who says what, and who else tells of it."""
    if len(votes) < quorum:
        return f"{len(votes)} witnesses are registered, and {quorum} must agree"
    parts = []
    for health in reversed(RANKS):
        named = [provider for provider, said in votes.items() if said is health]
        if named:
            parts.append(f"{health.value} by {', '.join(named)}")
    told = [
        f"{word.kind.value} of {key.partition('|')[0]}: {word.health.value}"
        + (f", {word.detail}" if word.detail else "")
        for key, word in verdict.words.items()
        if word.kind not in DECIDING
        and word.health is not Health.OK
        and word.at_ns >= fresh_from_ns
    ]
    return "; ".join([*parts, f"{quorum} must agree", *told])
