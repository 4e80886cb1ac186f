"""Secrets at rest: they open where they were sealed, and nowhere else."""

import stat
from pathlib import Path

import pytest
from tests.gateway.exchange import Exchange, User, open_exchange

from seawall.gateway.sealing import Sealer, SealError, key_owner


def test_a_sealed_secret_opens_for_its_owner_only(tmp_path: Path) -> None:
    sealer = Sealer.open(tmp_path / "secrets" / "master.key")
    sealed = sealer.seal("hush", key_owner(1, "k"))
    assert "hush" not in sealed
    assert sealer.unseal(sealed, key_owner(1, "k")) == "hush"
    for owner in (key_owner(2, "k"), key_owner(1, "l"), ""):
        with pytest.raises(SealError):
            sealer.unseal(sealed, owner)


def test_the_same_secret_seals_differently_each_time(tmp_path: Path) -> None:
    sealer = Sealer.open(tmp_path / "master.key")
    assert sealer.seal("hush", "o") != sealer.seal("hush", "o")


def test_damage_and_another_master_key_are_named(tmp_path: Path) -> None:
    sealer = Sealer.open(tmp_path / "one.key")
    other = Sealer.open(tmp_path / "two.key")
    sealed = sealer.seal("hush", "o")
    flipped = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    for wrong in (flipped, sealed[:30], "v2" + sealed[2:], "", "v1..", "v1.x.!!"):
        with pytest.raises(SealError):
            sealer.unseal(wrong, "o")
    with pytest.raises(SealError, match="master key"):
        other.unseal(sealed, "o")


def test_the_master_key_is_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "master.key"
    first = Sealer.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Sealer.open(path).unseal(first.seal("hush", "o"), "o") == "hush"
    path.write_text("not a key")
    with pytest.raises(SealError):
        Sealer.open(path)


def files_with(folder: Path, text: bytes) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if text in path.read_bytes()]


async def test_no_secret_reaches_the_disk_in_clear_and_keys_outlive_a_restart(
    tmp_path: Path,
) -> None:
    async with open_exchange(tmp_path) as first:
        made = await first.add_user("alice", USDT="10")
    assert files_with(tmp_path, made.api_key.encode()) != []
    assert files_with(tmp_path, made.secret.encode()) == []
    async with open_exchange(tmp_path) as second:
        again: Exchange = second
        user = User("alice", made.api_key, made.secret)
        again.clock.advance(1_000_000_000)
        answer = await again.signed("GET", "/api/v3/account", user, omitZeroBalances="true")
        assert answer.json()["balances"] == [
            {"asset": "USDT", "free": "10.00000000", "locked": "0.00000000"}
        ]
