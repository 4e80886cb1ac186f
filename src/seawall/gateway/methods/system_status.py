"""Binance's and OKX's words for how the exchange is.  The rule: both are read from control's state.

Traders' programs ask these before they trade.  Binance knows one bit: it is maintenance while this
node is not current, planned work is under way, or no market at all lets orders trade.  OKX has a
list of events, each with its state; `pre_open` is the time in which users may cancel, post and move
money, but nothing trades.
"""

from typing import Final

from seawall.core.control.look import runs
from seawall.gateway import errors
from seawall.gateway.context import Caller, Context, Method
from seawall.gateway.params import Params
from seawall.model.control_rows import Incident, Maintenance
from seawall.model.ids import CONTROL
from seawall.model.posture import IncidentPhase, ServiceKind, Stage
from seawall.model.trading import MarketStatus

STATES: Final = ("scheduled", "ongoing", "pre_open", "completed", "canceled")
SHOWN_NS: Final = 7 * 86_400_000_000_000
"""What has ended is listed for so long."""
_MILLISECOND_NS: Final = 1_000_000
_TRADES: Final = (MarketStatus.OPEN, MarketStatus.AUCTION, MarketStatus.POST_ONLY)
_PRE_OPEN: Final = (Stage.POST_ONLY, Stage.AUCTION)
_PLANNED, _DISRUPTION = "1", "3"
_TRADING, _OTHER = "5", "99"


async def system_status(context: Context, caller: Caller, params: Params) -> object:
    if context.node.ready and context.is_current() and not _under_maintenance(context):
        return {"status": 0, "msg": "normal"}
    return {"status": 1, "msg": "system_maintenance"}


async def okx_status(context: Context, caller: Caller, params: Params) -> object:
    state = params.text("state")
    if state is not None and state not in STATES:
        raise errors.invalid_value("state")
    book = context.node.control.book
    since_ns = book.at_ns - SHOWN_NS
    rows = [
        *(_planned(each, book.at_ns) for each in reversed(book.maintenances.values())),
        *(_incident(context, each) for each in reversed(book.incidents.values())),
    ]
    shown = [row for ended_ns, row in rows if not ended_ns or ended_ns > since_ns]
    return {
        "code": "0",
        "msg": "",
        "data": [row for row in shown if state in (None, row["state"])],
    }


def _under_maintenance(context: Context) -> bool:
    book, markets = context.node.control.book, context.node.spot.markets
    planned = any(
        each.begins_ns <= book.at_ns and not each.completed_ns
        for each in book.maintenances.values()
    )
    stopped = bool(markets) and all(each.status not in _TRADES for each in markets.values())
    return planned or stopped


def _planned(row: Maintenance, at_ns: int) -> tuple[int, dict[str, str]]:
    begun = "ongoing" if at_ns >= row.begins_ns else "scheduled"
    return row.completed_ns, _row(
        title=row.title_en,
        state="completed" if row.completed_ns else begun,
        begin_ns=row.begins_ns,
        end_ns=row.completed_ns or row.ends_ns,
        pre_open_ns=0,
        services=row.services,
        kind=_PLANNED,
    )


def _incident(context: Context, row: Incident) -> tuple[int, dict[str, str]]:
    pre_open_ns = _pre_open_ns(context, row)
    lasts = "pre_open" if pre_open_ns else "ongoing"
    return row.resolved_ns, _row(
        title=row.title_en or row.kind.replace("_", " "),
        state="completed" if row.phase is IncidentPhase.RESOLVED else lasts,
        begin_ns=row.opened_ns,
        end_ns=row.resolved_ns,
        pre_open_ns=pre_open_ns,
        services=row.services,
        kind=_DISRUPTION,
    )


def _pre_open_ns(context: Context, row: Incident) -> int:
    """Return since when markets of the incident take orders that do not trade yet; 0 if none."""
    for plan in context.node.control.book.plans.values():
        if plan.incident == row.number and plan.kind == ServiceKind.MARKET and runs(plan):
            for stage in plan.stages[-1:]:
                if stage.stage in _PRE_OPEN:
                    return stage.entered_ns
    return 0


def _row(
    *,
    title: str,
    state: str,
    begin_ns: int,
    end_ns: int,
    pre_open_ns: int,
    services: list[str],
    kind: str,
) -> dict[str, str]:
    trading = any(service.startswith(ServiceKind.MARKET) for service in services)
    return {
        "title": title,
        "state": state,
        "begin": str(begin_ns // _MILLISECOND_NS),
        "end": str(end_ns // _MILLISECOND_NS) if end_ns else "",
        "preOpenBegin": str(pre_open_ns // _MILLISECOND_NS) if pre_open_ns else "",
        "href": "",
        "serviceType": _TRADING if trading else _OTHER,
        "system": "unified",
        "scheDesc": "",
        "maintType": kind,
        "env": "1",
    }


METHODS = (
    Method(
        name="wallet.system.status",
        rest=("GET /sapi/v1/system/status",),
        handler=system_status,
        lenient=True,
        always=True,
        cells=(),
        summary="Whether the exchange is in maintenance, or lets no market trade.",
    ),
    Method(
        name="okx.system.status",
        rest=("GET /api/v5/system/status",),
        handler=okx_status,
        params=frozenset({"state"}),
        always=True,
        cells=(CONTROL,),
        summary="Planned work and incidents, as OKX lists them; `state` chooses.",
    ),
)
