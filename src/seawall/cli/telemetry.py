"""Where traces go.  The rule: off unless configured, and never in the way of an order.

Spans are sent by a thread of their own, from a queue that drops what does not fit.  A collector
that is away costs traces and nothing else.  What is used is imported only when traces are on.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall import __version__
from seawall.cli.output import CliError, Exit
from seawall.cli.settings import TelemetrySection
from seawall.node.node import Node

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

SEND_S: Final = 2
"""How long one call of a collector may take."""


@asynccontextmanager
async def traced(node: Node, section: TelemetrySection) -> AsyncIterator[None]:
    """Trace what the node does meanwhile, if traces are configured."""
    if not section.traces:
        yield
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    from seawall.node.tracing import Tracing

    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(_share(section.sampled))),
        resource=Resource(
            {
                "service.name": "seawall",
                "service.version": __version__,
                "service.instance.id": node.settings.name,
            }
        ),
        shutdown_on_exit=False,
    )
    async with AsyncExitStack() as stack:
        provider.add_span_processor(BatchSpanProcessor(_exporter(section.traces, stack)))
        stack.push_async_callback(asyncio.to_thread, provider.shutdown)
        node.trace(Tracing(provider.get_tracer("seawall", __version__), node.settings.name))
        yield


def _exporter(target: str, stack: AsyncExitStack) -> "SpanExporter":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    if target.startswith(("http://", "https://")):
        return OTLPSpanExporter(endpoint=f"{target.rstrip('/')}/v1/traces", timeout=SEND_S)
    if target == "stderr":
        return ConsoleSpanExporter(out=sys.stderr, formatter=_line)
    if target.startswith("file:"):
        path = Path(target.removeprefix("file:"))
        try:
            out = stack.enter_context(path.open("a", encoding="utf-8"))
        except OSError as error:
            raise CliError(
                f"{path} cannot be written: {error.strerror}",
                "telemetry.traces names where traces go.",
                Exit.USAGE,
            ) from error
        return ConsoleSpanExporter(out=out, formatter=_line)
    raise CliError(
        f"telemetry.traces is {target!r}, which is no place for traces.",
        "It is empty (off), a collector's http://HOST:4318, stderr, or file:PATH.",
        Exit.USAGE,
    )


def _line(span: "ReadableSpan") -> str:
    return f"{span.to_json(indent=None)}\n"


def _share(sampled: str) -> float:
    try:
        share = Decimal(sampled)
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share <= 1:
        raise CliError(
            f"telemetry.sampled is {sampled!r}; it is a share of requests from 0 to 1.",
            'As in sampled = "0.01", one in a hundred.',
            Exit.USAGE,
        )
    return float(share)
