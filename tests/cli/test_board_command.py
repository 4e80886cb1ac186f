"""`seawall watch board`: its table is refused by the line, its exit codes say what was seen."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.watch.feeds.samples import body, calm
from tests.watch.feeds.server import FeedServer, feed_server

from seawall.cli.board_file import read_board
from seawall.cli.commands.board import exit_code
from seawall.cli.output import CliError
from seawall.watch.board_watch import BoardWatch

TABLE = """\
[[party]]
name = "Binance"
group = "exchange"
runs_on = ["AWS/ap-northeast-1"]

[[party]]
name = "AWS"
group = "cloud"

[[feed]]
name = "aws"
kind = "aws-events"

[[feed]]
name = "binance"
kind = "binance"

[[provider]]
name = "amber"
feeds = ["aws"]
"""


def refused(folder: Path, text: str) -> str:
    file = folder / "board.toml"
    file.write_text(text)
    with pytest.raises(CliError) as error:
        read_board(file)
    assert error.value.code == 2
    return error.value.what.removeprefix(f"{file}:")


@pytest.mark.parametrize(
    "old, new, told",
    [
        ('kind = "binance"', 'kind = "binanse"', "16: there is no kind 'binanse'"),
        ('group = "cloud"', 'group = "clowd"', "8: invalid enum value 'clowd'"),
        ('name = "AWS"', 'name = "Binance"', "7: each [[party]] needs a name of its own"),
        ("AWS/ap", "ABC/ap", "4: there is no party ABC"),
        ('feeds = ["aws"]', 'feeds = ["azure"]', "20: there is no feed azure"),
        ('feeds = ["aws"]', "feeds = []", "20: amber has no feeds"),
        ('kind = "binance"', 'kind = "binance"\ncolour = "red"', "17: object contains unknown"),
        ('kind = "binance"', 'kind = "binance"\nevery_s = 1', "17: every_s lies between"),
        ('kind = "binance"', 'kind = "binance"\nurl = "ftp://x"', "17: its url is no http"),
        ('kind = "binance"', 'kind = "okx"', "14: there is no party 'OKX'"),
        ('kind = "binance"', 'kind = "statuspage"', "14: a statuspage feed needs its url"),
        ('kind = "binance"', 'kind = "binance"\nkey_file = "x"', "17: a binance feed is public"),
        ('name = "AWS"', 'name = "AWS', " is not TOML"),
        ("[[party]]\nname", 'topology = "no.toml"\n[[party]]\nname', "1: "),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_by_its_line(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    text = TABLE.replace(old, new, 1)
    assert text != TABLE
    assert told in refused(tmp_path, text)


def test_every_provider_of_the_topology_needs_feeds(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "topologies" / "three-clouds.toml"
    text = f'topology = "{shipped}"\n{TABLE}'
    assert refused(tmp_path, text).startswith("1: the topology's provider blue has no feeds")
    extra = '\n[[provider]]\nname = "{}"\nfeeds = ["aws"]\n'
    full = text + "".join(extra.format(name) for name in ("blue", "coral"))
    assert "no provider gold" in refused(tmp_path, full + extra.format("gold"))
    (tmp_path / "board.toml").write_text(full)
    assert len(read_board(tmp_path / "board.toml").settings.provider) == 3


def test_an_access_key_is_its_owners_alone(tmp_path: Path) -> None:
    text = TABLE.replace('name = "AWS"', 'name = "Alibaba Cloud"').replace("AWS/", "Alibaba Cloud/")
    text = text.replace(
        'kind = "aws-events"', 'kind = "alibaba"\nregions = ["cn-hongkong"]\nkey_file = "key"'
    )
    key = tmp_path / "key"
    key.write_text("id:secret\n")
    key.chmod(0o644)
    assert "14: " in refused(tmp_path, text)
    key.chmod(0o600)
    assert read_board(tmp_path / "board.toml").keys == {"aws": "id:secret"}
    key.write_text("secret")
    assert "has no `id:secret`" in refused(tmp_path, text)


def put(server: FeedServer, aws: bytes, binance: bytes) -> None:
    server.put("/aws", aws, at_s=time.time())
    server.put("/binance", binance, at_s=time.time())


async def test_exit_codes_say_what_was_seen(tmp_path: Path) -> None:
    async with feed_server() as server:
        text = TABLE
        for name in ("aws", "binance"):
            text = text.replace(
                f'name = "{name}"', f'name = "{name}"\nurl = "{server.url}/{name}"', 1
            )
        (tmp_path / "board.toml").write_text(text)
        told = read_board(tmp_path / "board.toml")
        event = {
            "arn": "arn:aws:health:ap-northeast-1::event/EC2/X/1", "date": int(time.time()),
            "service": "ec2-ap-northeast-1", "status": "2", "summary": "x", "event_log": [],
        }  # fmt: skip
        trouble = body("aws-events", [event])
        for aws, code in ((calm("aws-events"), 0), (trouble, 1), (b"what", 3)):
            put(server, aws, calm("binance"))
            watch = BoardWatch(told.settings)
            assert exit_code(await watch.once()) == code
            await watch.close()


def test_the_command_prints_one_document(tmp_path: Path) -> None:
    """Nothing answers at these addresses: all is unknown, which is exit 3."""
    text = TABLE.replace('"aws-events"', '"aws-events"\nurl = "http://127.0.0.1:9/x"')
    text = text.replace('kind = "binance"', 'kind = "binance"\nurl = "http://127.0.0.1:9/x"')
    (tmp_path / "board.toml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "seawall", "watch", "board", "--once", "--json",
         "--config", str(tmp_path / "board.toml"), "--out", str(tmp_path / "site")],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert {party["health"] for party in json.loads(done.stdout)["parties"]} == {"unknown"}
    assert (tmp_path / "site" / "ar.html").exists()
