"""What the gateway asks of a treasury.  The rule: the gateway works without one, and says so.

Treasury and gateway do not know each other; whoever starts both hands one to the other.
"""

from typing import Protocol

from seawall.model.funding import Service


class AddressRefusedError(ValueError):
    """The text is no address that may be paid to; the message says why."""


class TreasuryOffError(Exception):
    """The network's treasury cannot do it now; the message says why, in words for users."""


class TopUpRefusedError(ValueError):
    """The transaction is not, or not yet, a top-up that can be booked; the message says why."""


class DepositAddresses(Protocol):
    """Derives the users' addresses, and knows an address when it sees one."""

    async def derive(self, network: str, index: int) -> str:
        """Return the network's deposit address at `index`, in canonical form.

        Raises TreasuryOffError while it cannot be known.
        """
        ...

    async def payee(self, network: str, text: str) -> str:
        """Return the address in canonical form, or raise AddressRefusedError.

        Raises TreasuryOffError on a network that no treasury serves.
        """
        ...

    def off(self, network: str, service: Service) -> str:
        """Return why the network does not serve now, in words for users; "" if it does."""
        ...

    def waits(self, network: str) -> str:
        """Return why payments of a network that serves take longer, in words for users; or ""."""
        ...


class Reconciling(Protocol):
    """Compares chains and ledger when asked, besides doing so all the time; books top-ups."""

    async def reconcile(self) -> None:
        """Report each listing's balances on chain to the funding cell; return when that is done.

        Raises TreasuryOffError where no figure can be had now.
        """
        ...

    def hot_wallet(self, network: str) -> str:
        """Return the address that cold storage sends to; "" while it is not known."""
        ...

    async def record_top_up(self, network: str, tx_id: str, person: str) -> None:
        """Book a final transaction that brought money from cold storage to the hot wallet.

        Raises TopUpRefusedError, or TreasuryOffError where the chain cannot be asked now.
        """
        ...
