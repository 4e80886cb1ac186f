"""The ground: digests that tell states apart, numbers that never change."""

from hypothesis import given
from hypothesis import strategies as st
from tests.texts import CHARACTERS

from seawall.lib.digest import Digest
from seawall.lib.prng import Prng

parts = st.lists(
    st.one_of(st.integers(), st.text(CHARACTERS, max_size=5), st.lists(st.integers(), max_size=3))
)


def digest_of(values: list[int | str | list[int]]) -> str:
    digest = Digest()
    for value in values:
        if isinstance(value, int):
            digest.integer(value)
        elif isinstance(value, str):
            digest.text(value)
        else:
            digest.integers(value)
    return digest.hexdigest()


@given(one=parts, other=parts)
def test_digests_are_equal_exactly_if_the_parts_are(
    one: list[int | str | list[int]], other: list[int | str | list[int]]
) -> None:
    assert (digest_of(one) == digest_of(other)) == (one == other)


def test_parts_cannot_be_shifted_into_each_other() -> None:
    alike: list[list[int | str | list[int]]] = [
        ["ab", "c"], ["a", "bc"], ["abc"], [1, 2], [12], [[1, 2]], [[1], [2]], [[], [1, 2]], ["1"],
    ]  # fmt: skip
    assert len({digest_of(values) for values in alike}) == len(alike)


def test_a_seed_gives_the_published_numbers_for_ever() -> None:
    # Vigna's reference implementation, seed 1234567.
    prng = Prng(1_234_567)
    assert [prng.bits64() for _ in range(3)] == [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
    ]


@given(seed=st.integers(), bound=st.integers(1, 2**64))
def test_numbers_stay_below_their_bound(seed: int, bound: int) -> None:
    prng = Prng(seed)
    assert all(0 <= prng.below(bound) < bound for _ in range(5))
    assert 3 <= prng.between(3, 9) <= 9


def test_all_faces_of_a_die_come_up_and_forks_differ() -> None:
    prng = Prng(1)
    assert {prng.between(1, 6) for _ in range(100)} == {1, 2, 3, 4, 5, 6}
    assert prng.fork().bits64() != prng.fork().bits64()
    assert prng.choice(["only"]) == "only"
    assert prng.chance(1, 1)
    assert not prng.chance(0, 1)
