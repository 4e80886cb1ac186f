"""Finds the exchange that runs on a data directory.  The rule: one exchange per directory.

`lock` is held for as long as the exchange lives; `exchange.json` says where it listens and
`operator.token` opens its operator API, both only to who may read the directory.  Who has a token
of their own gives it in the environment.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct

from seawall.cli.output import CliError, Exit

OPERATOR_HEADER: Final = "X-Seawall-Operator"
TOKEN_VARIABLE: Final = "SEAWALL_OPERATOR_TOKEN"  # noqa: S105  # a name, not a token
PATIENCE_S: Final = 15


class Running(Struct, frozen=True, kw_only=True):
    """What `exchange.json` says."""

    pid: int
    port: int
    url: str


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the directory for this process, or raise CliError."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = (data / "lock").open("a+")
    except OSError as error:
        raise CliError(
            f"{data} cannot be used: {error.strerror}",
            "Choose a directory you may write to, with --data.",
            Exit.UNREACHABLE,
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CliError(
                f"An exchange already runs on {data}{_holder(data)}.",
                "Stop it first, or choose another directory with --data.",
                Exit.UNREACHABLE,
            ) from error
        yield


def not_running(data: Path) -> None:
    """Raise CliError if an exchange runs on the directory; nothing is written there."""
    try:
        handle = (data / "lock").open("r")
    except FileNotFoundError:
        return
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            raise CliError(
                f"A node runs on {data}{_holder(data)}.", "Stop it first.", Exit.UNREACHABLE
            ) from error


def _holder(data: Path) -> str:
    try:
        found = read_running(data)
    except CliError:
        return ""
    return f" (process {found.pid}, {found.url})"


def write_running(data: Path, running: Running) -> None:
    """Write `exchange.json` in one step: a reader sees all of it or nothing."""
    fresh = data / "exchange.json.new"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(running)) + b"\n")
    fresh.replace(data / "exchange.json")


def forget_running(data: Path) -> None:
    (data / "exchange.json").unlink(missing_ok=True)


def read_running(data: Path) -> Running:
    """Return where the exchange listens, or raise CliError."""
    try:
        found = msgspec.json.decode((data / "exchange.json").read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError) as error:
        raise _not_running(data) from error
    if not _lives(found.pid):
        raise _not_running(data)
    return found


def _not_running(data: Path) -> CliError:
    return CliError(
        f"No exchange runs on {data}.",
        f"Start one: seawall up --data {data}",
        Exit.UNREACHABLE,
    )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Operator:
    """The operator API of a running exchange."""

    def __init__(self, data: Path, url: str) -> None:
        self._url = url
        self._headers = {OPERATOR_HEADER: _token(data)}

    def get(self, path: str) -> dict[str, Any]:
        """Return the answer, or raise CliError with the exchange's own words."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer, or raise CliError with the exchange's own words."""
        return self._ask("POST", path, body)

    def delete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer, or raise CliError with the exchange's own words."""
        return self._ask("DELETE", path, body)

    def _ask(self, verb: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            answer = httpx.request(
                verb,
                f"{self._url}/seawall/v1/operator/{path}",
                json=body,
                headers=self._headers,
                timeout=PATIENCE_S,
                trust_env=False,
            )
        except httpx.HTTPError as error:
            raise CliError(
                f"The exchange at {self._url} does not answer: {error}",
                "See whether it still runs, and its log.",
                Exit.UNREACHABLE,
            ) from error
        if answer.is_success:
            found: dict[str, Any] = answer.json()
            return found
        raise refused(answer)


def _token(data: Path) -> str:
    """Return the person's own token, or the one that all share."""
    own = os.environ.get(TOKEN_VARIABLE, "").strip()
    if own:
        if not own.isascii() or not own.isprintable():
            raise CliError(
                f"{TOKEN_VARIABLE} holds no token.",
                "Set it to what `seawall operators add` printed.",
                Exit.USAGE,
            )
        return own
    try:
        return (data / "operator.token").read_text("ascii").strip()
    except OSError as error:
        raise CliError(
            f"{data / 'operator.token'} cannot be read: {error.strerror}",
            f"Run the command as the user that runs the exchange, or set {TOKEN_VARIABLE}.",
            Exit.UNREACHABLE,
        ) from error


class RefusedError(CliError):
    """The exchange refused; `api_code` is its error code."""

    def __init__(self, what: str, advice: str, api_code: int) -> None:
        super().__init__(what, advice, Exit.REFUSED)
        self.api_code = api_code


def refused(answer: httpx.Response) -> RefusedError:
    """Turn an answer that refuses into an error for people."""
    try:
        body = answer.json()
        code, message = int(body["code"]), str(body["msg"])
    except (json.JSONDecodeError, KeyError, TypeError, ValueError):
        code, message = 0, answer.text[:200]
    advice = "Change what you ask for, and try again."
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        advice = "The exchange's log says why; try again."
    elif answer.status_code == httpx.codes.FORBIDDEN:
        advice = f"`seawall operators list` says who may what; {TOKEN_VARIABLE} is your own token."
    return RefusedError(f"The exchange refused: {message} ({code})", advice, code)


def operator(data: Path) -> Operator:
    """Return the operator API of the exchange on `data`, or raise CliError."""
    return Operator(data, read_running(data).url)
