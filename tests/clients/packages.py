"""Fetches the clients' own test suites.  They are kept under build/, and never committed.

ccxt's lies in its wheel, python-binance's in its source archive; both in the versions that are
installed, so that lock file and suite always agree.
"""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

CACHE = Path(__file__).parent.parent.parent / "build" / "clients"


def ccxt_wheel() -> Path:
    """Return where ccxt's wheel is unpacked, its suite included."""
    return _unpacked("ccxt", ["--only-binary", ":all:"], "*.whl")


def python_binance_source() -> Path:
    """Return where python-binance's source archive is unpacked."""
    found = _unpacked("python-binance", ["--no-binary", ":all:"], "*.tar.gz")
    return next(path for path in found.iterdir() if path.is_dir())


def _unpacked(name: str, options: list[str], pattern: str) -> Path:
    release = version(name)
    folder = CACHE / f"{name}-{release}"
    if folder.is_dir():
        return folder
    fetched = CACHE / f"{name}-{release}.fetched"
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir(parents=True)
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
            "--disable-pip-version-check", *options, f"{name}=={release}", "-d", str(fetched),
        ],
        check=True,
        timeout=170,
    )  # fmt: skip
    archive = next(fetched.glob(pattern))
    unpacked = fetched / "unpacked"
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(unpacked)  # noqa: S202  # ccxt's own, pinned by the lock
    else:
        with tarfile.open(archive) as source:
            source.extractall(unpacked, filter="data")  # the filter keeps it inside
    unpacked.rename(folder)
    shutil.rmtree(fetched)
    return folder
