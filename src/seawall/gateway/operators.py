"""`operators.toml`: people who run the exchange, each with a token of their own.

The rule: what the file does not say clearly, it does not say at all, and then nobody approves.

Only hashes of tokens stand there.  Every node of a cluster has the same file; a node reads it again
whenever it has changed.
"""

import fcntl
import hashlib
import hmac
import os
import secrets
import stat
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
import structlog
from msgspec import Meta, Struct

from seawall.core.control.wording import same_name, wrong_person
from seawall.gateway.sealing import write_private

OPERATORS_FILE: Final = "operators.toml"
TOKEN_BYTES: Final = 32
APPROVERS: Final = 2
"""With so many approvers named, the shared token approves nothing any more."""
_SAFE: Final = "letters, digits, spaces and . _ @ + ' -"
_HEAD: Final = """\
# Who runs this exchange.  Written by `seawall operators add` and `remove`; tokens are not in here,
# only their SHA-256.  The same file belongs on every node of a cluster, readable by its user only.
"""
_LOG = structlog.stdlib.get_logger(__name__)


class OperatorsError(ValueError):
    """The file cannot be taken; the message says why."""


class Role(StrEnum):
    """What somebody may do; each may also do what stands before it."""

    VIEWER = "viewer"
    """See."""
    OPERATOR = "operator"
    """Act, but for approvals."""
    APPROVER = "approver"
    """Approve withdrawals and stages of a way back, and adopt the runbook that asks for those."""


_RANKS: Final = tuple(Role)


class Person(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[operator]]`."""

    name: str
    roles: Annotated[tuple[Role, ...], Meta(min_length=1)]
    token_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

    def may(self, role: Role) -> bool:
        return max(map(_RANKS.index, self.roles)) >= _RANKS.index(role)


class People(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    operator: tuple[Person, ...] = ()

    def holder(self, token: str) -> Person | None:
        """Return whose token it is; how long that takes says nothing of which."""
        given = token_hash(token)
        found = None
        for person in self.operator:
            if hmac.compare_digest(person.token_sha256, given):
                found = person
        return found

    def named(self, name: str) -> Person | None:
        """Return who has that name, as names are compared where approvals are counted."""
        wanted = same_name(name)
        return next((each for each in self.operator if same_name(each.name) == wanted), None)

    @property
    def approvers(self) -> int:
        return sum(person.may(Role.APPROVER) for person in self.operator)

    def check(self) -> None:
        """Raise OperatorsError unless every name and token is one person's."""
        for person in self.operator:
            wrong = wrong_person(person.name) or _unsafe(person.name)
            if wrong:
                raise OperatorsError(f"{person.name!r} is no name: {wrong}")
        names = [same_name(person.name) for person in self.operator]
        tokens = [person.token_sha256 for person in self.operator]
        for what, found in (("name", names), ("token", tokens)):
            for place, each in enumerate(found):
                if each in found[:place]:
                    name = self.operator[place].name
                    raise OperatorsError(f"{name} has the same {what} as somebody before")


class OperatorsFile:
    """The file as it is now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._people = People()
        self.fault = ""
        """Why the file that is there cannot be used."""

    def look(self) -> People:
        """Return who is named; nobody without a file, and nobody while it cannot be used."""
        try:
            found = self._path.stat()
            # With the change of its mode, which may be what made it unreadable.
            seen = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
        except FileNotFoundError:
            self._seen, self._people, self.fault = None, People(), ""
            return self._people
        except OSError as error:
            self._seen, self._people, self.fault = None, People(), str(error.strerror)
            return self._people
        if seen != self._seen:
            self._read(seen)
        return self._people

    @property
    def shared_approves(self) -> bool:
        """Whether the shared token may still approve."""
        return not self.fault and self._people.approvers < APPROVERS

    def _read(self, seen: tuple[int, ...]) -> None:
        try:
            self._people, self.fault = read_people(self._path), ""
        except OperatorsError as error:
            self._people, self.fault = People(), str(error)
            _LOG.error("operators_unread", file=str(self._path), reason=self.fault)
        else:
            _LOG.info("operators_read", people=len(self._people.operator))
        self._seen = seen


def read_people(path: Path) -> People:
    """Return who is named; nobody where there is no file.  Raise OperatorsError if it is wrong."""
    try:
        if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise OperatorsError("others than its owner may write it")
        content = tomllib.loads(path.read_text("utf-8"))
        people = msgspec.convert(content, People)
    except FileNotFoundError:
        return People()
    except OSError as error:
        raise OperatorsError(f"it cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorsError(f"it is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise OperatorsError(str(error)) from None
    people.check()
    return people


def add_person(path: Path, name: str, roles: Sequence[Role]) -> str:
    """Write somebody into the file and return the token, which stands nowhere else."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    ranked = tuple(role for role in _RANKS if role in roles)
    with _alone(path):
        people = read_people(path)
        if people.named(name) is not None:
            raise OperatorsError(f"{name} is there already")
        person = Person(name=name, roles=ranked, token_sha256=token_hash(token))
        _write(path, People(operator=(*people.operator, person)))
    return token


def remove_person(path: Path, name: str) -> Person:
    """Take somebody out of the file: the token is refused from the next call on."""
    with _alone(path):
        people = read_people(path)
        person = people.named(name)
        if person is None:
            raise OperatorsError(f"{name} is not there")
        _write(path, People(operator=tuple(each for each in people.operator if each != person)))
    return person


def token_hash(token: str) -> str:
    """Return what stands in the file for a token.

    A token is random and as long as the hash, so a plain hash leads nobody back to it.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def _write(path: Path, people: People) -> None:
    people.check()
    parts = [_HEAD]
    for person in people.operator:
        roles = ", ".join(f'"{role}"' for role in person.roles)
        parts.append(
            f'\n[[operator]]\nname = "{person.name}"\nroles = [{roles}]\n'
            f'token_sha256 = "{person.token_sha256}"\n'
        )
    write_private(path, "".join(parts))


def _unsafe(name: str) -> str:
    safe = name == name.strip() and all(each.isalnum() or each in " ._@+'-" for each in name)
    return "" if safe else f"only {_SAFE}"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the file's folder, so that of two who write at once neither undoes the other."""
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
