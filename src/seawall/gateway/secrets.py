"""What all nodes of a cluster share.  The rule: made once, then only copied.

The master key opens what any node sealed, the operators' token is the same everywhere, and so is
the key that signs statements: whoever checks one need not know which node made it.
"""

import secrets
from pathlib import Path
from typing import Final

from seawall.gateway.app import MASTER_KEY
from seawall.gateway.operator import TOKEN_FILE
from seawall.gateway.operators import OPERATORS_FILE
from seawall.gateway.sealing import write_private
from seawall.node.statement import STATEMENT_KEY

SHARED: Final = (MASTER_KEY, Path(TOKEN_FILE), STATEMENT_KEY)
_KEY_BYTES: Final = 32


def make_secrets(folder: Path) -> list[Path]:
    """Make what is missing; return the files that were made."""
    made = []
    texts = (
        secrets.token_bytes(_KEY_BYTES).hex(),
        secrets.token_urlsafe(_KEY_BYTES),
        secrets.token_bytes(_KEY_BYTES).hex(),
    )
    for name, text in zip(SHARED, texts, strict=True):
        path = folder / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, text + "\n")
            made.append(path)
    return made


def share_secrets(source: Path, data: Path) -> None:
    """Copy them into a node's data directory, and who operates, over any that are there."""
    people = (Path(OPERATORS_FILE),) if (source / OPERATORS_FILE).exists() else ()
    for name in (*SHARED, *people):
        path = data / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, (source / name).read_text("utf-8"))
