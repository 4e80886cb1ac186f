"""Long seeded days: the state holds after every entry, and replicas never differ."""

from collections import Counter

import pytest
from tests.core.describing import describe
from tests.core.flow import Flow, opening

from seawall.core.invariants import check_spot
from seawall.core.machine import commit_spot
from seawall.core.snapshots import dump_spot, load_spot
from seawall.core.spot_state import SpotState
from seawall.core.state_digest import digest_spot
from seawall.lib.prng import Prng
from seawall.model.commands import (
    SpotCommand,
    SpotRecord,
    decode_spot_record,
    encode_record,
)
from seawall.model.events import BalanceChanged, CommandRejected, Event, Traded

ENTRIES = 500


def commit(state: SpotState, payload: bytes) -> list[Event]:
    record = decode_spot_record(payload)
    return commit_spot(
        state,
        record.command,
        sequence=state.sequence + 1,
        at_ns=record.at_ns,
        command_id=record.command_id,
    )


def check_order_of_events(events: list[Event]) -> None:
    kinds = [isinstance(event, BalanceChanged) for event in events]
    assert kinds == sorted(kinds), "balances come last"


def play(seed: int, entries: int, *, checked: bool) -> tuple[SpotState, list[bytes], Counter[str]]:
    """Return the state after a day, its journal, and how often each event happened."""
    state = SpotState()
    twin = SpotState()
    flow = Flow(seed, state)
    chance = Prng(seed + 1)
    journal: list[bytes] = []
    counted: Counter[str] = Counter()
    ahead = opening()
    while len(journal) < entries:
        command: SpotCommand = ahead.pop(0) if ahead else flow.next()
        at_ns = state.at_ns + flow.after_ns()
        payload = encode_record(SpotRecord(at_ns=at_ns, command=command))
        journal.append(payload)
        before = dump_spot(state) if checked else b""
        events = commit(state, payload)
        for event in events:
            counted[type(event).__name__] += 1
            if isinstance(event, CommandRejected):
                counted[event.reason] += 1
            if isinstance(event, Traded) and event.auction:
                counted["auction trade"] += 1
        if checked:
            check_spot(state)
            check_order_of_events(events)
            told = [describe(event) for event in events]
            assert [describe(event) for event in commit(twin, payload)] == told
            assert digest_spot(twin) == digest_spot(state)
            if chance.chance(1, 10):
                twin = load_spot(dump_spot(twin))
            if len(events) == 1 and isinstance(events[0], CommandRejected):
                unchanged = load_spot(before)
                unchanged.sequence, unchanged.at_ns = state.sequence, state.at_ns
                assert dump_spot(unchanged) == dump_spot(state), events[0].reason
    return state, journal, counted


@pytest.mark.parametrize("seed", range(8))
def test_a_long_day_holds_and_replays(seed: int) -> None:
    state, journal, counted = play(seed, ENTRIES, checked=True)
    replayed = SpotState()
    for payload in journal:
        commit(replayed, payload)
    assert digest_spot(replayed) == digest_spot(state)
    # A flow that stops trading tests nothing.
    assert counted["Traded"] > 50
    assert counted["CommandRejected"] < ENTRIES // 2
