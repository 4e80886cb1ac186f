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
from opentelemetry.trace import StatusCode
from tests.node.cluster import member, topology_of
from tests.tools import program

from seawall.lab.bench.own import listing_commands
from seawall.lab.etcd import EtcdCluster
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


async def _someone_leads(nodes: list[Node]) -> Node:
    async with asyncio.timeout(PATIENCE_S):
        while [node.leads(SPOT) for node in nodes].count(True) != 1:  # noqa: ASYNC110  (a role changes without a word)
            await asyncio.sleep(0.02)
    return next(node for node in nodes if node.leads(SPOT))


async def test_one_trace_spans_two_nodes(etcd: EtcdCluster, tmp_path: Path) -> None:
    topology = topology_of(etcd)
    async with AsyncExitStack() as stack:
        names = ("amber", "blue")
        nodes = [await stack.enter_async_context(member(topology, n, tmp_path)) for n in names]
        listing = listing_commands()
        await nodes[0].submit_spot(listing[0])
        leader = await _someone_leads(nodes)
        follower = nodes[1 - nodes.index(leader)]
        exporter = InMemorySpanExporter()
        tracings = {node: _tracing(exporter, node.settings.name) for node in nodes}
        for node, tracing in tracings.items():
            node.trace(tracing)
        with tracings[follower].request("POST /api/v3/order"):
            committed = await follower.submit_spot(listing[1])

        async with asyncio.timeout(PATIENCE_S):
            # A follower may know of the entry before the leader has applied it.
            while len(exporter.get_finished_spans()) < 2 + len(AT_THE_LEADER):  # noqa: ASYNC110  (an exporter tells nobody)
                await asyncio.sleep(0.02)
        spans = exporter.get_finished_spans()
        assert len({span.context.trace_id for span in spans if span.context}) == 1
        command, request = _named(exporter, "command"), _named(exporter, "POST /api/v3/order")
        assert command.parent is not None
        assert request.context is not None
        assert command.parent.span_id == request.context.span_id
        assert (command.attributes or {})["seawall.node"] == follower.settings.name
        for name in AT_THE_LEADER:
            span = _named(exporter, name)
            assert span.parent is not None
            assert command.context is not None
            assert span.parent.span_id == command.context.span_id
            assert (span.attributes or {})["seawall.node"] == leader.settings.name
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
        node._drivers[SPOT].stop("stopped by the test")
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
    assert node._drivers[SPOT].tracing is tracing
    await node.close()


@pytest.mark.parametrize(
    "text", ["", "nonsense", "00-xx-yy-01", "00-" + "g" * 32 + "-" + "0" * 16 + "-01"]
)
def test_a_context_that_is_none_is_no_trace(text: str) -> None:
    tracing = _tracing(InMemorySpanExporter(), "solo")
    assert tracing.timeline(SPOT, text) is None
