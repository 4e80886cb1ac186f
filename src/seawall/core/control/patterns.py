"""Names with `*`.  The rule: `*` is any text, slashes too; nothing else is special.

All run in time of at most the product of both lengths, whatever the pattern.
"""

from typing import Final

from seawall.model.posture import ServiceKind

STAR: Final = "*"
_PART: Final = "\0"
"""Stands in a shape for one part of a path: at least one character, none of them a slash."""

SHAPES: Final = {
    ServiceKind.MARKET: f"market/{_PART}",
    ServiceKind.DEPOSIT: f"deposit/{_PART}/{_PART}",
    ServiceKind.WITHDRAWAL: f"withdrawal/{_PART}/{_PART}",
    ServiceKind.TRANSFERS: "transfers",
    ServiceKind.SIGN_IN: "sign_in",
}


def is_literal(pattern: str) -> bool:
    return STAR not in pattern


def matches(pattern: str, name: str) -> bool:
    """Whether the name is one that the pattern means."""
    at = 0
    taken = 0
    star = -1
    kept = 0
    while taken < len(name):
        if at < len(pattern) and pattern[at] == STAR:
            star = at
            kept = taken
            at += 1
        elif at < len(pattern) and pattern[at] == name[taken]:
            at += 1
            taken += 1
        elif star >= 0:
            # The last star takes one character more; the stars before it need no more than theirs.
            kept += 1
            taken = kept
            at = star + 1
        else:
            return False
    return pattern[at:].strip(STAR) == ""


def overlap(left: str, right: str) -> bool:
    """Whether one name could be meant by both patterns."""
    ways = [(0, 0)]
    seen = {(0, 0)}
    while ways:
        i, j = ways.pop()
        if i == len(left) and j == len(right):
            return True
        for way in _steps(left, i, right, j):
            if way not in seen:
                seen.add(way)
                ways.append(way)
    return False


def _steps(left: str, i: int, right: str, j: int) -> list[tuple[int, int]]:
    """Return where one more character, or the end of a star, leads."""
    steps: list[tuple[int, int]] = []
    a = left[i] if i < len(left) else ""
    b = right[j] if j < len(right) else ""
    if a == STAR:
        steps.append((i + 1, j))
    if b == STAR:
        steps.append((i, j + 1))
    if not a or not b:
        return steps
    if a == STAR and b not in {STAR, _PART}:
        steps.append((i, j + 1))
    if b == STAR and a not in {STAR, _PART}:
        steps.append((i + 1, j))
    if a == _PART == b:
        steps += [(i + 1, j + 1), (i + 1, j), (i, j + 1)]
    elif b == _PART and a != "/":
        # One character of the part; it may be its last.
        steps += [(i if a == STAR else i + 1, j), (i if a == STAR else i + 1, j + 1)]
    elif a == _PART and b != "/":
        steps += [(i, j if b == STAR else j + 1), (i + 1, j if b == STAR else j + 1)]
    elif a == b:
        steps.append((i + 1, j + 1))
    return steps


def kinds(pattern: str) -> list[ServiceKind]:
    """Return the kinds of services that the pattern could mean; none is a pattern in vain."""
    return [kind for kind in ServiceKind if overlap(pattern, SHAPES[kind])]
