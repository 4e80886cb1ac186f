"""Broken invariants: our own bugs, named.  The rule: nobody catches `InvariantError` to go on."""


class InvariantError(Exception):
    """A rule of this program does not hold; the node that meets it stops and recovers."""


def invariant(condition: bool, rule: str) -> None:
    """Raise `InvariantError` unless `condition`; `rule` states positively what must hold."""
    if not condition:
        raise InvariantError(rule)
