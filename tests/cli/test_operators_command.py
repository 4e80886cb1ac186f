"""`seawall operators`: a token is shown once, and works at once."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.exchange import running_exchange

from seawall.cli.main import run
from seawall.cli.running import TOKEN_VARIABLE, Running, write_running
from seawall.gateway.operators import OPERATORS_FILE

Capture = pytest.CaptureFixture[str]


def ask(capsys: Capture, *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        run([*words, "--json"])
    # In a test the exchange logs into the same stream.
    told = json.loads("{" + capsys.readouterr().out.partition("{")[2])
    assert ended.value.code == code, told
    return told


def test_people_come_and_go(tmp_path: Path, capsys: Capture) -> None:
    data = ("--data", str(tmp_path))
    assert ask(capsys, "operators", "list", *data) == {
        "operators": [],
        "sharedTokenApproves": True,
    }
    ann = ask(capsys, "operators", "add", "Ann Lee", "--role", "approver", *data)
    assert ann["token"] not in (tmp_path / OPERATORS_FILE).read_text()
    again = ask(capsys, "operators", "add", "annlee", "--role", "viewer", *data, code=2)
    assert "there already" in again["error"]
    ask(capsys, "operators", "add", "Bob", "--role", "viewer", "--role", "approver", *data)
    told = ask(capsys, "operators", "list", *data)
    assert [each["name"] for each in told["operators"]] == ["Ann Lee", "Bob"]
    assert not told["sharedTokenApproves"]
    ask(capsys, "operators", "remove", "Bob", *data)
    ask(capsys, "operators", "remove", "Bob", *data, code=2)
    assert ask(capsys, "operators", "list", *data)["sharedTokenApproves"]
    ask(capsys, "operators", "add", "Cy", "--role", "king", *data, code=2)
    ask(capsys, "operators", "list", "--data", str(tmp_path / "none"), code=3)


def test_a_person_acts_with_their_own_token(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_exchange(tmp_path / "data", busy=False) as exchange:
        write_running(exchange.data, Running(pid=os.getpid(), port=1, url=exchange.url))
        data = ("--data", str(exchange.data))
        ann = ask(capsys, "operators", "add", "Ann", "--role", "operator", *data)
        begin = ("incident", "open", "Slow", *data, "--person")
        refused = ask(capsys, *begin, "Ann", code=4)
        assert "token of their own" in refused["error"]
        assert TOKEN_VARIABLE in refused["advice"]
        monkeypatch.setenv(TOKEN_VARIABLE, ann["token"])
        # Who has a token needs no access to the one that all share.
        (exchange.data / "operator.token").rename(exchange.data / "operator.token.away")
        assert ask(capsys, *begin, "Ann")["incident"] == 1
        assert "has to be that name" in ask(capsys, *begin, "Bob", code=4)["error"]
        ask(capsys, "operators", "remove", "Ann", *data)
        assert "not authorized" in ask(capsys, *begin, "Ann", code=4)["error"]
        monkeypatch.setenv(TOKEN_VARIABLE, "a\nb")
        ask(capsys, *begin, "Ann", code=2)
        monkeypatch.delenv(TOKEN_VARIABLE)
        ask(capsys, *begin, "Ann", code=3)
