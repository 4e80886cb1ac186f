"""The throttle: a plain object, checked against a naive count."""

from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from seawall.gateway.errors import ApiError
from seawall.gateway.settings import ThrottleSettings
from seawall.gateway.throttle import Throttle

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

requests = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(1, 40),
        st.integers(0, 20 * SECOND),
    ),
    max_size=120,
)


def outcome(act: Callable[[], object]) -> int:
    """Return the status of an attempt; whoever is refused is told how long to wait."""
    refused: ApiError | None = None
    try:
        act()
    except ApiError as error:
        refused = error
    assert refused is None or refused.retry_after_s > 0
    return 200 if refused is None else refused.status


def attempt(throttle: Throttle, ip: str, weight: int, now_ns: int) -> int:
    """Return the status that a request gets."""
    return outcome(lambda: throttle.admit(ip, weight, now_ns))


@given(requests)
def test_a_minute_never_takes_more_than_its_weight(asked: list[tuple[str, int, int]]) -> None:
    throttle = Throttle(ThrottleSettings(weight_per_minute=100, ban_after_refusals=10_000))
    now_ns = 1_700_000_000 * SECOND
    naive: dict[tuple[str, int], int] = {}
    for ip, weight, wait_ns in asked:
        now_ns += wait_ns
        key = (ip, now_ns // MINUTE)
        naive[key] = naive.get(key, 0) + weight
        expected = 200 if naive[key] <= 100 else 429
        assert attempt(throttle, ip, weight, now_ns) == expected
        assert throttle.weight_used(ip, now_ns) == naive[key]


@given(requests)
def test_orders_are_counted_only_when_admitted(asked: list[tuple[str, int, int]]) -> None:
    throttle = Throttle(ThrottleSettings(orders_per_10_s=50, orders_per_day=300))
    now_ns = 1_700_000_000 * SECOND
    short: dict[tuple[str, int], int] = {}
    long: dict[tuple[str, int], int] = {}
    for name, count, wait_ns in asked:
        now_ns += wait_ns
        user = ord(name)
        ten, day = (name, now_ns // (10 * SECOND)), (name, now_ns // (86_400 * SECOND))
        fits = short.get(ten, 0) + count <= 50 and long.get(day, 0) + count <= 300
        status = outcome(partial(throttle.admit_orders, user, count, now_ns))
        assert status == (200 if fits else 429)
        if fits:
            short[ten] = short.get(ten, 0) + count
            long[day] = long.get(day, 0) + count
        assert throttle.orders_used(user, now_ns) == (short.get(ten, 0), long.get(day, 0))


def test_who_does_not_listen_is_banned_ever_longer() -> None:
    settings = ThrottleSettings(
        weight_per_minute=10, ban_after_refusals=3, ban_s=120, ban_s_max=400
    )
    throttle = Throttle(settings)
    now_ns = 1_700_000_040 * SECOND
    for length_s in (120, 240, 400, 400):
        statuses = [attempt(throttle, "a", 10, now_ns) for _ in range(6)]
        assert statuses == [200, 429, 429, 429, 418, 418]
        assert attempt(throttle, "b", 1, now_ns) == 200
        assert attempt(throttle, "a", 1, now_ns + length_s * SECOND - 1) == 418
        now_ns += (length_s // 60 + 1) * MINUTE
        assert attempt(throttle, "b", 1, now_ns) == 200


def test_raw_requests_count_whatever_they_weigh() -> None:
    throttle = Throttle(ThrottleSettings(requests_per_5_minutes=5))
    now_ns = 1_700_000_000 * SECOND
    assert [attempt(throttle, "a", 0, now_ns) for _ in range(7)] == [200] * 5 + [429] * 2


@given(st.integers(1, 50), st.integers(0, 400))
def test_memory_is_bounded_whoever_comes(most: int, callers: int) -> None:
    throttle = Throttle(
        ThrottleSettings(weight_per_minute=1, ban_after_refusals=0, addresses_max=most)
    )
    now_ns = 1_700_000_000 * SECOND
    for number in range(callers):
        attempt(throttle, f"10.0.{number >> 8}.{number & 255}", 2, now_ns)
    for window in (throttle._weight, throttle._requests, throttle._refusals):
        assert len(window) <= most + 1
    assert len(throttle._banned_until_ns) <= most
    assert len(throttle._offences) <= most


def test_a_first_fill_counts_one_less_in_each_window_but_never_below_zero() -> None:
    throttle = Throttle(ThrottleSettings(orders_per_10_s=3))
    throttle.admit_orders(1, 3, 0)
    throttle.order_filled(1, SECOND)
    throttle.order_filled(2, SECOND)
    assert (throttle.orders_used(1, SECOND), throttle.orders_used(2, SECOND)) == ((2, 2), (0, 0))
    # What was placed in one window and fills in the next takes from the next one's count.
    throttle.admit_orders(1, 1, 11 * SECOND)
    for _ in range(3):
        throttle.order_filled(1, 12 * SECOND)
    assert throttle.orders_used(1, 12 * SECOND) == (0, 0)
    throttle.admit_orders(1, 3, 13 * SECOND)
    assert throttle.orders_used(1, 13 * SECOND) == (3, 3)


def test_a_clock_that_jumps_back_locks_nobody_out() -> None:
    throttle = Throttle(ThrottleSettings(weight_per_minute=10))
    assert attempt(throttle, "a", 10, 1_700_000_600 * SECOND) == 200
    assert attempt(throttle, "a", 10, 1_700_000_000 * SECOND) == 200
