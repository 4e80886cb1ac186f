"""Orders of incident control for golden journals.  The rule: due, late, repeated and absurd ones.

To funding they come among all else; leases only in the last quarter of its life, for from the first
one on much is refused.
"""

from tests.golden.funding_flow import UNIT, FundingFlow

from seawall.core.funding_state import FundingState
from seawall.core.spot_state import SpotState
from seawall.lib.prng import Prng
from seawall.model import funding_commands as f
from seawall.model.commands import SetMarketStatus, SetTransfers, SpotCommand
from seawall.model.funding import CanaryState, Service, ServiceStatus, Vault
from seawall.model.ids import Symbol
from seawall.model.trading import MarketStatus

SECOND_NS = 10**9
LEASES_FROM = 1_700
"""Entries before the first lease."""


class OrdersFlow(FundingFlow):
    """A life of the funding cell under control's orders."""

    def __init__(self, seed: int, state: FundingState) -> None:
        super().__init__(seed, state)
        self._ordered = 0

    def next(self) -> f.FundingCommand:
        if not self.prng.chance(1, 8):
            return super().next()
        match self.prng.below(6):
            case 0:
                return set_transfers(self.prng, self.state.book.mailbox.order)
            case 1 | 2:
                return self._stage()
            case 3 if self.state.sequence > LEASES_FROM:
                return self._lease()
            case _:
                return self._canary()

    def _stage(self) -> f.FundingCommand:
        asset, network = self._listed()
        listing = self.state.listing(asset, network)
        last = listing.withdrawal.order if listing else 0
        return f.SetService(
            asset=asset,
            network=network,
            service=self.prng.choice([Service.WITHDRAWAL] * 4 + [Service.DEPOSIT]),
            status=self.prng.choice([ServiceStatus.OPEN] * 3 + [ServiceStatus.LIMITED] * 4),
            reason="control",
            order=last + self.prng.choice([-1, 0, 1, 1, 1]),
            per_withdrawal=self.prng.choice([0, 60, 150]) * UNIT,
            per_user=self.prng.choice([0, 100, 400, -1]) * UNIT,
            total=self.prng.choice([0, 300, 900]) * UNIT,
        )

    def _lease(self) -> f.FundingCommand:
        book = self.state.book
        seconds = self.prng.choice([15, 15, 15, 14, 10, 0, 3_600, -1])
        until_ns = book.at_ns + seconds * SECOND_NS if seconds >= 0 else -1
        return f.GrantLease(
            number=book.lease_number + self.prng.choice([0, 1, 1, 1]), until_ns=until_ns
        )

    def _canary(self) -> f.FundingCommand:
        waiting = [
            row for row in self.state.book.canaries.values() if row.state is CanaryState.WANTED
        ]
        if not waiting or self.prng.chance(1, 4):
            self._ordered += 1
            asset, network = self._listed()
            key = self.prng.choice([f"k{self._ordered}", f"k{self._ordered}", "k1", ""])
            return f.OrderCanary(asset=asset, network=network, key=key)
        row = self.prng.choice(waiting)
        if self.prng.chance(1, 4):
            return f.DelayCanary(
                key=row.key, reason=self.prng.choice(["المحفظة منخفضة", "low", ""])
            )
        listing = self.state.book.listings[f"{row.asset}/{row.network}"].listing
        return f.PrepareVaultMove(
            move_key=row.move_key,
            network=row.network,
            asset=listing.asset,
            source=Vault.HOT,
            target=Vault.COLD,
            atoms=listing.min_withdrawal - listing.withdrawal_fee,
            attempt=self._attempt(()),
        )


def spot_order(prng: Prng, state: SpotState) -> SpotCommand:
    """Return an order to a market or to transfers."""
    if prng.chance(1, 4):
        return set_transfers(prng, state.mailbox.order)
    market = prng.choice(list(state.markets.values()))
    return SetMarketStatus(
        symbol=Symbol(market.symbol),
        status=prng.choice([MarketStatus.OPEN] * 4 + [*MarketStatus]),
        reason="control",
        automatic=True,
        order=max(market.status_order + prng.choice([-1, 0, 1, 1, 1]), 0),
        collar_bps=prng.choice([0, 200, 500, 1_000, 10_000]),
    )


def set_transfers(prng: Prng, last: int) -> SetTransfers:
    return SetTransfers(
        paused=prng.chance(1, 3),
        reason=prng.choice(["control", "control", "control", ""]),
        order=max(last + prng.choice([-1, 0, 1, 1]), 0),
    )
