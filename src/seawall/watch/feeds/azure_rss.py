"""Azure's RSS.  The rule: what is posted is trouble, until its title says that it is over."""

import re
from typing import Final

from seawall.model.watch_facts import Health
from seawall.watch.feeds import rss
from seawall.watch.feeds.page import Draft

URL: Final = "https://azure.status.microsoft/en-us/status/feed/"
OVER: Final = re.compile(
    r"\b(?:mitigated|resolved|recovered|rca|root cause analysis|post incident review|pir)\b",
    re.IGNORECASE,
)
NOT_OVER: Final = re.compile(
    r"\b(?:not|isn't|being|partially|partly|nearly|almost|to be|un\w+)\b", re.IGNORECASE
)


def over(title: str) -> bool:
    """Whether a title says that it has ended; half a word is no word."""
    return bool(OVER.search(title)) and not NOT_OVER.search(title)


def adapt(draft: Draft) -> None:
    for item in rss.items(draft):
        ended = over(item.title)
        draft.add(
            incident_id=item.id or item.title,
            title=item.title,
            health=Health.OK if ended else Health.DEGRADED,
            word="over" if ended else "posted",
            services=tuple(tag for tag in item.tags if tag),
            began_ns=None if ended else item.at_ns,
            updated_ns=item.at_ns,
            ended_ns=item.at_ns if ended else None,
            url=item.link,
        )
