"""Many balances in one call.  The rule: the node runs this program, stores nothing, and answers.

An `eth_call` without a target runs its data as the code of a contract to be.  The program carries
the addresses behind itself, puts what each holds in its place, and returns the table instead of
code.  So it needs no contract of ours on the chain, and like any call it is bound to one block.
"""

from collections.abc import Sequence
from typing import Final

from seawall.treasury.evm_bytes import BALANCE_SELECTOR

WORD: Final = 32
MOST: Final = 750
"""Addresses in one call: nodes take 24,576 bytes from it at most, a word for each and one more."""

_SUB, _EQ, _ISZERO, _AND, _SHL = 0x03, 0x14, 0x15, 0x16, 0x1B
_BALANCE, _CODESIZE, _CODECOPY, _RETURNDATASIZE = 0x31, 0x38, 0x39, 0x3D
_MLOAD, _MSTORE, _JUMPI, _GAS, _JUMPDEST = 0x51, 0x52, 0x57, 0x5A, 0x5B
_DUP1, _DUP2, _SWAP1, _RETURN, _STATICCALL, _REVERT = 0x80, 0x81, 0x90, 0xF3, 0xFA, 0xFD


def balances_program(addresses: Sequence[str], contract: str) -> bytes:
    """Return the program that reads what the addresses hold of the coin (""), or of a token.

    It fails as a whole if the token answers anything but one word.
    """
    # Memory: how many, then a word for each address; behind them the call to the token.
    size = WORD * len(addresses)
    call = size + WORD
    start = (
        # codecopy(to 32, from codesize - size, size): the addresses
        _push(size) + bytes([_DUP1, _CODESIZE, _SUB]) + _push(WORD) + bytes([_CODECOPY])
        # memory[0] = how many; a first byte of zero also keeps nodes from refusing "code" by it
        + _push(len(addresses)) + _push(0) + bytes([_MSTORE])
    )  # fmt: skip
    if contract:
        selector = int.from_bytes(BALANCE_SELECTOR, "big")
        start += _push(selector, 4) + _push(224) + bytes([_SHL]) + _push(call) + bytes([_MSTORE])
    # From the last address to the first; its place in memory lies on the stack.
    loop = _push(size)
    here = len(start) + len(loop)
    body = bytes([_JUMPDEST, _DUP1, _MLOAD])
    if contract:
        # memory[call + 4] = address; staticcall writes the balance in the address's place
        body += _push(call + 4) + bytes([_MSTORE])
        body += _push(WORD) + bytes([_DUP2]) + _push(4 + WORD) + _push(call)
        body += _push(int(contract, 16), 20) + bytes([_GAS, _STATICCALL])
        body += bytes([_RETURNDATASIZE]) + _push(WORD) + bytes([_EQ, _AND, _ISZERO])
        jump_back = _next_place()
        end = _push(call) + _push(0) + bytes([_RETURN])
        # The place of the failing end is known once everything before it is laid out.
        fail = here + len(body) + len(_push(0)) + 1 + len(jump_back) + len(_push(0)) + 1 + len(end)
        body += _push(fail) + bytes([_JUMPI])
    else:
        body += bytes([_BALANCE, _DUP2, _MSTORE])
        jump_back = _next_place()
        end = _push(call) + _push(0) + bytes([_RETURN])
    body += jump_back + _push(here) + bytes([_JUMPI]) + end
    if contract:
        body += bytes([_JUMPDEST]) + _push(0) + _push(0) + bytes([_REVERT])
    table = b"".join(bytes(12) + bytes.fromhex(address[2:]) for address in addresses)
    return start + loop + body + table


def read_balances(answer: bytes, count: int) -> tuple[int, ...]:
    """Return the table's figures; ValueError unless it is the table that was asked for."""
    if len(answer) != WORD * (count + 1) or int.from_bytes(answer[:WORD], "big") != count:
        raise ValueError(f"{len(answer)} bytes are no table of {count} balances")
    return tuple(
        int.from_bytes(answer[place : place + WORD], "big")
        for place in range(WORD, len(answer), WORD)
    )


def _next_place() -> bytes:
    """Step to the address before, and leave on top whether there is one."""
    return _push(WORD) + bytes([_SWAP1, _SUB, _DUP1])


def _push(value: int, width: int = 2) -> bytes:
    """Return the instruction that pushes a number; one width for all keeps places computable."""
    return bytes([0x5F + width]) + value.to_bytes(width, "big")
