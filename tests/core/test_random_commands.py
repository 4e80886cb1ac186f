"""Random commands of every kind: after each, the whole state holds; a twin never differs.

The twin is the same cell as another replica would have it: at times it is thrown away and loaded
from its snapshot.  At the end everything is replayed from the first entry.
"""

import os
import subprocess
import sys

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.core.command_strategies import commands, places
from tests.core.describing import describe
from tests.core.spot_desk import plain_instrument

from seawall.core.invariants import check_spot
from seawall.core.machine import commit_spot
from seawall.core.preview import preview_place_order
from seawall.core.snapshots import dump_spot, load_spot
from seawall.core.spot_state import SpotState
from seawall.core.state_digest import digest_spot
from seawall.model.commands import (
    Credit,
    Lead,
    ListAsset,
    ListMarket,
    PlaceOrder,
    SpotCommand,
    SpotRecord,
    decode_spot_record,
    encode_record,
)
from seawall.model.events import BalanceChanged, CommandRejected, Event, Traded
from seawall.model.ids import AssetCode, Epoch, UserId
from seawall.model.instruments import Asset

OPENING: list[SpotCommand] = [
    Lead(epoch=Epoch(1), node="test"),
    ListAsset(asset=Asset(code=AssetCode("A"), name="Apple", decimals=0)),
    ListAsset(asset=Asset(code=AssetCode("B"), name="Bean", decimals=0)),
    ListMarket(instrument=plain_instrument(max_algo_orders=6)),
    *[
        Credit(user_id=UserId(user), asset=AssetCode(code), atoms=atoms, reference="start")
        for user, wealth in ((1, 1_000), (2, 1_000), (3, 1_000), (4, 20))
        for code, atoms in (("A", wealth), ("B", 100 * wealth))
    ],
]


def commit(state: SpotState, record: SpotRecord) -> list[Event]:
    return commit_spot(
        state,
        record.command,
        sequence=state.sequence + 1,
        at_ns=record.at_ns,
        command_id=record.command_id,
    )


def told(events: list[Event]) -> list[str]:
    return [describe(event) for event in events]


class RandomCommands(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.state = SpotState()
        self.twin = SpotState()
        self.journal: list[bytes] = []

    @initialize()
    def open(self) -> None:
        for command in OPENING:
            self.run(command, 1_000, "")

    @rule(
        command=commands,
        after_ms=st.sampled_from([1, 1, 1, 700, 61_000]),
        command_id=st.sampled_from([""] * 18 + ["once", "twice"]),
    )
    def entry(self, command: SpotCommand, after_ms: int, command_id: str) -> None:
        self.run(command, after_ms, command_id)

    @rule()
    def load_twin(self) -> None:
        self.twin = load_spot(dump_spot(self.twin))
        check_spot(self.twin)

    @rule(command=places)
    def preview(self, command: PlaceOrder) -> None:
        """Ask how a placing would go: nothing changes, and it then goes so."""
        before = digest_spot(self.state)
        refusal = preview_place_order(self.state, command)
        assert digest_spot(self.state) == before
        replica = load_spot(dump_spot(self.state))
        record = SpotRecord(at_ns=replica.at_ns + 1, command=command)
        reasons = [e.reason for e in commit(replica, record) if isinstance(e, CommandRejected)]
        assert reasons == ([] if refusal is None else [refusal])

    def run(self, command: SpotCommand, after_ms: int, command_id: str) -> None:
        record = SpotRecord(
            at_ns=self.state.at_ns + after_ms * 1_000_000, command=command, command_id=command_id
        )
        payload = encode_record(record)
        self.journal.append(payload)
        before = dump_spot(self.state)
        collared = self.collars()
        events = commit(self.state, decode_spot_record(payload))
        check_spot(self.state)
        self._check_collars(events, collared)
        lines = told(events)
        assert told(commit(self.twin, decode_spot_record(payload))) == lines
        assert digest_spot(self.twin) == digest_spot(self.state)
        if len(events) == 1 and isinstance(events[0], CommandRejected):
            self._check_nothing_changed(before)
        kinds = [isinstance(event, BalanceChanged) for event in events]
        assert kinds == sorted(kinds), "balances come last"

    def collars(self) -> dict[str, tuple[int, int]]:
        return {
            market.symbol: (market.collar_ticks, market.collar_bps)
            for market in self.state.markets.values()
        }

    def _check_collars(self, events: list[Event], before: dict[str, tuple[int, int]]) -> None:
        """Outside of an uncross nothing trades beyond the collar in force."""
        now = self.collars()
        for event in events:
            if isinstance(event, Traded) and not event.auction:
                known = (before[event.symbol], now[event.symbol])
                assert any(
                    not ticks or not bps or abs(event.price_ticks - ticks) * 10_000 <= ticks * bps
                    for ticks, bps in known
                ), (event.price_ticks, known)

    def _check_nothing_changed(self, before: bytes) -> None:
        unchanged = load_spot(before)
        unchanged.sequence = self.state.sequence
        unchanged.at_ns = self.state.at_ns
        assert dump_spot(unchanged) == dump_spot(self.state)

    def teardown(self) -> None:
        replayed = SpotState()
        for payload in self.journal:
            commit(replayed, decode_spot_record(payload))
        assert digest_spot(replayed) == digest_spot(self.state)


RandomCommands.TestCase.settings = settings(
    max_examples=2_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 25,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestRandomCommands = RandomCommands.TestCase


DIGEST_PROGRAM = """
import sys
from seawall.core.machine import commit_spot
from seawall.core.spot_state import SpotState
from seawall.core.state_digest import digest_spot
from seawall.model.commands import decode_spot_record
from tests.core.describing import describe
state = SpotState()
for line in sys.stdin.buffer:
    record = decode_spot_record(line)
    events = commit_spot(state, record.command, sequence=state.sequence + 1, at_ns=record.at_ns,
        command_id=record.command_id)
    print(digest_spot(state), [describe(event) for event in events])
"""


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(commands, min_size=40, max_size=80))
def test_digests_and_events_do_not_depend_on_the_hash_seed(drawn: list[SpotCommand]) -> None:
    records = [
        encode_record(SpotRecord(at_ns=number * 1_000_000, command=command))
        for number, command in enumerate(OPENING + drawn, 1)
    ]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", DIGEST_PROGRAM],
            input=b"\n".join(records),
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "4021")
    }
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) == len(records)
