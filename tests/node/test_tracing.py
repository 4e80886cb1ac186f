"""One order's trace over two nodes; the same spans on a node that is alone; nothing when off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import SpanContext, StatusCode
from tests.node.cluster import member, topology_of
from tests.tools import program

from seawall.lab.bench.own import listing_commands
from seawall.lab.etcd import EtcdCluster
from seawall.model.commands import Tick
from seawall.model.ids import SPOT
from seawall.node.errors import NodeError
from seawall.node.node import Node, NodeSettings
from seawall.node.tracing import Tracing

PATIENCE_S = 30
AT_THE_LEADER = ["sequencer.wait", "journal.append", "apply"]


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[EtcdCluster]:
    program("etcd")
    cluster = EtcdCluster.local(tmp_path / "etcd")
    await cluster.start()
    yield cluster
    await cluster.stop()


def _tracing(exporter: InMemorySpanExporter, node: str, sampler: Sampler = ALWAYS_ON) -> Tracing:
    provider = TracerProvider(sampler=ParentBased(sampler), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider.get_tracer("seawall"), node)


def _named(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = (span for span in exporter.get_finished_spans() if span.name == name)
    return found


async def _spans_of(exporter: InMemorySpanExporter, count: int) -> dict[str, ReadableSpan]:
    async with asyncio.timeout(PATIENCE_S):
        # A follower may know of the entry before the leader has applied it.
        while len(exporter.get_finished_spans()) < count:  # noqa: ASYNC110  (it tells nobody)
            await asyncio.sleep(0.02)
    return {span.name: span for span in exporter.get_finished_spans()}


def _context(span: ReadableSpan) -> SpanContext:
    context = span.get_span_context()
    assert context is not None
    return context


def _node_of(span: ReadableSpan) -> object:
    return (span.attributes or {})["seawall.node"]


async def test_one_trace_spans_two_nodes(etcd: EtcdCluster, tmp_path: Path) -> None:
    topology = topology_of(etcd)
    exporter = InMemorySpanExporter()
    async with AsyncExitStack() as stack:
        tracings: dict[Node, Tracing] = {}
        for name in ("amber", "blue"):
            node = await stack.enter_async_context(member(topology, name, tmp_path))
            tracings[node] = _tracing(exporter, name)
            node.trace(tracings[node])
        # The lead may change at any time; whoever has it, one of the two is not it.
        takers = [node for _ in range(PATIENCE_S) for node in tracings]
        for taker in takers:
            exporter.clear()
            with tracings[taker].request("POST /api/v3/order"):
                committed = await taker.submit_spot(Tick())
            spans = await _spans_of(exporter, 2 + len(AT_THE_LEADER))
            if _node_of(spans["apply"]) != taker.settings.name:
                break
        request, command = spans["POST /api/v3/order"], spans["command"]
        assert {_node_of(request), _node_of(command)} == {taker.settings.name}
        assert len({_context(span).trace_id for span in spans.values()}) == 1
        assert command.parent == _context(request)
        for name in AT_THE_LEADER:
            span = spans[name]
            assert span.parent is not None
            assert span.parent.span_id == _context(command).span_id
            assert {_node_of(span), taker.settings.name} == {"amber", "blue"}
            assert (span.attributes or {})["seawall.sequence"] == str(committed.sequence)
            assert (span.end_time or 0) >= (span.start_time or 1)


async def test_a_node_that_is_alone_makes_the_same_spans_and_tells_refusals(tmp_path: Path) -> None:
    node = await Node.open(NodeSettings(data=tmp_path, ticks=False))
    exporter = InMemorySpanExporter()
    tracing = _tracing(exporter, "solo")
    node.trace(tracing)
    listing = listing_commands()
    await node.submit_spot(listing[0])
    assert not exporter.get_finished_spans(), "no request, no trace"
    with tracing.request("request"):
        await node.submit_spot(listing[1])
    assert [span.name for span in exporter.get_finished_spans()] == [*AT_THE_LEADER, "request"]

    exporter.clear()
    with tracing.request("request"):
        waiting = node.submit_spot(listing[2])
        node.drivers[SPOT].stop("stopped by the test")
    with pytest.raises(NodeError):
        await waiting
    refused = _named(exporter, "sequencer.refused")
    assert refused.status.status_code is StatusCode.ERROR
    await node.close()


async def test_a_trace_that_is_not_sampled_makes_no_span(tmp_path: Path) -> None:
    node = await Node.open(NodeSettings(data=tmp_path, ticks=False))
    exporter = InMemorySpanExporter()
    tracing = _tracing(exporter, "solo", ALWAYS_OFF)
    node.trace(tracing)
    with tracing.request("request"):
        await node.submit_spot(listing_commands()[0])
    assert not exporter.get_finished_spans()
    assert node.drivers[SPOT].tracing is tracing
    await node.close()


@pytest.mark.parametrize(
    "text", ["", "nonsense", "00-xx-yy-01", "00-" + "g" * 32 + "-" + "0" * 16 + "-01"]
)
def test_a_context_that_is_none_is_no_trace(text: str) -> None:
    tracing = _tracing(InMemorySpanExporter(), "solo")
    assert tracing.timeline(SPOT, text) is None
