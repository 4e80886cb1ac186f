"""Events as text, for comparison.  The rule: which fields are told can be fixed once and for all.

Works on compiled classes too, which have no `__dict__`.
"""

from collections.abc import Mapping, Sequence

from seawall.model.control_rows import (
    GateResult,
    Incident,
    Maintenance,
    Plan,
    ServiceRow,
    StageRow,
    Update,
    Verdict,
)
from seawall.model.events import Event
from seawall.model.funding import Listing, Network
from seawall.model.funding_rows import Deposit, VaultMove, Withdrawal
from seawall.model.mailbox import Transfer
from seawall.model.orders import Order, OrderList


def fields_of(event: Event) -> list[str]:
    """Return the names of the event's fields, sorted."""
    return sorted(name for name in dir(event) if not name.startswith("_"))


def describe(event: Event, fields: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return the event as one line; `fields` names what to tell of each class."""
    name = type(event).__name__
    names = fields_of(event) if fields is None else fields[name]
    told = " ".join(f"{field}={_plain(getattr(event, field))}" for field in names)
    return f"{name} {told}".rstrip()


def _plain(value: object) -> str:
    if isinstance(value, Order):
        return f"order:{value.order_id}:{value.status}:{value.filled_lots}:{value.held_atoms}"
    if isinstance(value, OrderList):
        return f"list:{value.order_list_id}:{value.status}"
    if isinstance(value, Transfer):
        return f"transfer:{value.transfer_id}:{value.number}:{value.state}:{value.reason}"
    if isinstance(value, Deposit):
        return f"deposit:{value.tx_id}:{value.output}:{value.state}:{value.confirmations}"
    if isinstance(value, Withdrawal):
        return f"withdrawal:{value.withdrawal_id}:{value.state}:{value.tx_id}:{value.cost}"
    if isinstance(value, VaultMove):
        return f"move:{value.move_key}:{value.state}:{value.tx_id}:{value.cost}"
    if isinstance(value, Network):
        return f"network:{value.code}"
    if isinstance(value, Listing):
        return f"listing:{value.asset}:{value.network}"
    return _of_control(value)


def _of_control(value: object) -> str:
    """Return the control cell's records by what they decide, not by all that they hold."""
    if isinstance(value, Plan):
        stage = value.stages[-1].stage if value.stages else ""
        return f"plan:{value.plan_id}:{value.status}:{stage}:{value.steps_back}"
    if isinstance(value, StageRow):
        gates = ",".join(f"{gate.gate}={gate.passed}" for gate in value.gates)
        return f"stage:{value.stage}:{gates}:{len(value.approvals)}"
    if isinstance(value, GateResult):
        return f"gate:{value.gate}:{value.passed}"
    if isinstance(value, Incident):
        return f"incident:{value.number}:{value.severity}:{value.phase}:{value.kind}"
    if isinstance(value, Update):
        return f"update:{value.number}:{value.kind}:{value.phase}"
    if isinstance(value, ServiceRow):
        return f"service:{value.service}:{value.posture}:{value.order}:{value.stage}"
    if isinstance(value, Verdict):
        return f"verdict:{value.health}"
    if isinstance(value, Maintenance):
        return f"maintenance:{value.number}:{value.completed_ns > 0}"
    return str(value)
