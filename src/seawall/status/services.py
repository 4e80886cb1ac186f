"""In which order services stand.  The rule: the same on every page and in every feed."""

from collections.abc import Iterable
from typing import Final

from seawall.model.posture import ServiceKind
from seawall.model.status_document import ServiceLine

ORDER: Final = ("sign_in", "market", "withdrawal", "deposit", "transfers", "other")


def group_of(line: ServiceLine) -> str:
    return line.kind.value if line.kind in ServiceKind else "other"


def grouped(lines: Iterable[ServiceLine]) -> list[tuple[str, list[ServiceLine]]]:
    """Return the groups that have services, each in its order; one line for each service."""
    by_name = {line.service: line for line in lines}
    found: dict[str, list[ServiceLine]] = {name: [] for name in ORDER}
    for name in sorted(by_name):
        found[group_of(by_name[name])].append(by_name[name])
    return [(name, each) for name, each in found.items() if each]
