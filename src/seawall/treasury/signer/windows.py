"""What left within a while.  The rule: a clock that is set back lets nothing more through.

Sans-I/O: counted from the record of signatures, by network and asset.
"""

from collections.abc import Mapping
from typing import Final

from seawall.treasury.signer.messages import Refusal, Refused
from seawall.treasury.signer.settings import NetworkLimits

_SECOND_NS: Final = 1_000_000_000


class Windows:
    """What was signed for, and when."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._newest_ns = 0

    def count(self, network: str, taken: Mapping[str, int], at_ns: int) -> None:
        """Count units by contract."""
        for contract, units in taken.items():
            if units:
                self._spent.setdefault((network, contract), []).append((at_ns, units))
        self._newest_ns = max(self._newest_ns, at_ns)

    def refuse(
        self, name: str, network: NetworkLimits, wanted: Mapping[str, int], at_ns: int
    ) -> Refused | None:
        """Return why these units may not leave now, or None."""
        now_ns = max(at_ns, self._newest_ns)
        for contract, units in wanted.items():
            limits = network.limits_of(contract)
            if limits is None:
                return Refused(reason=Refusal.UNKNOWN_ASSET, detail=contract)
            since_ns = now_ns - limits.window_s * _SECOND_NS
            rows = self._spent.get((name, contract), [])
            while rows and rows[0][0] <= since_ns:
                rows.pop(0)
            spent = sum(each for _, each in rows)
            if units and spent + units > limits.window_units:
                left = max(limits.window_units - spent, 0)
                return Refused(reason=Refusal.ABOVE_WINDOW_LIMIT, detail=f"{left} left")
        return None


def taken(contract: str, units: int, cost: int) -> dict[str, int]:
    """Return what a payment takes of the windows: its units, and its cost in the coin."""
    found = {contract: units}
    found[""] = found.get("", 0) + cost
    return found
