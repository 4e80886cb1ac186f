"""Where traces go, from a request to the file or collector; what is no place is refused."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from seawall.cli.configuration import load
from seawall.cli.output import CliError
from seawall.cli.settings import TelemetrySection
from seawall.cli.telemetry import traced
from seawall.gateway.app import create_app
from seawall.gateway.settings import GatewaySettings
from seawall.model.commands import Tick
from seawall.node.node import Node, NodeSettings

SPANS = ["sequencer.wait", "journal.append", "apply", "request"]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = await Node.open(NodeSettings(data=tmp_path / "data", ticks=False))
    yield node
    await node.close()


async def _ask(node: Node) -> None:
    assert node.tracing is not None
    with node.tracing.request("request"):
        await node.submit_spot(Tick())


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    heard: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            heard.append((self.path, self.rfile.read(length)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    thread.join()
    server.server_close()


async def test_traces_are_off_unless_configured(node: Node) -> None:
    section = load(None, {}).telemetry
    async with traced(node, section):
        assert node.tracing is None


async def test_a_file_gets_one_span_a_line(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    async with traced(node, TelemetrySection(traces=f"file:{path}", sampled="1")):
        await _ask(node)
    spans = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [span["name"] for span in spans] == SPANS
    assert len({span["context"]["trace_id"] for span in spans}) == 1
    assert spans[0]["resource"]["attributes"]["service.name"] == "seawall"


async def test_a_collector_gets_them_over_http(
    node: Node, collector: tuple[str, list[tuple[str, bytes]]]
) -> None:
    url, heard = collector
    async with traced(node, TelemetrySection(traces=url, sampled="1")):
        await _ask(node)
    assert {path for path, _ in heard} == {"/v1/traces"}
    assert all(name.encode() in b"".join(body for _, body in heard) for name in SPANS)


async def test_a_collector_that_is_away_costs_only_traces(node: Node) -> None:
    async with traced(node, TelemetrySection(traces="http://127.0.0.1:9", sampled="1")):
        await _ask(node)
    assert node.spot.sequence == 2


async def test_nothing_is_sampled_at_zero(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    async with traced(node, TelemetrySection(traces=f"file:{path}", sampled="0")):
        await _ask(node)
    assert path.read_text("utf-8") == ""


async def test_a_request_of_the_gateway_is_a_trace(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    app = create_app(node, GatewaySettings(data=tmp_path / "data"))
    transport = httpx.ASGITransport(app=app)
    async with (
        traced(node, TelemetrySection(traces=f"file:{path}", sampled="1")),
        httpx.AsyncClient(transport=transport, base_url="http://exchange") as client,
    ):
        assert (await client.get("/api/v3/time")).status_code == 200
    await app.close()
    (span,) = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert (span["name"], span["kind"]) == ("time", "SpanKind.SERVER")


@pytest.mark.parametrize(
    "section",
    [
        TelemetrySection(traces="udp://127.0.0.1:4317", sampled="1"),
        TelemetrySection(traces="stderr", sampled="2"),
        TelemetrySection(traces="stderr", sampled="often"),
        TelemetrySection(traces="file:/proc/none/traces", sampled="1"),
    ],
)
async def test_what_is_no_place_or_share_is_refused(node: Node, section: TelemetrySection) -> None:
    with pytest.raises(CliError):
        async with traced(node, section):
            pass
    assert node.tracing is None
