"""Which services there are.  The rule: what is not defined has no posture, and no order."""

from seawall.core.control.patterns import matches
from seawall.core.control.posture import note_closed
from seawall.core.control.state import ControlState
from seawall.core.control.ways import POSTURES
from seawall.model import limits
from seawall.model.control_commands import DefineServices
from seawall.model.control_events import ServicesDefined
from seawall.model.control_rows import ServiceRow
from seawall.model.events import CommandRejected, Event
from seawall.model.posture import Posture, service_kind
from seawall.model.rejections import Rejection


def define_services(state: ControlState, command: DefineServices) -> list[Event]:
    """Take these services, and no others, from now on."""
    wrong = _wrong(command)
    if wrong:
        return [CommandRejected(Rejection.INVALID_DEFINITION, wrong)]
    named = dict.fromkeys(command.services)
    for name in command.postures:
        if name not in named:
            return [CommandRejected(Rejection.UNKNOWN_SERVICE, name)]
    rows = state.book.services
    added = [name for name in named if name not in rows]
    removed = [name for name in rows if name not in named]
    if not added and not removed:
        return []
    for name in removed:
        _delist(state, name)
    for name in added:
        _list(state, name, command.postures.get(name, Posture.OPEN))
    return [ServicesDefined(added, removed)]


def _wrong(command: DefineServices) -> str:
    """Say what is wrong with the definition, or nothing."""
    if not command.services:
        return "services: an exchange has some"
    if len(command.services) > limits.SERVICES:
        return f"services: more than {limits.SERVICES}"
    seen: dict[str, bool] = {}
    for name in command.services:
        if name in seen:
            return f"services: {name} twice"
        if "*" in name or len(name) > limits.SERVICE_CHARS:
            return f"services: {name[: limits.SERVICE_CHARS]} is no name"
        seen[name] = True
        try:
            kind = service_kind(name)
        except ValueError as error:
            return str(error)
        posture = command.postures.get(name, Posture.OPEN)
        if posture not in POSTURES[kind]:
            return f"postures: {name} is never {posture.value}"
    return ""


def _list(state: ControlState, name: str, posture: Posture) -> None:
    row = ServiceRow(service=name, posture=posture, since_ns=state.at_ns, reason="defined")
    state.book.services[name] = row
    if posture is not Posture.OPEN:
        row.closed_since_ns = state.at_ns
        note_closed(state, row, was_full=True)


def _delist(state: ControlState, name: str) -> None:
    del state.book.services[name]
    for span in state.book.closed:
        if span.service == name and not span.until_ns:
            span.until_ns = state.at_ns


def find(state: ControlState, pattern: str) -> list[ServiceRow]:
    """Return the services that the pattern means, in the order they were defined."""
    return [row for name, row in state.book.services.items() if matches(pattern, name)]
