"""Operators who are persons: whose token it is decides who acts, and what they may."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.exchange import Exchange, User, open_exchange
from tests.gateway.money import PAYEE, client, open_bank

from seawall.gateway.cluster import CLUSTER_CALLS
from seawall.gateway.control_operator import CONTROL_CALLS
from seawall.gateway.funding_operator import FUNDING_CALLS
from seawall.gateway.operator import HEADER, OPERATOR_CALLS, TOKEN_FILE
from seawall.gateway.operators import (
    OPERATORS_FILE,
    OperatorsError,
    People,
    Person,
    Role,
    add_person,
    read_people,
    remove_person,
    token_hash,
)
from seawall.gateway.secrets import make_secrets, share_secrets

APPROVALS = {
    "POST /seawall/v1/operator/funding/approve",
    "POST /seawall/v1/operator/plans/1/approve",
    # It says how many approvals there have to be.
    "POST /seawall/v1/operator/runbook",
}
PLACES = {"number": "1", "symbol": "BTCUSDT", "cell": "spot"}
REFUSED = -1002


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_bank(tmp_path) as opened:
        yield opened


@pytest.fixture
async def alice(bank: Exchange) -> User:
    return await client(bank, "alice", ETH="10", USDT="1000")


def calls() -> Iterator[str]:
    for path, _, _ in (*OPERATOR_CALLS, *FUNDING_CALLS, *CLUSTER_CALLS, *CONTROL_CALLS):
        verb, _, place = path.partition(" ")
        if place.startswith("/seawall/v1/operator/"):
            yield f"{verb} {re.sub('{([a-z]+)}', lambda found: PLACES[found[1]], place)}"


def shared(exchange: Exchange) -> str:
    return exchange.operator_headers[HEADER]


def people_file(exchange: Exchange) -> Path:
    return exchange.app.settings.data / OPERATORS_FILE


async def ask(exchange: Exchange, token: str, call: str, body: object = None) -> tuple[int, Any]:
    verb, _, place = call.partition(" ")
    if not place.startswith("/"):
        place = f"/seawall/v1/operator/{place}"
    answer = await exchange.client.request(
        verb, place, headers={HEADER: token}, json=None if verb == "GET" else body or {}
    )
    return answer.status_code, answer.json()


async def not_admitted(exchange: Exchange, token: str) -> set[str]:
    """Return all calls for which that token is not enough."""
    found = set()
    for call in calls():
        status, answer = await ask(exchange, token, call)
        if status == 403 and answer["code"] == REFUSED:
            found.add(call)
    return found


async def test_roles_decide_over_every_call_there_is(tmp_path: Path) -> None:
    everything = set(calls())
    acts = {call for call in everything if not call.startswith("GET ")}
    assert acts > APPROVALS
    async with open_exchange(tmp_path) as exchange:
        file = people_file(exchange)
        # Without the file the shared token opens everything, as ever.
        assert await not_admitted(exchange, shared(exchange)) == set()
        tokens = {role: add_person(file, f"of {role}", [role]) for role in Role}
        assert await not_admitted(exchange, tokens[Role.VIEWER]) == acts
        assert await not_admitted(exchange, tokens[Role.OPERATOR]) == APPROVALS
        assert await not_admitted(exchange, tokens[Role.APPROVER]) == set()
        # One approver alone could not approve anything that needs two.
        assert await not_admitted(exchange, shared(exchange)) == set()
        add_person(file, "second", [Role.VIEWER, Role.APPROVER])
        assert await not_admitted(exchange, shared(exchange)) == APPROVALS
        remove_person(file, "of approver")
        assert await not_admitted(exchange, tokens[Role.APPROVER]) == everything
        assert await not_admitted(exchange, "") == everything
        assert await not_admitted(exchange, token_hash(tokens[Role.VIEWER])) == everything


async def test_two_people_are_two_tokens(bank: Exchange, alice: User) -> None:
    answer = await bank.signed(
        "POST", "/sapi/v1/capital/withdraw/apply", alice, coin="ETH", address=PAYEE, amount="6"
    )
    number = int(answer.json()["id"])
    approve = "POST funding/approve"
    file = people_file(bank)
    ann = add_person(file, "Ann Lee", [Role.APPROVER])
    bob = add_person(file, "bob", [Role.APPROVER])
    for token, person, words in (
        (shared(bank), "eve", "approvers have their own"),
        (shared(bank), "bob", "approvers have their own"),
        (ann, "bob", "has to be that name"),
        # As approvals are counted the same name, but not as it is written: the record is exact.
        (ann, "annlee", "has to be that name"),
        (ann, "", "has to be that name"),
    ):
        status, said = await ask(bank, token, approve, {"id": number, "person": person})
        assert (status, said["code"]) == (403, REFUSED)
        assert words in said["msg"]
    status, row = await ask(bank, ann, approve, {"id": number, "person": "Ann Lee"})
    assert (status, row["approvals"], row["state"]) == (200, ["Ann Lee"], "awaiting_approval")
    status, said = await ask(bank, ann, approve, {"id": number, "person": "Ann Lee"})
    assert status == 400, "the second time she is the same person"
    status, row = await ask(bank, bob, approve, {"id": number, "person": "bob"})
    assert (status, row["approvals"], row["state"]) == (200, ["Ann Lee", "bob"], "queued")


async def test_nobody_acts_in_the_name_of_somebody_listed(tmp_path: Path) -> None:
    incident = {"severity": "minor", "services": [], "titleEn": "Slow"}
    async with open_exchange(tmp_path) as exchange:
        ann = add_person(people_file(exchange), "Ann Lee", [Role.OPERATOR])
        for name in ("Ann Lee", "ann lee", "ANNLEE "):
            status, said = await ask(
                exchange, shared(exchange), "POST incidents", {**incident, "person": name}
            )
            assert status == 403
            assert "token of their own" in said["msg"]
        for token, name in ((shared(exchange), "Bob"), (ann, "Ann Lee")):
            status, _ = await ask(exchange, token, "POST incidents", {**incident, "person": name})
            assert status == 200
        rows = exchange.node.control.book.incidents.values()
        assert [row.person for row in rows] == ["Bob", "Ann Lee"]


@pytest.mark.parametrize(
    "text",
    [
        "[[operator]\n",
        "operators = []\n",
        '[[operator]]\nname = "a"\nroles = ["king"]\ntoken_sha256 = "' + "0" * 64 + '"\n',
        '[[operator]]\nname = "a"\nroles = []\ntoken_sha256 = "' + "0" * 64 + '"\n',
        '[[operator]]\nname = "a"\nroles = ["viewer"]\ntoken_sha256 = "secret"\n',
        "".join(
            f'[[operator]]\nname = "{name}"\nroles = ["approver"]\ntoken_sha256 = "{"1" * 64}"\n'
            for name in ("a", "b")
        ),
        "".join(
            f'[[operator]]\nname = "{name}"\nroles = ["approver"]\ntoken_sha256 = "{place * 64}"\n'
            for name, place in (("A b", "1"), ("aB", "2"))
        ),
    ],
    ids=["toml", "key", "role", "no role", "no hash", "one token", "one name"],
)
async def test_a_file_that_is_not_clear_lets_nobody_approve(tmp_path: Path, text: str) -> None:
    async with open_exchange(tmp_path) as exchange:
        file = people_file(exchange)
        ann = add_person(file, "Ann", [Role.APPROVER])
        assert (await ask(exchange, ann, "GET incidents"))[0] == 200
        good = file.read_text()
        file.write_text(text)
        assert await not_admitted(exchange, ann) == set(calls())
        # Closing and saying so must still be possible.
        assert await not_admitted(exchange, shared(exchange)) == APPROVALS
        _, said = await ask(exchange, shared(exchange), "POST funding/approve")
        assert "operators.toml cannot be used" in said["msg"]
        file.write_text(good)
        assert (await ask(exchange, ann, "GET incidents"))[0] == 200
        file.chmod(0o622)
        assert await not_admitted(exchange, ann) == set(calls())
        file.chmod(0o600)
        assert (await ask(exchange, ann, "GET incidents"))[0] == 200


async def test_reports_of_users_are_told_to_a_viewer(tmp_path: Path) -> None:
    async with open_exchange(tmp_path) as exchange:
        watcher = add_person(people_file(exchange), "watcher amber", [Role.VIEWER])
        path = "/seawall/v1/user-reports/summary"
        for token, status in ((watcher, 200), (watcher + "x", 403)):
            answer = await exchange.client.get(path, headers={HEADER: token})
            assert answer.status_code == status
        told = await exchange.client.get(path, headers={HEADER: watcher})
        assert told.json()["reports"] == []


@given(
    st.lists(
        st.tuples(
            st.text("aB .'-é7", min_size=1, max_size=9),
            st.lists(st.sampled_from(Role), min_size=1, max_size=4),
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[tuple[str, list[Role]]]
) -> None:
    file = tmp_path_factory.mktemp("people") / OPERATORS_FILE
    made: dict[str, tuple[str, list[Role]]] = {}
    for name, roles in wanted:
        try:
            token = add_person(file, name, roles)
        except OperatorsError:
            continue
        made[token] = (name, roles)
    people = read_people(file)
    assert len(people.operator) == len(made)
    for token, (name, roles) in made.items():
        found = people.holder(token)
        assert found is not None
        assert found.name == name
        assert set(found.roles) == set(roles)
        assert token not in file.read_text()
    assert people.holder("") is None
    if made:
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", " ", "a\nb", 'a"b', "a\\b", "x" * 65, " a", "a\x00"])
def test_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperatorsError):
        add_person(tmp_path / OPERATORS_FILE, name, [Role.VIEWER])
    assert not (tmp_path / OPERATORS_FILE).exists()


async def test_two_who_write_at_once_both_stand_there(tmp_path: Path) -> None:
    file = tmp_path / OPERATORS_FILE
    await asyncio.gather(
        *(asyncio.to_thread(add_person, file, f"p{each}", [Role.VIEWER]) for each in range(12))
    )
    assert len(read_people(file).operator) == 12


def test_nodes_of_a_cluster_share_the_file(tmp_path: Path) -> None:
    source = tmp_path / "first"
    make_secrets(source)
    share_secrets(source, tmp_path / "none")
    assert not (tmp_path / "none" / OPERATORS_FILE).exists()
    add_person(source / OPERATORS_FILE, "Ann", [Role.APPROVER])
    share_secrets(source, tmp_path / "other")
    copied = tmp_path / "other" / OPERATORS_FILE
    assert read_people(copied) == read_people(source / OPERATORS_FILE)
    assert copied.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "other" / TOKEN_FILE).exists()


def test_a_role_holds_what_stands_before_it() -> None:
    for place, role in enumerate(Role):
        person = Person(name="a", roles=(role,), token_sha256="0" * 64)
        assert [person.may(each) for each in Role] == [other <= place for other in range(len(Role))]
    assert People().approvers == 0
