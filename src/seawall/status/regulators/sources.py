"""Where each rule was read.  The rule: what was not compared with the published text says so.

Nothing here is legal advice: an authority's word, and the text in the Official Journal, go before.
"""

from typing import Final

from msgspec import Struct


class Source(Struct, frozen=True, kw_only=True):
    name: str
    title: str
    verified: bool
    """Whether the wording that is used was read in a reproduction of the published text."""
    note: str = ""


SOURCES: Final = (
    Source(
        name="(EU) 2024/1772 Art. 6, 8, 9(1)",
        title="Delegated Regulation on classification: critical services, major incidents, clients",
        verified=True,
    ),
    Source(
        name="(EU) 2024/1772 Art. 1 to 5, 7, 9(2) to (6)",
        title="Delegated Regulation on classification: the other criteria and thresholds",
        verified=False,
        note="Thresholds as summarised by several readers; the wording of each point was not"
        " compared. How transactions outside the Union count (Art. 1) is left to people.",
    ),
    Source(
        name="(EU) 2025/301 Art. 5(1)",
        title="Delegated Regulation on time limits: 4 h and 24 h, 72 h, one month",
        verified=True,
    ),
    Source(
        name="(EU) 2025/301 Art. 5(2) to (5)",
        title="Late classification; late submission; weekends and bank holidays",
        verified=False,
        note="Read in the final draft only (its Article 6). The relief for weekends and bank"
        " holidays has exclusions that were not read; it is never applied here.",
    ),
    Source(
        name="(EU) 2025/302 Annex I",
        title="Implementing Regulation: template of the reports",
        verified=False,
        note="Field numbers and names follow a public copy of the JSON schema IR-1.2; they were not"
        " compared with the annex.",
    ),
    Source(
        name="MiCA, (EU) 2025/299 Art. 4",
        title="Continuity plans of crypto-asset service providers",
        verified=False,
        note="Asks for additional information to clients when a permissionless ledger is disrupted."
        " No clock for it was found; incidents are reported under DORA.",
    ),
    Source(
        name="VARA Technology and Information Rulebook, K.1",
        title="Notification within 72 hours from detection",
        verified=True,
    ),
    Source(
        name="23 NYCRR 200.17(d)",
        title="Prompt notice of an emergency or other disruption",
        verified=True,
        note="The text gives no number of hours.",
    ),
    Source(
        name="23 NYCRR 500.17(a)",
        title="Notice within 72 hours of determining a cybersecurity incident",
        verified=True,
        note="What a cybersecurity incident is (500.1) was not compared with the amended text.",
    ),
    Source(
        name="23 NYCRR 500.17(c)",
        title="Notice of an extortion payment within 24 hours",
        verified=False,
    ),
)
NO_ADVICE: Final = (
    "A draft made from what people stated and what the exchange recorded. It is no legal advice and"
    " no decision: a person classifies, signs and submits."
)
