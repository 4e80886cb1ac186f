"""`/report`, where users say what does not work.  The rule: no script, nothing from elsewhere.

It asks nothing but the topic: no name, no text, no account.  English and Arabic.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from seawall.model.user_reports import ReportSummary, Topic

LANGUAGES: Final = ("en", "ar")
HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    # With "no-referrer" a browser would not say that the form is ours.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

Words = Mapping[str, str]

ENGLISH: Final[Words] = MappingProxyType({
    "title": "Report a problem",
    "ask": "What does not work for you?",
    "counts": "One press is enough. A report counts once an hour for each person.",
    "thanks": "Thank you. Your report was counted:",
    "again": "Thank you. You have already reported this within the last hour:",
    "refused": "That was not taken",
    "recent": "What people report",
    "hour": "Last hour",
    "day": "Last 24 hours",
    "kept": "Nothing is kept but the topic, the time and a code in place of your address or"
    " account. What people report never closes or opens a service by itself; it is looked at"
    " together with our own checks.",
    "here": "Counted at this access point since",
    "other": "العربية",
    Topic.WITHDRAWALS: "I cannot withdraw",
    Topic.DEPOSITS: "My deposit does not arrive",
    Topic.SIGN_IN: "I cannot sign in",
    Topic.BALANCES: "I cannot see my balance",
    Topic.TRADING: "I cannot trade",
    Topic.CANCELS: "I cannot cancel an order",
})  # fmt: skip

ARABIC: Final[Words] = MappingProxyType({
    "title": "الإبلاغ عن مشكلة",
    "ask": "ما الذي لا يعمل لديك؟",
    "counts": "ضغطة واحدة تكفي. يُحسب البلاغ مرة واحدة في الساعة لكل شخص.",
    "thanks": "شكرًا لك. تم احتساب بلاغك:",
    "again": "شكرًا لك. لقد أبلغت عن هذا خلال الساعة الماضية:",
    "refused": "لم يُقبل الطلب",
    "recent": "ما يبلّغ عنه المستخدمون",
    "hour": "آخر ساعة",
    "day": "آخر 24 ساعة",
    "kept": "لا يُحفظ سوى الموضوع والوقت ورمز بدلًا من عنوانك أو حسابك. لا تُغلق البلاغات أي خدمة"
    " ولا تفتحها وحدها؛ بل يُنظر إليها مع فحوصنا نحن.",
    "here": "محسوبة عند نقطة الدخول هذه منذ",
    "other": "English",
    Topic.WITHDRAWALS: "لا أستطيع السحب",
    Topic.DEPOSITS: "إيداعي لا يصل",
    Topic.SIGN_IN: "لا أستطيع تسجيل الدخول",
    Topic.BALANCES: "لا أستطيع رؤية رصيدي",
    Topic.TRADING: "لا أستطيع التداول",
    Topic.CANCELS: "لا أستطيع إلغاء أمر",
})  # fmt: skip

BOOK: Final[Mapping[str, Words]] = MappingProxyType({"en": ENGLISH, "ar": ARABIC})


def render(
    summary: ReportSummary,
    *,
    language: str,
    since: str,
    said: tuple[str, Topic] | None = None,
    trouble: str = "",
) -> str:
    """Return the whole page; `said` is what became of a report, and its topic."""
    return _template().render(
        w=BOOK[language],
        language=language,
        other="ar" if language == "en" else "en",
        topics=summary.topics,
        since=since,
        said=said,
        trouble=trouble,
    )


def language_of(asked: str) -> str:
    """Return the language of a `lang` parameter or an Accept-Language header."""
    return "ar" if asked.lower().startswith("ar") else "en"


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("seawall.gateway"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
