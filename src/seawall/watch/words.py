"""What the watch says to people, in English and Arabic.  The rule: every verdict in plain words.

A sentence says what was seen and what it means; none says that all is well without a proof.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from seawall.watch.chain_silence import Verdict
from seawall.watch.moved import Moved
from seawall.watch.wallet import Report

LANGUAGES: Final = ("en", "ar")
Words = Mapping[str, str]

ENGLISH: Final[Words] = MappingProxyType({
    Verdict.ACTIVE: "Active",
    Verdict.WALLET_SILENT: "The wallet is silent",
    Verdict.NODE_STALLED: "The node stalled",
    Verdict.NODE_BEHIND: "The node is behind",
    Verdict.ENDPOINTS_DISAGREE: "The endpoints disagree",
    Verdict.UNKNOWN: "Unknown",
    "active.": "It sends as it usually does.",
    "wallet_silent.": "It usually sends at this time of the week. Such a silence is not chance.",
    "node_stalled.": "No new blocks come, so nothing can be said of the wallet. What is below is as"
    " last known.",
    "node_behind.": "The newest block is old, so nothing can be said of the wallet now.",
    "conflict": "Endpoints tell different things of one chain; which is right is not known.",
    "one_stalled": "One endpoint sees the wallet active; another has no current blocks.",
    "learning": "The wallet's past is still being read.",
    "short_history": "Too little of its past is known to say what a silence means.",
    "seldom": "It sends too seldom for a silence to mean anything.",
    "unreached": "No endpoint has answered yet.",
    "catching_up": "It has sent something; when and what is being looked up.",
    "clock": "Blocks come from the future: this machine's clock is wrong, or the node's.",
    "title": "Wallet watch",
    "address": "Address",
    "last": "Last sent",
    "nothing": "nothing that could be found",
    "in_transaction": "in transaction",
    "silence": "Silent for",
    "chance": "Chance of that",
    "expected": "Usual now",
    "per_hour": "per hour",
    "alarm_at": "Named silent at",
    "alarm_if": "if nothing is sent",
    "silent_since": "Silent beyond chance since",
    "history": "Learned from",
    "sent_since": "transactions since",
    "false_alarms": "False alarms to expect",
    "per_year": "a year",
    "stretch": "Its own long pauses are allowed for",
    "no_archive": "The node keeps no old state: only newest blocks were read, and those to come.",
    "endpoints": "Endpoints",
    "block": "Block",
    "health": "State",
    "age": "Age of the newest block",
    "profile": "Usual week",
    "profile_is": "Transactions expected per hour, UTC",
    "checked": "Looked at",
    "days": "Mon Tue Wed Thu Fri Sat Sun",
    "to": "to",
    "called": "called",
    "deployed": "deployed a contract",
    "failed": "it failed",
    "other": "العربية",
    "trouble": "Trouble",
    "not_known": "unknown",
    "less": "less than 1 in a billion",
    "one_in": "1 in",
    "health.current": "current",
    "health.stalled": "stalled",
    "health.behind": "behind",
    "health.ahead": "from the future",
    "health.unreached": "no answer yet",
})  # fmt: skip

ARABIC: Final[Words] = MappingProxyType({
    Verdict.ACTIVE: "نشطة",
    Verdict.WALLET_SILENT: "المحفظة صامتة",
    Verdict.NODE_STALLED: "توقفت العقدة",
    Verdict.NODE_BEHIND: "العقدة متأخرة",
    Verdict.ENDPOINTS_DISAGREE: "نقاط الاتصال متعارضة",
    Verdict.UNKNOWN: "غير معروف",
    "active.": "تُرسل كعادتها.",
    "wallet_silent.": "عادةً ما تُرسل في هذا الوقت من الأسبوع. صمت كهذا ليس مصادفة.",
    "node_stalled.": "لا تصل كتل جديدة، فلا يمكن قول شيء عن المحفظة. ما يلي هو آخر ما عُرف.",
    "node_behind.": "أحدث كتلة قديمة، فلا يمكن قول شيء عن المحفظة الآن.",
    "conflict": "نقطتا اتصال تقولان أشياء مختلفة عن السلسلة نفسها، ولا يُعرف أيهما الصحيحة.",
    "one_stalled": "إحدى نقاط الاتصال ترى المحفظة نشطة، وأخرى ليست لديها كتل حديثة.",
    "learning": "ما زال ماضي المحفظة قيد القراءة.",
    "short_history": "المعروف من ماضيها أقل من أن يُفهم منه معنى الصمت.",
    "seldom": "تُرسل نادرًا بحيث لا يعني الصمت شيئًا.",
    "unreached": "لم تُجب أي نقطة اتصال بعد.",
    "catching_up": "أرسلت شيئًا؛ يجري البحث عن وقته ومحتواه.",
    "clock": "الكتل تأتي من المستقبل: ساعة هذا الجهاز خاطئة، أو ساعة العقدة.",
    "title": "مراقبة محفظة",
    "address": "العنوان",
    "last": "آخر إرسال",
    "nothing": "لم يُعثر على شيء",
    "in_transaction": "في المعاملة",
    "silence": "صامتة منذ",
    "chance": "احتمال ذلك",
    "expected": "المعتاد الآن",
    "per_hour": "في الساعة",
    "alarm_at": "يُعلن الصمت عند",
    "alarm_if": "إن لم يُرسل شيء",
    "silent_since": "الصمت يتجاوز المصادفة منذ",
    "history": "تعلّمت من",
    "sent_since": "معاملة منذ",
    "false_alarms": "إنذارات كاذبة متوقعة",
    "per_year": "في السنة",
    "stretch": "رُوعيت فترات توقفها الطويلة المعتادة",
    "no_archive": "لا تحتفظ أي نقطة اتصال بالحالات القديمة: قُرئت أحدث الكتل فقط، وما يأتي من الآن.",
    "endpoints": "نقاط الاتصال",
    "block": "الكتلة",
    "health": "الحالة",
    "age": "عمر أحدث كتلة",
    "profile": "الأسبوع المعتاد",
    "profile_is": "المعاملات المتوقعة في الساعة، بالتوقيت العالمي",
    "checked": "وقت النظر",
    "days": "الإثنين الثلاثاء الأربعاء الخميس الجمعة السبت الأحد",
    "to": "إلى",
    "called": "استدعت",
    "deployed": "نشرت عقدًا",
    "failed": "فشلت",
    "other": "English",
    "trouble": "مشكلة",
    "not_known": "غير معروف",
    "less": "أقل من 1 في المليار",
    "one_in": "1 من",
    "health.current": "حديثة",
    "health.stalled": "متوقفة",
    "health.behind": "متأخرة",
    "health.ahead": "من المستقبل",
    "health.unreached": "لم تُجب بعد",
})  # fmt: skip

BOOK: Final[Mapping[str, Words]] = MappingProxyType({"en": ENGLISH, "ar": ARABIC})

SECONDS: Final = {"en": ("d", "h", "min", "s"), "ar": ("يوم", "ساعة", "دقيقة", "ثانية")}


def headline(report: Report, language: str) -> str:
    return BOOK[language][report.assessment.verdict]


def explanation(report: Report, language: str) -> str:
    """Return the sentence below the headline."""
    assessment = report.assessment
    key = assessment.reason or f"{assessment.verdict}."
    return BOOK[language][key]


def moved_what(moved: Moved, language: str) -> str:
    """Return what a transaction moved: `1,000,000 SOS`, or what it did instead."""
    words = BOOK[language]
    if moved.kind == "deployment":
        return words["deployed"]
    if moved.kind == "call":
        with_coin = "" if moved.amount == "0" else f" ({moved.amount} {moved.asset})"
        return words["called"] + with_coin
    return f"{moved.amount} {moved.asset}"


def chance(probability: float | None, language: str) -> str:
    """Return a probability as people say it."""
    words = BOOK[language]
    if probability is None:
        return words["not_known"]
    if probability >= 0.01:
        return f"{probability:.0%}"
    if probability < 1e-9:
        return words["less"]
    return f"{words['one_in']} {1 / probability:,.0f}"


def span(seconds: float | None, language: str) -> str:
    """Return a duration in its two greatest units."""
    if seconds is None:
        return BOOK[language]["not_known"]
    whole = int(seconds)
    counts = (whole // 86_400, whole // 3_600 % 24, whole // 60 % 60, whole % 60)
    first = next((place for place, count in enumerate(counts) if count), 3)
    parts = [
        f"{counts[place]} {SECONDS[language][place]}"
        for place in (first, first + 1)
        if place < 4 and (counts[place] or place == first)
    ]
    return " ".join(parts)


def moment(at_s: float | None, language: str) -> str:
    """Return a time in UTC."""
    if at_s is None:
        return BOOK[language]["not_known"]
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def rate(per_hour: float | None, language: str) -> str:
    if per_hour is None:
        return BOOK[language]["not_known"]
    return f"{per_hour:,.0f}" if per_hour >= 10 else f"{per_hour:.2g}"
