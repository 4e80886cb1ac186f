"""What the gateway asks of a treasury.  The rule: the gateway works without one, and says so.

Treasury and gateway do not know each other; whoever starts both hands one to the other.
"""

from typing import Protocol


class AddressRefusedError(ValueError):
    """The text is no address that may be paid to; the message says why."""


class DepositAddresses(Protocol):
    """Derives the users' addresses, and knows an address when it sees one."""

    async def derive(self, network: str, index: int) -> str:
        """Return the network's deposit address at `index`, in canonical form."""
        ...

    async def payee(self, network: str, text: str) -> str:
        """Return the address in canonical form, or raise AddressRefusedError."""
        ...


class Reconciling(Protocol):
    """Compares chains and ledger when asked, besides doing so all the time."""

    async def reconcile(self) -> None:
        """Report each listing's balances on chain to the funding cell; return when that is done."""
        ...
