"""Where each page stands.  The rule: an address, once published, leads to the same thing for ever.

Names end in `.html` and links are relative, so that the site works from any web server, from an
object store without an index, and from a folder on a disk.
"""

from typing import Final

ROOTS: Final = {"en": "", "ar": "ar/"}
INDEX: Final = "index.html"
HISTORY: Final = "history.html"


def incident(number: int, language: str = "en") -> str:
    return f"{ROOTS[language]}incidents/{number}.html"


def page(name: str, language: str) -> str:
    return ROOTS[language] + name


def relative(target: str, source: str) -> str:
    """Return the link to `target` that stands on the page `source`; both from the site's root."""
    return "../" * source.count("/") + target


def whole(url: str, path: str) -> str:
    """Return the address of a path; relative to the site's root where its URL is not known."""
    return f"{url.rstrip('/')}/{path}" if url else path
