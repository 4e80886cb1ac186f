"""`/seawall/v1/operator`: people in incidents.  The rule: each act has a person, and is journaled.

From this machine or named addresses and with the operators' token, as all operators' calls.  Rows
are told as the control cell has them (model/control_rows.py): times in nanoseconds, and what stands
at its default left out.
"""

from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.routing import Route

from seawall.core.control.runbook import RunbookError, read_runbook
from seawall.gateway import errors
from seawall.gateway.context import Context
from seawall.gateway.errors import ApiError
from seawall.gateway.operator import Operator, refuse_rejected
from seawall.model import control_commands as c
from seawall.model.control_rows import ControlBook
from seawall.model.posture import IncidentPhase, Posture, Severity, Stage
from seawall.views.control_view import lease_over
from seawall.views.standings import standings

Row = TypeVar("Row", bound=Struct)

_AT = "/seawall/v1/operator"

CONTROL_CALLS = (
    (
        "GET /seawall/v1/operator/control",
        "-",
        "services as ordered and as they stand, dependencies, lease, gates, covers",
    ),
    (
        "POST /seawall/v1/operator/posture",
        '{"services", "posture", "reason", "person", "severity"}',
        "moves services at once, towards less only; names or patterns with `*`",
    ),
    ("GET /seawall/v1/operator/incidents", "-", "all incidents, newest first"),
    ("GET /seawall/v1/operator/incidents/{number}", "-", "one incident with its timeline"),
    (
        "POST /seawall/v1/operator/incidents",
        '{"severity", "services", "titleEn", "titleAr", "person"}',
        "opens an incident",
    ),
    (
        "POST /seawall/v1/operator/incidents/{number}/updates",
        '{"wordsEn", "wordsAr", "phase", "severity", "person"}',
        "says something of it; what is left out stays",
    ),
    (
        "POST /seawall/v1/operator/incidents/{number}/resolve",
        '{"wordsEn", "wordsAr", "person"}',
        "ends it; refused while a service of it is not open",
    ),
    ("GET /seawall/v1/operator/plans", "-", "all ways back, newest first"),
    (
        "POST /seawall/v1/operator/plans",
        '{"services", "incident", "person"}',
        "leads services back by their ladder",
    ),
    (
        "POST /seawall/v1/operator/plans/{number}/approve",
        '{"stage", "person", "role"}',
        "one of the approvals of the next stage; a person counts once",
    ),
    (
        "POST /seawall/v1/operator/plans/{number}/hold",
        '{"held", "reason", "person"}',
        "stops it where it is, or with `held` false lets it go on",
    ),
    (
        "POST /seawall/v1/operator/plans/{number}/step-back",
        '{"reason", "person"}',
        "takes it back to its first stage",
    ),
    ("GET /seawall/v1/operator/runbook", "-", "the runbook in force"),
    (
        "POST /seawall/v1/operator/runbook/check",
        '{"text"}',
        "reads a runbook as its adoption would, and changes nothing",
    ),
    ("POST /seawall/v1/operator/runbook", '{"text", "person"}', "rules by it from now on"),
    ("GET /seawall/v1/operator/watchers", "-", "who is believed, and when each was last heard"),
    (
        "POST /seawall/v1/operator/watchers",
        '{"watcher", "provider", "key", "person"}',
        "believes a watcher; `key` is its Ed25519 public key in hexadecimal",
    ),
    (
        "DELETE /seawall/v1/operator/watchers",
        '{"watcher", "person"}',
        "believes it no more",
    ),
    ("GET /seawall/v1/operator/maintenances", "-", "planned work, newest first"),
    (
        "POST /seawall/v1/operator/maintenances",
        '{"titleEn", "titleAr", "services", "beginsAt", "endsAt", "person"}',
        "announces planned work; times in milliseconds",
    ),
    (
        "POST /seawall/v1/operator/maintenances/{number}",
        '{"wordsEn", "wordsAr", "endsAt", "completed", "person"}',
        "says something of it, moves its end, or ends it",
    ),
)
"""Request, body and effect of each call, for the reference."""

MILLISECOND_NS = 1_000_000


class Body(Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """What all bodies share."""


class NewPosture(Body, kw_only=True):
    services: tuple[str, ...]
    posture: Posture
    reason: str
    person: str
    severity: Severity = Severity.MAJOR


class NewIncident(Body, kw_only=True):
    severity: Severity
    services: tuple[str, ...]
    title_en: str
    title_ar: str = ""
    person: str


class IncidentWords(Body, kw_only=True):
    words_en: str = ""
    words_ar: str = ""
    phase: IncidentPhase | None = None
    severity: Severity | None = None
    person: str


class LastWords(Body, kw_only=True):
    words_en: str = ""
    words_ar: str = ""
    person: str


class NewPlan(Body, kw_only=True):
    services: tuple[str, ...]
    incident: int = 0
    person: str


class StageApproval(Body, kw_only=True):
    stage: Stage
    person: str
    role: str = "operator"


class Hold(Body, kw_only=True):
    held: bool = True
    reason: str
    person: str


class Back(Body, kw_only=True):
    reason: str
    person: str


class RunbookText(Body, kw_only=True):
    text: str


class NewRunbook(Body, kw_only=True):
    text: str
    person: str


class NewWatcher(Body, kw_only=True):
    watcher: str
    provider: str
    key: str
    person: str


class OldWatcher(Body, kw_only=True):
    watcher: str
    person: str


class NewMaintenance(Body, kw_only=True):
    title_en: str
    title_ar: str = ""
    services: tuple[str, ...]
    begins_at: int
    ends_at: int
    person: str


class MaintenanceWords(Body, kw_only=True):
    words_en: str = ""
    words_ar: str = ""
    ends_at: int | None = None
    completed: bool = False
    person: str


class ControlDesk:
    """The operators' calls about incidents, postures and the way back."""

    def __init__(self, context: Context, operator: Operator) -> None:
        self._context = context
        self._operator = operator

    def routes(self) -> list[Route]:
        told = (
            ("control", self.overview),
            ("incidents", self.incidents),
            ("incidents/{number:int}", self.incident),
            ("plans", self.plans),
            ("runbook", self.runbook),
            ("watchers", self.watchers),
            ("maintenances", self.maintenances),
        )
        done = (
            ("posture", self.order_posture),
            ("incidents", self.open_incident),
            ("incidents/{number:int}/updates", self.update_incident),
            ("incidents/{number:int}/resolve", self.resolve_incident),
            ("plans", self.start_plan),
            ("plans/{number:int}/hold", self.hold),
            ("plans/{number:int}/step-back", self.step_back),
            ("runbook/check", self.check_runbook),
            ("watchers", self.register_watcher),
            ("maintenances", self.schedule),
            ("maintenances/{number:int}", self.update_maintenance),
        )
        approved = (
            ("plans/{number:int}/approve", self.approve),
            # It says how many approvals a stage needs.
            ("runbook", self.adopt_runbook),
        )
        guarded = self._operator.guarded
        return [
            *(Route(f"{_AT}/{path}", guarded(act), methods=["GET"]) for path, act in told),
            *(Route(f"{_AT}/{path}", guarded(act), methods=["POST"]) for path, act in done),
            *(
                Route(f"{_AT}/{path}", guarded(act, approves=True), methods=["POST"])
                for path, act in approved
            ),
            Route(f"{_AT}/watchers", guarded(self.remove_watcher), methods=["DELETE"]),
        ]

    @property
    def _book(self) -> ControlBook:
        return self._context.node.control.book

    # What is told

    async def overview(self, _: Request) -> object:
        node, book = self._context.node, self._book
        found = standings(node.spot, node.funding)
        return {
            "asOf": book.at_ns // MILLISECOND_NS,
            "sequence": book.sequence,
            "runbook": node.control.runbook.version,
            "lease": msgspec.to_builtins(book.lease),
            "withdrawalsStopped": lease_over(node.funding, self._context.now_ns()),
            "services": [
                {
                    **msgspec.to_builtins(row),
                    "posture": row.posture,
                    "stands": [msgspec.to_builtins(each) for each in found.get(row.service, [])],
                }
                for row in book.services.values()
            ],
            "verdicts": msgspec.to_builtins(book.verdicts),
            "gates": msgspec.to_builtins(book.gates),
            "covers": msgspec.to_builtins(book.covers),
            "canaries": msgspec.to_builtins(node.funding.book.canaries),
        }

    async def incidents(self, _: Request) -> object:
        return {"incidents": [msgspec.to_builtins(row) for row in _newest(self._book.incidents)]}

    async def incident(self, request: Request) -> object:
        return self._incident(request.path_params["number"])

    async def plans(self, _: Request) -> object:
        return {"plans": [msgspec.to_builtins(row) for row in _newest(self._book.plans)]}

    async def runbook(self, _: Request) -> object:
        book = self._book
        return {
            "version": self._context.node.control.runbook.version,
            "hash": book.runbook_hash,
            "person": book.runbook_person,
            "text": book.runbook_text,
        }

    async def watchers(self, _: Request) -> object:
        return {"watchers": [msgspec.to_builtins(row) for row in self._book.watchers.values()]}

    async def maintenances(self, _: Request) -> object:
        rows = _newest(self._book.maintenances)
        return {"maintenances": [msgspec.to_builtins(row) for row in rows]}

    # What is done

    async def order_posture(self, request: Request) -> object:
        wanted = await self._operator.read(request, NewPosture)
        return await self._submit(c.OrderPosture(**_fields(wanted)))

    async def open_incident(self, request: Request) -> object:
        wanted = await self._operator.read(request, NewIncident)
        number = self._book.next_incident
        done = await self._submit(c.OpenIncident(**_fields(wanted)))
        mine = [
            row.number
            for row in self._book.incidents.values()
            if row.number >= number and row.title_en == wanted.title_en
        ]
        return {**done, "incident": max(mine, default=0)}

    async def update_incident(self, request: Request) -> object:
        wanted = await self._operator.read(request, IncidentWords)
        number = request.path_params["number"]
        await self._submit(c.UpdateIncident(incident=number, **_fields(wanted)))
        return self._incident(number)

    async def resolve_incident(self, request: Request) -> object:
        wanted = await self._operator.read(request, LastWords)
        number = request.path_params["number"]
        await self._submit(c.ResolveIncident(incident=number, **_fields(wanted)))
        return self._incident(number)

    async def start_plan(self, request: Request) -> object:
        wanted = await self._operator.read(request, NewPlan)
        done = await self._submit(c.StartPlan(**_fields(wanted)))
        return {**done, "plans": [msgspec.to_builtins(row) for row in _newest(self._book.plans)]}

    async def approve(self, request: Request) -> object:
        wanted = await self._operator.read(request, StageApproval)
        number = request.path_params["number"]
        await self._submit(c.ApproveStage(plan_id=number, **_fields(wanted)))
        return self._plan(number)

    async def hold(self, request: Request) -> object:
        wanted = await self._operator.read(request, Hold)
        number = request.path_params["number"]
        await self._submit(c.HoldPlan(plan_id=number, **_fields(wanted)))
        return self._plan(number)

    async def step_back(self, request: Request) -> object:
        wanted = await self._operator.read(request, Back)
        number = request.path_params["number"]
        await self._submit(c.StepBack(plan_id=number, **_fields(wanted)))
        return self._plan(number)

    async def check_runbook(self, request: Request) -> object:
        wanted = await self._operator.read(request, RunbookText)
        try:
            runbook = read_runbook(wanted.text, tuple(self._book.services))
        except RunbookError as error:
            raise errors.bad(-1130, f"The runbook contradicts itself: {error}") from None
        return {"version": runbook.version, "hash": sha256(wanted.text.encode()).hexdigest()}

    async def adopt_runbook(self, request: Request) -> object:
        wanted = await self._operator.read(request, NewRunbook)
        await self._submit(c.AdoptRunbook(**_fields(wanted)))
        return await self.runbook(request)

    async def register_watcher(self, request: Request) -> object:
        wanted = await self._operator.read(request, NewWatcher)
        await self._submit(c.RegisterWatcher(**_fields(wanted)))
        return await self.watchers(request)

    async def remove_watcher(self, request: Request) -> object:
        wanted = await self._operator.read(request, OldWatcher)
        await self._submit(c.RemoveWatcher(**_fields(wanted)))
        return await self.watchers(request)

    async def schedule(self, request: Request) -> object:
        wanted = await self._operator.read(request, NewMaintenance)
        await self._submit(
            c.ScheduleMaintenance(
                title_en=wanted.title_en,
                title_ar=wanted.title_ar,
                services=wanted.services,
                begins_ns=wanted.begins_at * MILLISECOND_NS,
                ends_ns=wanted.ends_at * MILLISECOND_NS,
                person=wanted.person,
            )
        )
        return await self.maintenances(request)

    async def update_maintenance(self, request: Request) -> object:
        wanted = await self._operator.read(request, MaintenanceWords)
        ends_at = wanted.ends_at
        await self._submit(
            c.UpdateMaintenance(
                maintenance=request.path_params["number"],
                words_en=wanted.words_en,
                words_ar=wanted.words_ar,
                ends_ns=None if ends_at is None else ends_at * MILLISECOND_NS,
                completed=wanted.completed,
                person=wanted.person,
            )
        )
        return await self.maintenances(request)

    # Helpers

    async def _submit(self, command: c.ControlCommand) -> dict[str, object]:
        committed = await self._context.node.submit_control(command)
        refuse_rejected(committed.events)
        return {"sequence": committed.sequence, "time": committed.at_ns // MILLISECOND_NS}

    def _incident(self, number: int) -> object:
        row = self._book.incidents.get(number)
        if row is None:
            raise _no_such("incident", number)
        return msgspec.to_builtins(row)

    def _plan(self, number: int) -> object:
        row = self._book.plans.get(number)
        if row is None:
            raise _no_such("plan", number)
        return msgspec.to_builtins(row)


def _no_such(what: str, number: int) -> ApiError:
    return ApiError(errors.NOT_FOUND, -1130, f"There is no {what} {number}.")


def _newest(rows: dict[int, Row]) -> list[Row]:
    return list(reversed(rows.values()))


def _fields(body: Body) -> dict[str, Any]:
    return {name: getattr(body, name) for name in body.__struct_fields__}
