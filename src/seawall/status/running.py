"""The status site's process.  The rule: it goes on with what it has, and says how old that is.

Every few seconds the gateways are asked; what is new is built and offered to every target and
recipient at once.  While nothing is new the site is made again each heartbeat, so that its age
shows, and so that who looks from outside can tell that this process lives.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import httpx
import structlog

from seawall.status.gateways import Gateways, Kept
from seawall.status.levels import age_s
from seawall.status.mail import Mail
from seawall.status.moments import SECOND_NS
from seawall.status.notifier import Notifier
from seawall.status.ports import Port
from seawall.status.publisher import Publisher
from seawall.status.sent import Sent
from seawall.status.settings import NotifySettings, StatusSettings
from seawall.status.site import SiteSettings, build, facts_hash, named
from seawall.status.targets import open_target
from seawall.status.webhook import Chat, Webhook

_log = structlog.get_logger("seawall.status")

DOCUMENT: Final = "document.json"
SENT: Final = "sent.sqlite"


class StatusRun:
    """Sources, targets and recipients of one site."""

    def __init__(
        self,
        settings: StatusSettings,
        *,
        client: httpx.AsyncClient,
        now_ns: Callable[[], int],
        anew: bool = False,
    ) -> None:
        """Open everything; ValueError or OSError says what cannot be.

        With `anew` the last document is forgotten, and what stands at the targets is replaced
        even by older word: for an exchange whose journals have begun anew.
        """
        folder = Path(settings.data)
        folder.mkdir(parents=True, exist_ok=True)
        if anew:
            (folder / DOCUMENT).unlink(missing_ok=True)
        self.site: dict[str, bytes] = {}
        """As it was last built, for whoever looks at it on this machine."""
        self._settings = settings
        self._told = SiteSettings(name=settings.name, url=settings.url, stale_s=settings.stale_s)
        self._now_ns = now_ns
        self._kept = Kept(folder / DOCUMENT)
        self._gateways = Gateways(settings.gateways, client, self._kept)
        self.publishers = [Publisher(open_target(each), anew=anew) for each in settings.target]
        self._sent = Sent(folder / SENT)
        self.notifier = Notifier(
            open_ports(settings.notify, client, now_ns),
            self._sent,
            url=settings.url,
            now_ns=now_ns,
        )
        self._built_ns = 0
        self._facts = ""
        self._stale = False

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until told to stop."""
        lasting = [self._look(), *(each.run() for each in self.publishers)]
        lasting += [lane.run() for lane in self.notifier.lanes]
        tasks = [asyncio.create_task(each) for each in lasting]
        ended = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                # One that ends by itself has met what nobody thought of.
                task.result()
        finally:
            for task in (*tasks, ended):
                task.cancel()
            await asyncio.gather(*tasks, ended, return_exceptions=True)
            self._sent.close()

    async def _look(self) -> None:
        while True:
            await self._gateways.ask(self._now_ns())
            await self.refresh()
            await asyncio.sleep(self._settings.every_s)

    async def refresh(self) -> bool:
        """Build and offer the site if there is a reason to; return whether there was."""
        document = self._kept.document
        if document is None:
            return False
        now_ns = self._now_ns()
        facts, stale = facts_hash(document), age_s(document, now_ns) > self._told.stale_s
        waited = now_ns - self._built_ns >= self._settings.heartbeat_s * SECOND_NS
        if not waited and facts == self._facts and stale == self._stale:
            return False
        if facts != self._facts:
            self.notifier.offer(named(document, self._told.name))
        if stale and not self._stale:
            _log.warning("the site is out of date", sequence=document.sequence)
        self._facts, self._stale, self._built_ns = facts, stale, now_ns
        self.site = await asyncio.to_thread(build, document, now_ns, self._told)
        for publisher in self.publishers:
            publisher.offer(self.site)
        return True


def open_ports(
    settings: Sequence[NotifySettings], client: httpx.AsyncClient, now_ns: Callable[[], int]
) -> list[Port]:
    """Return the ports; ValueError or OSError where one cannot be."""
    names = [each.name for each in settings]
    if len(set(names)) < len(names):
        raise ValueError("status.notify: two have the same name")
    return [_open_port(each, client, now_ns) for each in settings]


def _open_port(
    settings: NotifySettings, client: httpx.AsyncClient, now_ns: Callable[[], int]
) -> Port:
    place = f"status.notify {settings.name!r}"
    secret = ""
    if settings.secret_file:
        secret = Path(settings.secret_file).read_text("utf-8").strip()
    match settings.kind:
        case "webhook":
            _need(place, url=settings.url)
            return Webhook(settings.name, settings.url, secret.encode(), client, now_ns)
        case "chat":
            _need(place, url=settings.url, chat_id=settings.chat_id)
            url = settings.url.replace("{token}", secret)
            return Chat(settings.name, url, settings.chat_id, settings.language, client)
        case "mail":
            _need(place, host=settings.host, sender=settings.sender, to=settings.to)
            return Mail(settings, secret)


def _need(place: str, **values: object) -> None:
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise ValueError(f"{place} lacks {', '.join(missing)}")
