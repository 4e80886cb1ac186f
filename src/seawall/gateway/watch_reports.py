"""`POST /seawall/v1/watch/reports`: what watchers saw.  The rule: no signature, no report.

A report is believed for its key, whoever brings it and to whichever node.  Its number only rises:
what is brought twice, or again later, is refused with 409 and changes nothing.
"""

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seawall.gateway import errors
from seawall.gateway.context import Context
from seawall.gateway.errors import ApiError
from seawall.gateway.operator import json_response, read_body
from seawall.model.control_commands import TakeReport
from seawall.model.control_rows import Watcher
from seawall.model.events import CommandRejected
from seawall.model.ids import CONTROL
from seawall.model.rejections import Rejection
from seawall.model.signals import SignedReport, WatchReport
from seawall.node.errors import NodeError

PATH = "/seawall/v1/watch/reports"
WATCH_CALLS = (
    (
        f"POST {PATH}",
        "watchers",
        (
            "what one saw, signed with its Ed25519 key: `report` is JSON text, `signature`"
            " hexadecimal over its bytes; 401 is not believed, 409 was taken before, 400 cannot be"
            " read or is of another time"
        ),
    ),
)
"""Request, who asks, and what, for the reference."""
_STATUS = {
    Rejection.UNKNOWN_WATCHER: errors.UNAUTHORIZED,
    Rejection.REPORT_REPEATED: errors.CONFLICT,
    Rejection.REPORT_CLOCK: errors.BAD_REQUEST,
}


class WatchDesk:
    """Takes reports."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        return [Route(PATH, self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            return json_response(await self._take(request))
        except ApiError as error:
            response = json_response(error.body(), error.status)
        except NodeError as error:
            answer = errors.of_node(error)
            response = json_response(answer.body(), answer.status)
        return response

    async def _take(self, request: Request) -> object:
        context = self._context
        ip = request.client.host if request.client else ""
        context.throttle.admit(ip, 1, context.now_ns())
        body = await read_body(request, context.settings.body_bytes_max)
        try:
            signed = msgspec.json.decode(body, type=SignedReport)
            report = msgspec.json.decode(signed.report, type=WatchReport)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise errors.bad(-1130, f"This is no signed report: {error}.") from None
        watcher = await self._watcher(report.watcher)
        _check_signature(watcher, signed)
        if report.number <= watcher.number:
            raise _refused(Rejection.REPORT_REPEATED)
        committed = await context.node.submit_control(TakeReport(report=report))
        if isinstance(committed.answer, CommandRejected):
            raise _refused(committed.answer.reason, committed.answer.detail)
        return {"number": report.number, "sequence": committed.sequence}

    async def _watcher(self, name: str) -> Watcher:
        """Return a watcher; one that is not known here may have been registered a moment ago."""
        watchers = self._context.node.control.book.watchers
        if name not in watchers and self._context.clustered:
            await self._context.confirm((CONTROL,))
            watchers = self._context.node.control.book.watchers
        found = watchers.get(name)
        if found is None:
            raise _refused(Rejection.UNKNOWN_WATCHER)
        return found


def _check_signature(watcher: Watcher, signed: SignedReport) -> None:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(watcher.key))
        key.verify(bytes.fromhex(signed.signature), signed.report.encode())
    except (ValueError, InvalidSignature):
        raise ApiError(
            errors.UNAUTHORIZED, -1022, "The signature is not this watcher's, or of other bytes."
        ) from None


def _refused(reason: Rejection, detail: str = "") -> ApiError:
    error = errors.rejected(reason, -1130)
    more = f" ({detail})" if detail else ""
    return ApiError(_STATUS.get(reason, error.status), error.code, f"{error.message}{more}")
