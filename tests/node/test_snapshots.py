"""Snapshot files: a file that is not whole, in any way, is refused by name and changes no cell."""

from pathlib import Path

import pytest
from tests.node.toy import toy_cell

from seawall.lib.prng import Prng
from seawall.node import snapshots
from seawall.node.snapshots import Snapshot, SnapshotError

CHAIN_HASH = bytes(range(32))


@pytest.fixture
def snapshot() -> Snapshot:
    cell = toy_cell()
    cell.state.sequence, cell.state.at_ns, cell.state.epoch = 77, 5_000, 3
    return snapshots.take(cell, CHAIN_HASH, b"what the views remember")


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path, snapshot: Snapshot) -> None:
    path = snapshots.write(tmp_path, snapshot)
    assert path.name == "toy-77.snap"
    found = snapshots.read(path)
    assert found == snapshot
    cell = toy_cell()
    snapshots.load(cell, found, CHAIN_HASH)
    assert cell.state.sequence == 77
    assert [child.name for child in tmp_path.iterdir()] == ["toy-77.snap"], "nothing partial"


@pytest.mark.parametrize("chain_hash", [None, bytes(32)], ids=["past the end", "another"])
def test_the_journal_must_have_its_hash(snapshot: Snapshot, chain_hash: bytes | None) -> None:
    cell = toy_cell()
    before = cell.state
    with pytest.raises(SnapshotError, match="another hash at 77"):
        snapshots.load(cell, snapshot, chain_hash)
    assert cell.state is before


def test_the_digest_is_of_what_was_loaded(snapshot: Snapshot) -> None:
    cell = toy_cell(digest=lambda state: "not what it says")
    before = cell.state
    with pytest.raises(SnapshotError, match="digest"):
        snapshots.load(cell, snapshot, CHAIN_HASH)
    assert cell.state is before


def test_every_flipped_bit_and_every_cut_is_refused(tmp_path: Path, snapshot: Snapshot) -> None:
    whole = snapshots.write(tmp_path, snapshot).read_bytes()
    path = tmp_path / "toy-77.snap"
    random = Prng(3)
    broken = [whole[:length] for length in range(0, len(whole), 3)]
    for offset in range(len(whole)):
        changed = bytearray(whole)
        changed[offset] ^= 1 << random.below(8)
        broken.append(bytes(changed))
    for data in broken:
        path.write_bytes(data)
        cell = toy_cell()
        before = cell.state
        with pytest.raises(SnapshotError):
            snapshots.load(cell, snapshots.read(path), CHAIN_HASH)
        assert cell.state is before


def test_the_newest_two_are_kept_and_other_files_left_alone(tmp_path: Path) -> None:
    others = ["toy-x.snap", "other-1.snap", "toy-5.partial"]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    for sequence in (9, 10, 100, 99):
        cell = toy_cell()
        cell.state.sequence = sequence
        snapshots.write(tmp_path, snapshots.take(cell, CHAIN_HASH, b""))
    kept = [path.name for path in snapshots.newest_first(tmp_path, "toy")]
    assert kept == ["toy-100.snap", "toy-99.snap"]
    assert {path.name for path in tmp_path.iterdir()} == {*kept, *others}
