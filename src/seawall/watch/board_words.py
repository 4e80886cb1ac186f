"""What the board says to people, in English and Arabic.  The rule: a cause never without its rule.

Names, titles and regions are a stranger's own words and stay as they are.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from seawall.model.watch_facts import Doubt, Fact, Health
from seawall.watch import words
from seawall.watch.board import Board, Confidence, Party
from seawall.watch.board_settings import Group

Words = Mapping[str, str]
SECOND_NS: Final = 1_000_000_000

ENGLISH: Final[Words] = MappingProxyType({
    Health.OK: "No trouble told",
    Health.DEGRADED: "Degraded",
    Health.DOWN: "Down",
    Health.MAINTENANCE: "Maintenance",
    Health.UNKNOWN: "Not known",
    Group.CLOUD: "Clouds",
    Group.NETWORK: "Networks",
    Group.EXCHANGE: "Exchanges",
    Group.WALLET: "Wallets",
    Group.ANALYTICS: "Analytics",
    Confidence.LIKELY: "Likely common cause",
    Confidence.POSSIBLE: "Possible cause",
    Confidence.SUSPECTED: "Suspected common cause",
    Confidence.NONE: "No common cause known",
    "likely.": "It tells of trouble there itself, and two or more who run on it are in trouble"
    " since about then.",
    "possible.": "It tells of trouble there itself, and one who runs on it is in trouble since"
    " about then.",
    "suspected.": "It tells of no trouble, but three or more, and most, of those who run on it fell"
    " ill within one hour.",
    "none.": "They fell ill within one hour of each other. What they run on does not explain it;"
    " it may be chance.",
    Doubt.NOT_ASKED: "not asked yet",
    Doubt.UNREACHED: "no answer",
    Doubt.HTTP_STATUS: "refused by its server",
    Doubt.TOO_LARGE: "too much to read",
    Doubt.WRONG_ENCODING: "not in its encoding",
    Doubt.MALFORMED: "not readable",
    Doubt.UNKNOWN_WORD: "words not known",
    Doubt.CONTRADICTION: "contradicts itself",
    Doubt.STALE: "old",
    Doubt.REFUSED: "refused",
    Doubt.NOT_PUBLIC: "not told in public",
    Doubt.BROKEN: "the adapter failed",
    "title": "Who is in trouble",
    "calm": "No feed tells of trouble",
    "calm.": "That is what they tell; what they do not tell cannot be seen from here.",
    "partly": "No trouble is told, but not all can be seen",
    "partly.": "What cannot be seen is not called well.",
    "blind": "Nothing can be seen",
    "blind.": "No feed could be read, so nothing can be said.",
    "some": "in trouble",
    "some.": "Each as its own feeds and its public market data tell.",
    "together": "In trouble together",
    "alone": "Nobody is in trouble together with another.",
    "since": "since",
    "for": "for",
    "parties": "All that are watched",
    "runs_on": "runs on",
    "providers": "Our own providers",
    "told_by": "as told by",
    "looked": "Looked at",
    "old": "This page was made at the time above. If that is long ago, it says nothing of now.",
    "other": "العربية",
    "more": "more",
})  # fmt: skip

ARABIC: Final[Words] = MappingProxyType({
    Health.OK: "لا عطل مُعلن",
    Health.DEGRADED: "أداء متدنٍّ",
    Health.DOWN: "متوقفة",
    Health.MAINTENANCE: "صيانة",
    Health.UNKNOWN: "غير معروف",
    Group.CLOUD: "السُّحُب",
    Group.NETWORK: "الشبكات",
    Group.EXCHANGE: "منصات التداول",
    Group.WALLET: "المحافظ",
    Group.ANALYTICS: "التحليلات",
    Confidence.LIKELY: "سبب مشترك مرجَّح",
    Confidence.POSSIBLE: "سبب محتمل",
    Confidence.SUSPECTED: "سبب مشترك مشتبه به",
    Confidence.NONE: "لا سبب مشترك معروف",
    "likely.": "يُعلن بنفسه عن عطل هناك، واثنتان أو أكثر ممن يعملون عليه متعطلة منذ ذلك الحين"
    " تقريبًا.",
    "possible.": "يُعلن بنفسه عن عطل هناك، وجهة واحدة تعمل عليه متعطلة منذ ذلك الحين تقريبًا.",
    "suspected.": "لا يُعلن عن أي عطل، لكن ثلاثة أو أكثر ممن يعملون عليه، وهم معظمهم، تعطلوا خلال"
    " ساعة واحدة.",
    "none.": "تعطلت خلال ساعة واحدة. لا شيء مما تعمل عليه يفسّر ذلك، وقد يكون مصادفة.",
    Doubt.NOT_ASKED: "لم يُسأل بعد",
    Doubt.UNREACHED: "لا إجابة",
    Doubt.HTTP_STATUS: "رفض الخادم",
    Doubt.TOO_LARGE: "أكبر من أن يُقرأ",
    Doubt.WRONG_ENCODING: "ترميز غير متوقع",
    Doubt.MALFORMED: "غير قابل للقراءة",
    Doubt.UNKNOWN_WORD: "كلمات غير معروفة",
    Doubt.CONTRADICTION: "يناقض نفسه",
    Doubt.STALE: "قديم",
    Doubt.REFUSED: "رُفض الطلب",
    Doubt.NOT_PUBLIC: "لا يُنشر للعموم",
    Doubt.BROKEN: "تعطل القارئ",
    "title": "من المتعطل؟",
    "calm": "لا أحد يُعلن عن عطل",
    "calm.": "هذا ما يُعلنونه؛ وما لا يُعلنونه لا يُرى من هنا.",
    "partly": "لا عطل مُعلن، لكن لا يمكن رؤية الجميع",
    "partly.": "ما لا يُرى لا يوصف بأنه سليم.",
    "blind": "لا يمكن رؤية شيء",
    "blind.": "لم يمكن قراءة أي مصدر، فلا يمكن قول شيء.",
    "some": "متعطلة",
    "some.": "كلٌّ كما تقول مصادرها وبيانات سوقها العامة.",
    "together": "متعطلة معًا",
    "alone": "لا أحد متعطل مع غيره.",
    "since": "منذ",
    "for": "مدة",
    "parties": "كل ما يُراقَب",
    "runs_on": "تعمل على",
    "providers": "مزوّدونا",
    "told_by": "حسب",
    "looked": "آخر نظرة",
    "old": "أُنشئت هذه الصفحة في الوقت المذكور أعلاه. إن كان بعيدًا فهي لا تقول شيئًا عن الآن.",
    "other": "English",
    "more": "أخرى",
})  # fmt: skip

BOOK: Final[Mapping[str, Words]] = MappingProxyType({"en": ENGLISH, "ar": ARABIC})


def troubled(board: Board) -> list[Party]:
    """Return who is in trouble."""
    return [party for party in board.parties if party.health in {Health.DEGRADED, Health.DOWN}]


def headline(board: Board, language: str) -> str:
    book = BOOK[language]
    if ill := troubled(board):
        return f"{len(ill)} / {len(board.parties)} {book['some']}"
    return book[_state(board)]


def explanation(board: Board, language: str) -> str:
    return BOOK[language]["some." if troubled(board) else f"{_state(board)}."]


def _state(board: Board) -> str:
    unknown = [party for party in board.parties if party.health is Health.UNKNOWN]
    if not unknown:
        return "calm"
    return "blind" if len(unknown) == len(board.parties) else "partly"


def moment(at_ns: int | None, language: str) -> str:
    """Return a time to the minute, in UTC."""
    text = words.moment(None if at_ns is None else at_ns // SECOND_NS, language)
    return text if at_ns is None else f"{text[:16]} UTC"


def span(since_ns: int, at_ns: int, language: str) -> str:
    return words.span(max(at_ns - since_ns, 0) // SECOND_NS, language)


def place(fact: Fact) -> str:
    """Return services and regions of a fact, as far as they are told; a few of them."""
    services = () if fact.services == (fact.title,) else fact.services
    parts = [_few(services), _few(fact.zones or fact.regions)]
    return " · ".join(part for part in parts if part)


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")


def doubts(party: Party, language: str) -> str:
    """Return why a party cannot be seen, each reason once."""
    found = dict.fromkeys(BOOK[language][each.doubt] for each in party.doubts)
    return ", ".join(found)
