"""A leader takes no origin twice, whatever it has forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.node import taken as module
from seawall.node.taken import Taken


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 60)), max_size=200))
def test_nothing_is_taken_twice_however_much_is_forgotten(sent: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "REMEMBERED", 4)
        taken, took = Taken(), []
        for life, count in sent:
            origin = f"amber.{life}.{count}"
            if origin not in taken:
                taken.add(origin)
                took.append(origin)
        assert len(took) == len(set(took))


def test_in_order_everything_is_taken() -> None:
    taken = Taken()
    for count in range(1, 3 * module.REMEMBERED, 3):
        assert f"amber.1.{count}" not in taken
        taken.add(f"amber.1.{count}")
    taken.clear()
    assert "amber.1.1" not in taken


@pytest.mark.parametrize("origin", ["", "amber", "amber.x", ".1", "amber.life.\u0661"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        assert origin in Taken()
