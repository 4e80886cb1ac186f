"""What a sealer saw, as numbers; nothing is made up where it saw nothing."""

from prometheus_client.metrics_core import Metric

from seawall.journal.sealing import CellState, MemberState, StoreState
from seawall.node.store_metrics import store_families

STATE = StoreState(
    cells=(CellState(cell="spot", head=100, newest=95, oldest=41, ends=(60, 80)),),
    members=(
        MemberState(
            endpoint="amber:2379",
            member_id=1,
            is_leader=True,
            file_bytes=900,
            used_bytes=300,
            is_full=True,
        ),
    ),
    members_expected=3,
    revision=7,
    compacted=0,
    forgotten=False,
)


class _Sealer:
    def __init__(self, state: StoreState | None) -> None:
        self.state = state
        self.segments = 2
        self.faults = 1


def _values(families: list[Metric]) -> dict[str, float]:
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_a_sealers_last_look_is_told() -> None:
    assert _values(list(store_families(_Sealer(STATE), 1_000))) == {
        "seawall_store_bytes": 900,
        "seawall_store_used_bytes": 300,
        "seawall_store_full": 1,
        "seawall_store_quota_bytes": 1_000,
        "seawall_store_kept_entries": 60,
        "seawall_archived_entries": 80,
        "seawall_archived_segments_total": 2,
        "seawall_sealing_faults_total": 1,
    }


def test_before_the_first_look_there_are_no_sizes() -> None:
    assert set(_values(list(store_families(_Sealer(None), 1_000)))) == {
        "seawall_store_quota_bytes",
        "seawall_archived_segments_total",
        "seawall_sealing_faults_total",
    }
