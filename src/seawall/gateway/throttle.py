"""How much one caller may ask.  The rule: sans-I/O, and memory bounded whatever callers do.

Fixed windows, aligned to the clock, as Binance counts: request weight and raw requests per
address, unfilled orders per account.  All counters of a window end with it, so forgetting is free.
"""

from typing import Final

from seawall.gateway.errors import BANNED, TOO_MANY, ApiError
from seawall.gateway.settings import ThrottleSettings

_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND
_FIVE_MINUTES: Final = 5 * _MINUTE
_TEN_SECONDS: Final = 10 * _SECOND
_DAY: Final = 86_400 * _SECOND
_OTHERS: Final = "others"
"""Counts for all addresses past the most that are counted apart."""
_WEIGHT: Final = (
    "Too much request weight used; current limit is %d request weight per 1 MINUTE."
    " Please use WebSocket Streams for live updates to avoid polling the API."
)
_REQUESTS: Final = "Too many requests; current limit is %d requests per 5 MINUTE."


class Window:
    """Counts per name in the present window."""

    __slots__ = ("_counts", "_ends_ns", "_length_ns", "_names_max")

    def __init__(self, length_ns: int, names_max: int) -> None:
        self._length_ns = length_ns
        self._names_max = names_max
        self._ends_ns = 0
        self._counts: dict[str | int, int] = {}

    def add(self, name: str | int, count: int, now_ns: int) -> int:
        """Count and return the new sum."""
        counts = self._counts
        if now_ns >= self._ends_ns or now_ns < self._ends_ns - self._length_ns:
            self._begin(now_ns)
            counts = self._counts
        used = counts.get(name)
        if used is None:
            if len(counts) >= self._names_max:
                name = _OTHERS
            used = counts.get(name, 0)
        used += count
        counts[name] = used
        return used

    def take_back(self, name: str | int, now_ns: int) -> None:
        """Count one less, but never below zero."""
        if self.used(name, now_ns):
            self._counts[name] -= 1

    def used(self, name: str | int, now_ns: int) -> int:
        if now_ns >= self._ends_ns:
            return 0
        return self._counts.get(name, 0)

    def seconds_left(self, now_ns: int) -> int:
        return max(1, -(-(self._ends_ns - now_ns) // _SECOND))

    def __len__(self) -> int:
        return len(self._counts)

    def _begin(self, now_ns: int) -> None:
        self._ends_ns = now_ns - now_ns % self._length_ns + self._length_ns
        self._counts = {}


class Throttle:
    """All windows, and the bans that follow when refusals are ignored."""

    def __init__(self, settings: ThrottleSettings) -> None:
        self.settings = settings
        most = settings.addresses_max
        self._weight = Window(_MINUTE, most)
        self._requests = Window(_FIVE_MINUTES, most)
        self._refusals = Window(_MINUTE, most)
        self._orders_10_s = Window(_TEN_SECONDS, most)
        self._orders_day = Window(_DAY, most)
        self._banned_until_ns: dict[str, int] = {}
        self._offences: dict[str, int] = {}
        self.refused = 0
        """Requests refused since the start, for the metrics."""

    def admit(self, ip: str, weight: int, now_ns: int) -> int:
        """Count a request; return the weight used this minute, or raise 429 or 418."""
        if self._banned_until_ns:
            self._refuse_banned(ip, now_ns)
        used = self._weight.add(ip, weight, now_ns)
        requests = self._requests.add(ip, 1, now_ns)
        if used > self.settings.weight_per_minute:
            self._refuse(ip, self._weight, _WEIGHT % self.settings.weight_per_minute, now_ns)
        if requests > self.settings.requests_per_5_minutes:
            most = self.settings.requests_per_5_minutes
            self._refuse(ip, self._requests, _REQUESTS % most, now_ns)
        return used

    def admit_orders(self, user_id: int, count: int, now_ns: int) -> None:
        """Count orders of an account, or raise 429; what is refused is not counted."""
        for window, most, text in (
            (self._orders_10_s, self.settings.orders_per_10_s, "10 SECOND"),
            (self._orders_day, self.settings.orders_per_day, "1 DAY"),
        ):
            if window.used(user_id, now_ns) + count > most:
                self.refused += 1
                raise ApiError(
                    TOO_MANY,
                    -1015,
                    f"Too many new orders; current limit is {most} orders per {text}.",
                    retry_after_s=window.seconds_left(now_ns),
                )
        self._orders_10_s.add(user_id, count, now_ns)
        self._orders_day.add(user_id, count, now_ns)

    def order_filled(self, user_id: int, now_ns: int) -> None:
        """Take note of an order's first fill: who trades may go on placing."""
        self._orders_10_s.take_back(user_id, now_ns)
        self._orders_day.take_back(user_id, now_ns)

    def weight_used(self, ip: str, now_ns: int) -> int:
        return self._weight.used(ip, now_ns)

    def orders_used(self, user_id: int, now_ns: int) -> tuple[int, int]:
        """Return the orders of this 10 seconds and of this day."""
        return self._orders_10_s.used(user_id, now_ns), self._orders_day.used(user_id, now_ns)

    def ip_limits(self, ip: str, now_ns: int) -> list[dict[str, object]]:
        """Return the weight limit with its count, as the WebSocket API shows it."""
        return [
            _limit(
                "REQUEST_WEIGHT", "MINUTE", 1, self.settings.weight_per_minute,
                self._weight.used(ip, now_ns),
            )
        ]  # fmt: skip

    def order_limits(self, user_id: int, now_ns: int) -> list[dict[str, object]]:
        """Return an account's order limits with their counts."""
        short, long = self.orders_used(user_id, now_ns)
        return [
            _limit("ORDERS", "SECOND", 10, self.settings.orders_per_10_s, short),
            _limit("ORDERS", "DAY", 1, self.settings.orders_per_day, long),
        ]

    def limits(self) -> list[dict[str, object]]:
        """Return all limits, without counts, as exchangeInfo lists them."""
        settings = self.settings
        return [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, settings.weight_per_minute),
            _limit("ORDERS", "SECOND", 10, settings.orders_per_10_s),
            _limit("ORDERS", "DAY", 1, settings.orders_per_day),
            _limit("RAW_REQUESTS", "MINUTE", 5, settings.requests_per_5_minutes),
        ]

    def _refuse_banned(self, ip: str, now_ns: int) -> None:
        until_ns = self._banned_until_ns.get(ip)
        if until_ns is None:
            return
        if now_ns >= until_ns:
            del self._banned_until_ns[ip]
            return
        self.refused += 1
        raise _banned(until_ns, now_ns)

    def _refuse(self, ip: str, window: Window, message: str, now_ns: int) -> None:
        self.refused += 1
        if self._refusals.add(ip, 1, now_ns) > self.settings.ban_after_refusals:
            raise _banned(self._ban(ip, now_ns), now_ns)
        raise ApiError(TOO_MANY, -1003, message, retry_after_s=window.seconds_left(now_ns))

    def _ban(self, ip: str, now_ns: int) -> int:
        """Ban an address, twice as long as the last time; return until when."""
        _make_room(self._banned_until_ns, self.settings.addresses_max)
        _make_room(self._offences, self.settings.addresses_max)
        offences = self._offences.get(ip, 0)
        self._offences[ip] = offences + 1
        seconds = min(self.settings.ban_s << min(offences, 30), self.settings.ban_s_max)
        until_ns = now_ns + seconds * _SECOND
        self._banned_until_ns[ip] = until_ns
        return until_ns


def _make_room(table: dict[str, int], most: int) -> None:
    """Forget the oldest entry of a full table."""
    if len(table) >= most:
        del table[next(iter(table))]


def _banned(until_ns: int, now_ns: int) -> ApiError:
    return ApiError(
        BANNED,
        -1003,
        f"Way too much request weight used; IP banned until {until_ns // 1_000_000}."
        " Please use WebSocket Streams for live updates to avoid bans.",
        retry_after_s=max(1, -(-(until_ns - now_ns) // _SECOND)),
    )


def _limit(
    kind: str, interval: str, number: int, limit: int, count: int | None = None
) -> dict[str, object]:
    found: dict[str, object] = {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": limit,
    }
    if count is not None:
        found["count"] = count
    return found
