"""Notices by e-mail.  The rule: one message in both languages, marked as sent by a machine.

Each recipient gets a message of his own, so that one address that fails is nobody else's trouble.
"""

import asyncio
import hashlib
import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from markupsafe import Markup, escape

from seawall.status import addresses
from seawall.status.moments import moment
from seawall.status.notices import Notice
from seawall.status.ports import Context, NotSentError
from seawall.status.settings import NotifySettings
from seawall.status.text import clean, lines
from seawall.status.words import LANGUAGES, Words

ANSWER_S: Final = 20.0
TITLE_MOST: Final = 150
_HEAD: Final = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"></head><body>'


class Mail:
    """One SMTP server."""

    def __init__(self, settings: NotifySettings, password: str) -> None:
        self.name = settings.name
        self.recipients = settings.to
        self._settings = settings
        self._password = password

    async def send(self, notice: Notice, recipient: str, context: Context) -> None:
        message = compose(notice, recipient, context, self._settings)
        try:
            await asyncio.to_thread(self._send, message, recipient)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise NotSentError(
                f"SMTP refuses {recipient}: {codes}", refused=all(code >= 500 for code in codes)
            ) from None
        except smtplib.SMTPResponseException as error:
            # What the server says of the login is no matter of this one message.
            of_message = error.smtp_code >= 500 and not isinstance(
                error, smtplib.SMTPAuthenticationError
            )
            raise NotSentError(f"SMTP {error.smtp_code}", refused=of_message) from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSentError(f"{type(error).__name__}: {error}") from None

    def _send(self, message: EmailMessage, recipient: str) -> None:
        told = self._settings
        secure = ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(told.host, told.port, timeout=ANSWER_S, context=secure)
            if told.security == "tls"
            else smtplib.SMTP(told.host, told.port, timeout=ANSWER_S)
        ) as server:
            if told.security == "starttls":
                server.starttls(context=secure)
            if told.username:
                server.login(told.username, self._password)
            server.send_message(message, from_addr=told.sender, to_addrs=[recipient])


def compose(
    notice: Notice, recipient: str, context: Context, settings: NotifySettings
) -> EmailMessage:
    """Return the message; the same notice and recipient give the same Message-ID for ever."""
    words = {language: Words(language) for language in LANGUAGES}
    titles = [notice.title(each).plain() for each in words.values()]
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject(context.exchange, titles)
    message["From"] = Address(display_name=_one_line(context.exchange), addr_spec=settings.sender)
    message["To"] = recipient
    message["Date"] = format_datetime(moment(notice.at_ns))
    domain = settings.sender.rpartition("@")[2] or "localhost"
    whose = hashlib.sha256(recipient.encode()).hexdigest()[:12]
    root = f"<{notice.thread.replace('/', '-')}.{whose}@{domain}>"
    own = f"<{notice.key.replace('/', '-')}.{whose}@{domain}>"
    message["Message-ID"] = own
    if own != root:
        message["In-Reply-To"] = root
        message["References"] = root
    message["Auto-Submitted"] = "auto-generated"
    message["Precedence"] = "list"
    if settings.unsubscribe:
        message["List-Unsubscribe"] = f"<{settings.unsubscribe}>"
        if settings.unsubscribe.startswith("https:"):
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    plain = "\n\n----\n\n".join(_plain(notice, context, settings, w) for w in words.values())
    html = "<hr>".join(_html(notice, context, settings, w) for w in words.values())
    message.set_content(plain)
    message.add_alternative(_HEAD + html + "</body></html>", subtype="html")
    return message


def subject(exchange: str, titles: list[str]) -> str:
    """Return one line, whatever a title holds."""
    told = " · ".join(dict.fromkeys(_one_line(each) for each in titles))
    found = f"[{_one_line(exchange)}] {told}"
    return found if len(found) <= TITLE_MOST else found[: TITLE_MOST - 1] + "…"


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def _parts(notice: Notice, words: Words) -> list[str]:
    """Return the paragraphs that follow the title."""
    found = [f"{words.plain_time(notice.at_ns)} · {notice.phase(words)}", notice.body(words)]
    if notice.services:
        named = words.list([words.service(each) for each in notice.services])
        found.append(words("mail_services", services=named).plain())
    incident = notice.incident
    if incident is not None and incident.next_update_ns and incident.phase != "resolved":
        due = words.time(incident.next_update_ns)
        found.append(words("mail_next", time=due).plain())
    return [each for each in found if each]


def _page(notice: Notice, context: Context, words: Words) -> str:
    root = addresses.ROOTS[words.language]
    return addresses.whole(context.url, root + notice.path)


def _plain(notice: Notice, context: Context, settings: NotifySettings, words: Words) -> str:
    parts = [notice.title(words).plain(), *_parts(notice, words)]
    parts.append(words("mail_more", url=_page(notice, context, words)).plain())
    if settings.unsubscribe:
        parts.append(words("unsubscribe", address=settings.unsubscribe).plain())
    return "\n\n".join(parts)


def _html(notice: Notice, context: Context, settings: NotifySettings, words: Words) -> str:
    book = words.book
    inner = [Markup("<h2>{}</h2>").format(notice.title(words))]
    inner += [Markup("<p>{}</p>").format(lines(each)) for each in _parts(notice, words)]
    url = escape(_page(notice, context, words))
    link = Markup('<a href="{url}"><bdi>{url}</bdi></a>').format(url=url)
    inner.append(Markup("<p>{}</p>").format(_around(book.phrases["mail_more"], "{url}", link)))
    if settings.unsubscribe:
        told = Markup('<a href="{url}"><bdi>{url}</bdi></a>').format(url=settings.unsubscribe)
        inner.append(
            Markup("<p>{}</p>").format(_around(book.phrases["unsubscribe"], "{address}", told))
        )
    return Markup('<div lang="{}" dir="{}">{}</div>').format(
        words.language, book.direction, Markup("").join(inner)
    )


def _around(phrase: str, place: str, inner: Markup) -> Markup:
    """Return the phrase with HTML in its place."""
    before, _, after = phrase.partition(place)
    return Markup("{}{}{}").format(before, inner, after)
