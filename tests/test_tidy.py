"""House rules that no linter knows.  The rule: each ban names what to do in its place."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "seawall"
INNER = ("lib", "model", "core")
FILE_LINES = 500
FUNCTION_LINES = 60

PYTHON = sorted(
    path
    for folder in (SOURCE, ROOT / "tests", ROOT / "bench", ROOT / "fuzz")
    for path in folder.rglob("*.py")
    if "__pycache__" not in path.parts
)
TEXTS = sorted(
    path
    for path in ROOT.rglob("*")
    if path.is_file()
    and path.suffix
    in {".py", ".md", ".toml", ".ts", ".css", ".html", ".js", ".json", ".in", ".lock"}
    and not {".venv", "build", "dist", "node_modules", ".git", "seawall-data", "drill-report"}
    & set(path.relative_to(ROOT).parts)
    and not any(part.endswith("_cache") for part in path.relative_to(ROOT).parts)
)

BANNED_CALLS = {
    "eval": "write the code itself",
    "exec": "write the code itself",
    "print": "the command line prints, through cli/output.py; parts log",
}
INNER_BANNED = {
    "float": "money and time are integers",
    "id": "an address differs between runs; use the order's own id",
    "hash": "texts hash anew in each run; use lib.digest",
    "open": "the core knows no disks",
    "input": "the core knows no one to ask",
    "round": "name the direction: model.amounts.Rounding",
}
# Written in pieces, so that this file does not name what it forbids.
MACHINE = re.compile("|".join(("/work" + "/", "/tm" + "p/w/", "/root" + "/", "r-seed" + "-")))


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_inner(path: Path) -> bool:
    return any(path.is_relative_to(SOURCE / part) for part in INNER)


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text("utf-8")) for path in PYTHON}


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_every_module_says_what_it_owns(trees: dict[Path, ast.Module]) -> None:
    silent = [where(path) for path, tree in trees.items() if not ast.get_docstring(tree)]
    assert not silent, "each needs a docstring: what it owns, and its one rule"


def test_every_module_of_the_source_states_its_rule(trees: dict[Path, ast.Module]) -> None:
    lawless = [
        where(path)
        for path, tree in trees.items()
        if path.is_relative_to(SOURCE)
        and path.name != "__init__.py"
        and "the rule:" not in (ast.get_docstring(tree) or "").lower().replace("\n", " ")
    ]
    assert not lawless, "each docstring holds a sentence that begins `The rule:`"


def test_files_fit_the_reader() -> None:
    long = {
        where(path): lines
        for path in PYTHON
        if (lines := len(path.read_text("utf-8").splitlines())) > FILE_LINES
    }
    assert not long, f"split by subject what is over {FILE_LINES} lines"


def test_functions_fit_a_screen(trees: dict[Path, ast.Module]) -> None:
    long = {
        f"{where(path)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in trees.items()
        for node in functions(tree)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES
    }
    assert not long, f"split what is over {FUNCTION_LINES} lines"


def test_banned_calls(trees: dict[Path, ast.Module]) -> None:
    found = []
    for path, tree in trees.items():
        if not path.is_relative_to(SOURCE):
            continue
        banned = BANNED_CALLS | (INNER_BANNED if is_inner(path) else {})
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in banned
            ):
                name = node.func.id
                found.append(f"{where(path)}:{node.lineno} {name}(): {banned[name]}")
    assert not found


def test_no_floats_inside(trees: dict[Path, ast.Module]) -> None:
    found = [
        f"{where(path)}:{node.lineno}"
        for path, tree in trees.items()
        if is_inner(path)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]
    assert not found, "integers and // only: a float rounds without saying so"


def test_no_set_is_iterated_inside(trees: dict[Path, ast.Module]) -> None:
    """A set's order changes with PYTHONHASHSEED; a dict's keys keep theirs."""
    found = []
    for path, tree in trees.items():
        if not is_inner(path):
            continue
        sets = {
            ast.unparse(node.target)
            for node in ast.walk(tree)
            if isinstance(node, ast.AnnAssign)
            and ast.unparse(node.annotation).startswith(("set[", "frozenset["))
        }
        for node in ast.walk(tree):
            iterated = node.iter if isinstance(node, ast.For | ast.comprehension) else None
            if iterated is not None and (
                isinstance(iterated, ast.Set | ast.SetComp)
                or ast.unparse(iterated) in sets
                or ast.unparse(iterated).startswith(("set(", "frozenset("))
            ):
                found.append(f"{where(path)}:{iterated.lineno}")
    assert not found, "iterate a dict or a sorted list"


CHANGED_IN_PLACE = {"control_rows.py", "funding_rows.py", "mailbox.py", "state_rows.py"}
"""Records of the cells' states, which the core changes; all other structs are messages."""


def test_messages_are_frozen(trees: dict[Path, ast.Module]) -> None:
    found = []
    for path, tree in trees.items():
        if not path.is_relative_to(SOURCE / "model") or path.name in CHANGED_IN_PLACE:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id == "Struct" for base in node.bases
            ):
                given = {keyword.arg for keyword in node.keywords}
                if not {"frozen", "kw_only"} <= given:
                    found.append(f"{where(path)}:{node.lineno} {node.name}")
    assert not found, "class X(Struct, frozen=True, kw_only=True)"


def test_no_promises_for_later() -> None:
    marks = re.compile(
        r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b"
    )
    found = [
        f"{where(path)}:{number}"
        for path in TEXTS
        if path.suffix not in {".json", ".lock"}
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if marks.search(line)
    ]
    assert not found, "do it now, or open an issue"


def test_no_gate_is_talked_down() -> None:
    """A silenced check says which, and why, on the same line."""
    found = []
    for path in PYTHON:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            mark = re.search(r"#\s*(type: ignore|noqa|pragma)", line)
            if mark is None:
                continue
            rest = line[mark.start() :]
            named = re.match(
                r"#\s*(type: ignore\[[\w-]+(, ?[\w-]+)*\]|noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*)", rest
            )
            reason = rest[named.end() :].strip(" #()") if named else ""
            if len(reason) < 8:
                found.append(f"{where(path)}:{number}")
    assert not found, "name the check that is silenced and, beside it, the reason"


def test_nothing_names_this_machine() -> None:
    found = [
        f"{where(path)}:{number}"
        for path in TEXTS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if MACHINE.search(line)
    ]
    assert not found, "a path or host of one machine means nothing on another"


def test_lock_files_name_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"https?://|file:|--index|--find-links", lock)
    assert "--hash=sha256:" in lock
    page = (ROOT / "web" / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in page
    assert '"integrity"' in page
