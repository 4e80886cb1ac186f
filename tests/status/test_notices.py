"""Notices.  The rule: each recipient is told of each update once, through real servers."""

import asyncio
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import given, settings
from msgspec import structs
from tests.status.documents import documents
from tests.status.sample import DAY, HOUR, MINUTE, NOW, SECOND, calm, outage, update
from tests.status.waiting import until

from seawall.model.posture import IncidentPhase, Severity
from seawall.model.status_document import IncidentLine, StatusDocument
from seawall.status.mail import Mail, compose
from seawall.status.moments import moment
from seawall.status.notices import Notice, notices
from seawall.status.notifier import REFUSALS_MOST, Lane, Notifier
from seawall.status.ports import Context, NotSentError
from seawall.status.running import open_ports
from seawall.status.sent import Sent
from seawall.status.settings import NotifySettings
from seawall.status.webhook import CHAT_MOST, Chat, Webhook, chat_text, sign
from seawall.status.words import Words

CONTEXT = Context(exchange="Seawall", url="https://status.example", sequence=1)
MAIL = NotifySettings(
    name="list", kind="mail", host="127.0.0.1", security="none", sender="status@example.org",
    to=("a@example.org",), unsubscribe="https://example.org/bye",
)  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


class Posted:
    """What a server was sent, and what it answers next."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.raw: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, bytes]] = []


@contextmanager
def receiver() -> Iterator[Posted]:
    posted = Posted()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, answer = posted.answers.pop(0) if posted.answers else (200, b"{}")
            if status == 200:
                headers = {name.lower(): value for name, value in self.headers.items()}
                posted.raw.append((headers, body))
                posted.bodies.append(json.loads(body))
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    posted.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield posted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Post:
    """A mail server's box, which may refuse."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, EmailMessage]] = []
        self.refuse: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802 - aiosmtpd asks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd asks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append((envelope.rcpt_tos[0], message))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[Post, int]]:
    post = Post()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    # aiosmtpd calls on its own port when it starts, so it must know it.
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield post, port
    finally:
        controller.stop()


def one_incident(*, updates: int = 1, at: int = NOW) -> StatusDocument:
    line = IncidentLine(
        number=4, severity=Severity.MAJOR, phase=IncidentPhase.INVESTIGATING,
        kind="provider_lost", facts={"dependency": "provider/amber"},
        services=("withdrawal/ETH/ETH",), opened_ns=at, next_update_ns=at + HOUR,
        updates=tuple(
            update(n, at + n * SECOND, "investigating", "opened" if n == 1 else "still_the_same")
            for n in range(1, updates + 1)
        ),
    )  # fmt: skip
    return structs.replace(calm(), incidents=(line,))


async def drain(lane: Lane) -> None:
    """Send all that is to be sent, without the waits between."""
    for _ in range(50):
        notice = lane.next_notice()
        if notice is None:
            return
        await lane.send(notice)
    raise AssertionError("it never ends")


def lanes(notifier: Notifier, document: StatusDocument) -> list[Lane]:
    notifier.offer(document)
    return notifier.lanes


async def test_each_update_is_posted_once_and_signed(tmp_path: Path) -> None:
    clock = Clock()
    with receiver() as posted:
        async with httpx.AsyncClient() as client:
            sent = Sent(tmp_path / "sent.sqlite")
            port = Webhook("ops", posted.url, b"key", client, clock)
            notifier = Notifier([port], sent, url="https://status.example", now_ns=clock)
            (lane,) = lanes(notifier, one_incident(updates=2))
            await drain(lane)
            await drain(lane)
            sent.close()
            # After a restart, too.
            again = Notifier(
                [port], Sent(tmp_path / "sent.sqlite"), url="https://status.example", now_ns=clock
            )
            (lane,) = lanes(again, one_incident(updates=3))
            await drain(lane)
    keys = [f"incident/4/update/{n}" for n in (1, 2, 3)]
    assert [body["id"] for body in posted.bodies] == keys
    headers, body = posted.raw[0]
    assert headers["idempotency-key"] == keys[0]
    at = headers["x-seawall-timestamp"]
    assert at == str(NOW // SECOND)
    expected = hmac.new(b"key", at.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["x-seawall-signature"] == f"sha256={expected}" == sign(b"key", at, body)
    told = posted.bodies[0]
    assert told["texts"]["en"]["title"] == "We cannot reach the provider “amber”"
    assert "المزود" in told["texts"]["ar"]["title"]
    assert told["url"] == "https://status.example/incidents/4.html"
    assert (told["severity"], told["phase"], told["kind"]) == ("major", "investigating", "opened")


async def test_one_who_is_new_is_not_told_of_the_past() -> None:
    clock = Clock()
    with receiver() as posted:
        async with httpx.AsyncClient() as client:
            port = Webhook("ops", posted.url, b"", client, clock)
            notifier = Notifier([port], Sent(":memory:"), url="", now_ns=clock)
            (lane,) = lanes(notifier, outage())
            await drain(lane)
            told = {body["id"] for body in posted.bodies}
            assert told == {
                "incident/7/update/8", "incident/8/update/1", "incident/8/update/2",
                "maintenance/3",
            }  # fmt: skip
            assert all("x-seawall-signature" not in headers for headers, _ in posted.raw)
            # And what waited for more than a day is not told any more.
            clock.now = NOW + 3 * DAY
            late = structs.replace(one_incident(updates=1, at=NOW + DAY), at_ns=clock.now)
            notifier.offer(late)
            await drain(lane)
    assert len(posted.bodies) == 4


async def test_what_fails_is_tried_again_in_order() -> None:
    clock = Clock()
    with receiver() as posted:
        posted.answers = [(500, b""), (429, b'{"parameters": {"retry_after": 7}}'), (503, b"")]
        async with httpx.AsyncClient() as client:
            port = Webhook("ops", posted.url, b"", client, clock)
            notifier = Notifier([port], Sent(":memory:"), url="", now_ns=clock)
            (lane,) = lanes(notifier, one_incident(updates=2))
            waits = []
            while (notice := lane.next_notice()) is not None:
                waits.append(await lane.send(notice))
    assert waits == [1.0, 7.0, 4.0, 0.0, 0.0], "longer each time, and as long as is asked"
    assert [body["id"][-1] for body in posted.bodies] == ["1", "2"]


async def test_one_message_that_is_refused_holds_up_no_other() -> None:
    clock = Clock()
    sent = Sent(":memory:")
    with receiver() as posted:
        posted.answers = [(400, b"{}")] * REFUSALS_MOST
        async with httpx.AsyncClient() as client:
            port = Chat("chat", posted.url, "-100", "en", client)
            notifier = Notifier([port], sent, url="", now_ns=clock)
            (lane,) = lanes(notifier, one_incident(updates=2))
            await drain(lane)
    assert len(posted.bodies) == 1
    outcomes = sent.outcomes("chat/-100")
    assert outcomes == {
        "incident/4/update/1": "refused: HTTP 400", "incident/4/update/2": "sent",
    }  # fmt: skip


async def test_a_dead_recipient_keeps_nobody_waiting() -> None:
    clock = Clock()
    with receiver() as posted:
        async with httpx.AsyncClient() as client:
            ports = [
                Webhook("dead", "http://127.0.0.1:1/token-of-ours", b"", client, clock),
                Webhook("well", posted.url, b"", client, clock),
            ]
            notifier = Notifier(ports, Sent(":memory:"), url="", now_ns=clock)
            tasks = [asyncio.create_task(lane.run()) for lane in notifier.lanes]
            notifier.offer(one_incident(updates=3))
            await until(lambda: len(posted.bodies) == 3, *tasks)
            dead = notifier.lanes[0]
            await until(lambda: bool(dead.fault), *tasks)
            assert "token" not in dead.fault
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_chat_messages_fit_and_keep_their_link() -> None:
    line = one_incident().incidents[0]
    long = structs.replace(
        line, updates=(update(1, NOW, "identified", "words", words_en="😀 very long " * 900),)
    )
    (notice,) = notices(structs.replace(calm(), incidents=(long,)))
    text = chat_text(notice, CONTEXT, Words("en"))
    assert len(text.encode("utf-16-le")) // 2 <= CHAT_MOST
    assert text.endswith("https://status.example/incidents/4.html")
    assert "…" in text
    with receiver() as posted:
        async with httpx.AsyncClient() as client:
            await Chat("c", posted.url, "-100", "ar", client).send(notice, "-100", CONTEXT)
    assert posted.bodies[0]["chat_id"] == "-100"
    assert posted.bodies[0]["text"].startswith("Seawall: ")


def texts_of(message: EmailMessage) -> tuple[str, str]:
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


async def test_mail_has_both_languages_and_says_that_a_machine_sent_it() -> None:
    clock = Clock()
    with mail_server() as (post, port):
        mail = Mail(structs.replace(MAIL, port=port, to=("a@example.org", "b@example.org")), "")
        notifier = Notifier([mail], Sent(":memory:"), url="https://status.example", now_ns=clock)
        for lane in lanes(notifier, one_incident(updates=2)):
            await drain(lane)
    assert [to for to, _ in post.messages] == ["a@example.org"] * 2 + ["b@example.org"] * 2
    first, second = post.messages[0][1], post.messages[1][1]
    assert first["Subject"].startswith("[Seawall] We cannot reach the provider “amber” · ")
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["List-Unsubscribe"] == "<https://example.org/bye>"
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert first["Date"].datetime == moment(NOW + SECOND).replace(microsecond=0)
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"], "a reader shows them as one thread"
    plain, html = texts_of(first)
    assert "Services: Withdrawals: ETH on Ethereum" in plain
    assert "لا يمكننا الوصول" in plain
    assert "https://status.example/ar/incidents/4.html" in plain
    assert '<div lang="ar" dir="rtl">' in html
    assert '<a href="https://status.example/incidents/4.html">' in html


async def test_a_mailbox_that_is_gone_is_given_up_and_a_full_one_is_not() -> None:
    (notice,) = notices(one_incident())
    with mail_server() as (post, port):
        mail = Mail(structs.replace(MAIL, port=port), "")
        post.refuse = {"a@example.org": "550 no such user"}
        with pytest.raises(NotSentError) as gone:
            await mail.send(notice, "a@example.org", CONTEXT)
        post.refuse = {"a@example.org": "452 mailbox full"}
        with pytest.raises(NotSentError) as full:
            await mail.send(notice, "a@example.org", CONTEXT)
    assert (gone.value.refused, full.value.refused) == (True, False)
    with pytest.raises(NotSentError) as nobody:
        await mail.send(notice, "a@example.org", CONTEXT)
    assert not nobody.value.refused, "a server that is down will be there again"


@settings(max_examples=20)
@given(documents())
def test_any_notice_becomes_a_message(document: StatusDocument) -> None:
    for notice in notices(document):
        text = chat_text(notice, CONTEXT, Words("ar"))
        assert len(text.encode("utf-16-le", "replace")) // 2 <= CHAT_MOST
        message = compose(notice, "a@example.org", CONTEXT, MAIL)
        parsed = message_from_bytes(message.as_bytes(), policy=default)
        assert isinstance(parsed, EmailMessage)
        assert parsed["To"] == "a@example.org"
        assert "\n" not in parsed["Subject"]
        _, html = texts_of(parsed)
        assert "<script" not in html
        assert "<img" not in html


def test_keys_are_unique_and_threads_hold_together() -> None:
    found: list[Notice] = notices(outage())
    assert len({notice.key for notice in found}) == len(found)
    assert all(notice.key.startswith(notice.thread) for notice in found)
    assert [notice.at_ns for notice in found] == sorted(notice.at_ns for notice in found)
    assert found[-1].at_ns <= NOW + MINUTE


def test_secrets_are_read_from_files_and_what_lacks_is_named(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("123:abc\n")
    client = httpx.AsyncClient()
    chat = NotifySettings(
        name="chat", kind="chat", url="https://chat.example/bot{token}/sendMessage",
        secret_file=str(secret), chat_id="-100",
    )  # fmt: skip
    (port,) = open_ports([chat], client, Clock())
    assert isinstance(port, Chat)
    assert port._url == "https://chat.example/bot123:abc/sendMessage"
    with pytest.raises(ValueError, match="'chat' lacks chat_id"):
        open_ports([structs.replace(chat, chat_id="")], client, Clock())
    with pytest.raises(ValueError, match="same name"):
        open_ports([chat, chat], client, Clock())
    with pytest.raises(FileNotFoundError):
        open_ports([structs.replace(chat, secret_file=str(tmp_path / "no"))], client, Clock())
