"""The signer as a process: its socket, its strangers, and SIGKILL at any moment."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.treasury.signer.vault_keys import HOT, SETTINGS, make_keys, payment

from seawall.treasury.signer.client import SignerClient, SignerSilentError
from seawall.treasury.signer.command import READY, SignerCommandError, run_signer
from seawall.treasury.signer.messages import Answer, AskWho, Failed, Refused, Sign, Signed, Who
from seawall.treasury.signer.protocol import (
    FRAME_BYTES,
    ProtocolError,
    greet,
    load_token,
    read_frame,
    write_frame,
)

ROUNDS = 4


class SignerProcess:
    """A signer in a folder, started and killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "signer.socket"
        self.process: asyncio.subprocess.Process | None = None
        make_keys(folder / "keys")
        (folder / "limits.json").write_bytes(msgspec.json.encode(SETTINGS))
        (folder / "passphrase").write_text("open\n")

    async def start(self) -> None:
        program = Path(__file__).with_name("run_signer.py")
        with (self.folder / "errors").open("ab") as errors:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, str(program), str(self.folder),
                stdout=asyncio.subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        assert self.process.stdout is not None
        assert (await self.process.stdout.readline()).decode().startswith(READY)

    async def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return await self.process.wait()

    def token(self) -> bytes:
        return load_token(self.socket.with_suffix(".token"))

    def client(self) -> SignerClient:
        return SignerClient(self.socket, self.token())


@pytest.fixture
async def signer(tmp_path: Path) -> AsyncIterator[SignerProcess]:
    running = SignerProcess(tmp_path)
    await running.start()
    yield running
    if running.process is not None and running.process.returncode is None:
        await running.end(signal.SIGKILL)


def request(nonce: int, most: int = 10) -> Sign:
    fields = payment(units=1, nonce=nonce, most=most)
    return Sign(network="ETH", payment=f"w/{nonce}", fields=fields)


async def test_only_who_has_the_token_is_heard(signer: SignerProcess) -> None:
    assert signer.socket.stat().st_mode & 0o777 == 0o600
    assert signer.socket.with_suffix(".token").stat().st_mode & 0o777 == 0o600
    client = signer.client()
    answer = await client.ask(AskWho())
    assert isinstance(answer, Who)
    assert answer.wallets == (HOT,)
    stranger = SignerClient(signer.socket, b"x" * 32)
    with pytest.raises(SignerSilentError):
        await stranger.ask(AskWho())
    assert isinstance(await client.ask(request(0)), Signed)
    await client.close()


async def test_a_false_signer_is_not_believed(tmp_path: Path) -> None:
    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await greet(reader, writer, b"y" * 32, serving=True)
        except ProtocolError:
            await write_frame(writer, b"z" * 32)
        writer.close()

    server = await asyncio.start_unix_server(pretend, path=tmp_path / "socket")
    client = SignerClient(tmp_path / "socket", b"x" * 32)
    with pytest.raises(SignerSilentError, match="token"):
        await client.ask(AskWho())
    server.close()


async def test_garbage_is_answered_or_cut_off(signer: SignerProcess) -> None:
    reader, writer = await asyncio.open_unix_connection(str(signer.socket))
    await greet(reader, writer, signer.token(), serving=False)
    await write_frame(writer, b'{"type":"sign","network":1}')
    assert b'"failed"' in await read_frame(reader)
    writer.write((FRAME_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolError):
        await read_frame(reader)
    writer.close()
    client = signer.client()
    assert isinstance(await client.ask(AskWho()), Who)
    await client.close()


async def test_a_second_signer_does_not_start_beside_the_first(signer: SignerProcess) -> None:
    with pytest.raises(SignerCommandError):
        await run_signer(
            keystore=signer.folder / "keys",
            socket=signer.socket,
            settings=signer.folder / "limits.json",
            record=signer.folder / "keys.signatures.sqlite",
            token=signer.socket.with_suffix(".token"),
            passphrase="open",
        )
    assert await signer.end(signal.SIGTERM) == 0
    assert not signer.socket.exists()


async def test_it_ends_without_a_word_beside_a_caller_that_stays(signer: SignerProcess) -> None:
    client = signer.client()
    assert isinstance(await client.ask(AskWho()), Who)
    assert await signer.end(signal.SIGTERM) == 0
    assert "Error" not in (signer.folder / "errors").read_text()
    await client.close()


async def test_killed_at_any_moment_it_never_signs_a_slot_for_two(signer: SignerProcess) -> None:
    told: dict[Sign, Answer] = {}
    for round_number in range(ROUNDS):
        client = signer.client()
        enough = asyncio.Event()
        busy = asyncio.create_task(_ask_on(client, told, 5 * (round_number + 1), enough))
        await enough.wait()
        await signer.end(signal.SIGKILL)
        await busy
        await signer.start()
        other = signer.client()
        for asked, answer in told.items():
            assert await other.ask(asked) == answer, "the same request, the same bytes"
            fields = payment(HOT, 7, nonce=_nonce(asked), most=50)
            again = Sign(network="ETH", payment=asked.payment, fields=fields)
            refused = await other.ask(again)
            assert isinstance(refused, Refused)
        await other.close()
    assert not any(isinstance(answer, Failed) for answer in told.values())


def _nonce(asked: Sign) -> int:
    return int(asked.payment.removeprefix("w/"))


async def _ask_on(
    client: SignerClient, told: dict[Sign, Answer], count: int, enough: asyncio.Event
) -> None:
    """Ask for one slot after another until nobody answers."""
    try:
        while True:
            asked = request(len(told))
            told[asked] = await client.ask(asked)
            if len(told) >= count:
                enough.set()
    except SignerSilentError:
        await client.close()
