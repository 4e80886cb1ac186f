"""The board's page.  The rule: static and plain; it asks for nothing, and says how old it is.

The same page is served on loopback (`--serve`) and written as files for any web server (`--out`).
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from seawall.watch import board_words
from seawall.watch.board import Board
from seawall.watch.board_settings import Group
from seawall.watch.page import HEADERS, asked_language, hosts

REFRESH_S: Final = 30
FACTS_SHOWN: Final = 3
FILES: Final = {"en": "index.html", "ar": "ar.html"}


def render(board: Board, language: str, *, links: dict[str, str]) -> str:
    """Return the whole page; `links` has each language's address."""
    environment = Environment(
        loader=PackageLoader("seawall.watch"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    other = "ar" if language == "en" else "en"
    return environment.get_template("board.html.j2").render(
        board=board,
        by_name={party.name: party for party in board.parties},
        groups=[
            (group, [party for party in board.parties if party.group is group]) for group in Group
        ],
        w=board_words.BOOK[language],
        words=board_words,
        language=language,
        other=other,
        other_link=links[other],
        refresh_s=REFRESH_S,
        shown=FACTS_SHOWN,
    )


def create_app(board: Callable[[], Board]) -> Starlette:
    """Return the application; it asks for a new board at each request."""

    async def page(request: Request) -> Response:
        links = {"en": "?lang=en", "ar": "?lang=ar"}
        return HTMLResponse(render(board(), asked_language(request), links=links), headers=HEADERS)

    async def api(_request: Request) -> Response:
        body = msgspec.json.encode(board())
        return Response(body, media_type="application/json", headers=HEADERS)

    return Starlette(routes=[Route("/", page), Route("/api/board", api)], middleware=[hosts()])


def write(board: Board, folder: Path) -> None:
    """Write the pages and `board.json`, each file whole or not at all; OSError if it cannot."""
    folder.mkdir(parents=True, exist_ok=True)
    for language, name in FILES.items():
        _put(folder / name, render(board, language, links=FILES).encode("utf-8"))
    _put(folder / "board.json", msgspec.json.encode(board))


def _put(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(content)
    made = Path(file.name)
    made.chmod(0o644)
    made.replace(path)
