"""From a living exchange to a reader.  The rule: its own gateway, and the site's own process."""

import asyncio
import time
from pathlib import Path

import httpx
from msgspec import json
from tests.exchange import running_exchange
from tests.status.waiting import until

from seawall.status.gateways import PATH, decode
from seawall.status.levels import indicator
from seawall.status.running import StatusRun
from seawall.status.settings import StatusSettings, TargetSettings
from seawall.status.words import Words


async def test_a_halt_stands_on_the_site_within_seconds(tmp_path: Path) -> None:
    site = tmp_path / "site"
    with running_exchange(tmp_path / "exchange", busy=False) as exchange:
        settings = StatusSettings(
            gateways=(exchange.url,),
            data=str(tmp_path / "data"),
            every_s=1,
            target=(TargetSettings(url=f"file:{site}"), TargetSettings(url="memory:///")),
        )
        async with httpx.AsyncClient() as client:
            running = StatusRun(settings, client=client, now_ns=time.time_ns)
            stop = asyncio.Event()
            task = asyncio.create_task(running.run(stop))
            await until((site / "site.json").is_file, task)
            document = decode((await client.get(exchange.url + PATH)).content)
            assert indicator(document) == "none"
            assert "All services work" in (site / "index.html").read_text("utf-8")
            path = "markets/BNBUSDT/status"
            halt = {"status": "cancel_only", "reason": "a drill <b>of ours</b>"}
            await asyncio.to_thread(exchange.operator, path, halt)
            status = site / "api" / "v2" / "components.json"
            await until(lambda: "partial_outage" in status.read_text("utf-8"), task)
            await until(lambda: "of ours" in (site / "index.html").read_text("utf-8"), task)
            stop.set()
            await task
    components = json.decode(status.read_bytes())["components"]
    (hit,) = [
        each for each in components if each["status"] == "partial_outage" and not each["group"]
    ]
    assert hit["name"] == "Trading: BNBUSDT"
    assert hit["description"] == Words("en").posture("cancel_only")
    page = (site / "index.html").read_text("utf-8")
    assert "a drill &lt;b&gt;of ours&lt;/b&gt;" in page
    assert "إلغاء الأوامر فقط" in (site / "ar" / "index.html").read_text("utf-8")
