"""Rolling windows.  The rule: a window begins on a full minute and ends now.

Kept as bars of the minutes with trades, by the hour, so that a week's window adds up at most two
hours of minutes and the hours between.
"""

from seawall.model.limits import VIEW_WINDOW_HOURS
from seawall.views.bars import Bar, add_up
from seawall.views.periods import HOUR_NS


class Hour:
    """The minutes with trades of one hour."""

    def __init__(self, first: Bar) -> None:
        open_ns = first.open_ns // HOUR_NS * HOUR_NS
        self.total = first.over(open_ns, open_ns + HOUR_NS)
        self.minutes = [first]

    def add(self, minute: Bar) -> None:
        self.total.add(minute)
        self.minutes.append(minute)


class RollingWindow:
    """One market's minutes of the last week; the minute that still forms is held elsewhere."""

    def __init__(self) -> None:
        self.hours: list[Hour] = []
        self.dropped_close = 0
        """The last price of what was dropped for its age; 0 if nothing was."""

    def add(self, minute: Bar) -> None:
        if self.hours and minute.open_ns < self.hours[-1].total.end_ns:
            self.hours[-1].add(minute)
            return
        self.hours.append(Hour(minute))
        oldest = minute.open_ns - (VIEW_WINDOW_HOURS + 1) * HOUR_NS
        while self.hours[0].total.end_ns <= oldest:
            self.dropped_close = self.hours.pop(0).total.close_ticks

    def fold(self, from_ns: int, forming: Bar | None, now_ns: int) -> tuple[Bar | None, int]:
        """Return the sum of all minutes from `from_ns` on, and the last price before (or 0)."""
        inside: list[Bar] = []
        before = self.dropped_close
        if forming is not None and forming.open_ns >= from_ns:
            inside.append(forming)
        elif forming is not None:
            return None, forming.close_ticks
        for hour in reversed(self.hours):
            if hour.total.open_ns >= from_ns:
                inside.append(hour.total)
                continue
            for minute in reversed(hour.minutes):
                if minute.open_ns < from_ns:
                    before = minute.close_ticks
                    break
                inside.append(minute)
            else:
                continue
            break
        inside.reverse()
        return add_up(inside, from_ns, now_ns), before

    def dump(self) -> list[Bar]:
        return [minute for hour in self.hours for minute in hour.minutes]

    def load(self, minutes: list[Bar], dropped_close: int) -> None:
        for minute in minutes:
            self.add(minute)
        self.dropped_close = dropped_close
