"""The fuzz targets hold on chosen nasty inputs and on what Hypothesis makes of them."""

from pathlib import Path

import pytest
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.lib.invariants import InvariantError

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"


def seeds(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_a_program_and_a_corpus_that_holds(name: str) -> None:
    assert (CORPUS.parent / f"fuzz_{name}.py").is_file()
    found = seeds(name)
    assert len(found) >= 5
    for data in found:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_targets_hold_on_garbage_and_on_bent_seeds(name: str) -> None:
    base = seeds(name)

    @given(
        data=st.binary(max_size=200)
        | st.builds(
            lambda seed, at, cut, put: (
                seed[: at % (len(seed) + 1)] + put + seed[at % (len(seed) + 1) + cut :]
            ),
            st.sampled_from(base),
            st.integers(0, 1_000),
            st.integers(0, 8),
            st.binary(max_size=6) | st.sampled_from([b"NaN", b"1e9", b"-1", b"9" * 40, b"null"]),
        )
    )
    @settings(deadline=None)
    def holds(data: bytes) -> None:
        TARGETS[name](data)

    holds()


def test_a_target_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    from fuzz import targets

    monkeypatch.setattr(targets, "parse_decimal", lambda text, _places: len(text))
    with pytest.raises(InvariantError, match="a decimal is read exactly"):
        targets.decimals(b"\x0212")
