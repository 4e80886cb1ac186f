"""Where one command's time goes, over all nodes that it crosses.  The rule: off costs a None check.

A trace begins at a gateway, which alone decides whether it is sampled.  The forwarder's span ends
with the answer; its context goes with the command to whoever leads, and there the command gets
three spans: how long it waited for its batch, the append, and its application.  Their times are
those of the machines' clocks, so spans of two nodes may overlap by what their clocks differ.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from seawall.model.commands import Command

_PARTS: Final = 4
_TRACE_HEX: Final = 32
_SPAN_HEX: Final = 16


class Traced(Protocol):
    """A ticket, as tracing sees it."""

    @property
    def trace(self) -> "Timeline | None": ...


class Tracing:
    """Makes the spans of one node."""

    def __init__(self, tracer: Tracer, node: str) -> None:
        self._tracer = tracer
        self._node = node

    @contextmanager
    def request(self, name: str) -> Iterator[None]:
        """Put what happens inside into one trace, if it is sampled."""
        with self._tracer.start_as_current_span(
            name,
            kind=SpanKind.SERVER,
            attributes={"seawall.node": self._node},
            record_exception=False,
        ):
            yield

    def follow(self, cell: str, command: Command, future: "asyncio.Future[Any]") -> str:
        """Begin the span of a command that was taken here, which ends with its answer.

        Returns its context, to go with the command; empty if it is in no sampled trace.
        """
        parent = get_current_span().get_span_context()
        if not (parent.is_valid and parent.trace_flags.sampled):
            return ""
        span = self._tracer.start_span(
            "command",
            attributes={
                "seawall.node": self._node,
                "seawall.cell": cell,
                "seawall.command": type(command).__name__,
            },
        )
        future.add_done_callback(lambda done: _end(span, done))
        return _written(span.get_span_context())

    def timeline(self, cell: str, trace: str) -> "Timeline | None":
        """Begin to take the times of a command that this node orders.

        Its parent is `trace`, or the caller's span; None if neither is in a sampled trace.
        """
        parent = _read(trace) if trace else get_current_span().get_span_context()
        if parent is None or not (parent.is_valid and parent.trace_flags.sampled):
            return None
        context = set_span_in_context(NonRecordingSpan(parent))
        return Timeline(self._tracer, context, self._node, cell)

    @staticmethod
    def appending(tickets: Iterable[Traced]) -> None:
        """Take note that these are on their way to the journal."""
        now_ns = time.time_ns()
        for ticket in tickets:
            if ticket.trace is not None:
                ticket.trace.appending_ns = now_ns

    @staticmethod
    def appended(tickets: Iterable[Traced]) -> None:
        """Take note that the outcome of their append is known."""
        now_ns = time.time_ns()
        for ticket in tickets:
            if ticket.trace is not None:
                ticket.trace.appended_ns = now_ns


class Timeline:
    """When what happened to one command at its leader; told as spans once it is applied."""

    def __init__(self, tracer: Tracer, context: Context, node: str, cell: str) -> None:
        self.appending_ns = 0
        self.appended_ns = 0
        self._tracer = tracer
        self._context = context
        self._attributes = {"seawall.node": node, "seawall.cell": cell}
        self._taken_ns = time.time_ns()
        self._applying_ns = 0

    def applying(self) -> None:
        self._applying_ns = time.time_ns()

    def applied(self, sequence: int) -> None:
        """Tell all of it."""
        self._attributes |= {"seawall.sequence": str(sequence)}
        self._tell("sequencer.wait", self._taken_ns, self.appending_ns)
        self._tell("journal.append", self.appending_ns, self.appended_ns)
        self._tell("apply", self._applying_ns, time.time_ns())

    def refused(self, error: Exception) -> None:
        """Tell that it was not applied, and why."""
        span = self._tracer.start_span(
            "sequencer.refused", self._context, attributes=self._attributes
        )
        span.set_status(Status(StatusCode.ERROR, str(error)))
        span.end()

    def _tell(self, name: str, from_ns: int, to_ns: int) -> None:
        span = self._tracer.start_span(
            name, self._context, attributes=self._attributes, start_time=from_ns
        )
        span.end(max(to_ns, from_ns))


def _end(span: Span, done: "asyncio.Future[Any]") -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None:
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    span.end()


def _written(context: SpanContext) -> str:
    """Return a context as W3C's `traceparent`."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _read(text: str) -> SpanContext | None:
    """Return the context that another node wrote; None if it is none."""
    parts = text.split("-")
    if len(parts) != _PARTS or (len(parts[1]), len(parts[2])) != (_TRACE_HEX, _SPAN_HEX):
        return None
    try:
        trace_id, span_id, flags = (int(part, 16) for part in parts[1:])
    except ValueError:
        return None
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
