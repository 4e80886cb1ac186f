"""Random lives of the funding cell: invariants hold after every entry, nothing is paid twice."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.core.funding_life import FINALITY, FundingLife, assets, atoms

from seawall.model import funding_commands as f
from seawall.model.commands import SetTransfers
from seawall.model.events import CommandRejected
from seawall.model.funding import Service, ServiceStatus, Vault
from seawall.model.ids import AssetCode


class ControlledLife(FundingLife):
    """The same under control's orders, late and repeated ones among them."""

    @rule(
        asset=assets,
        status=st.sampled_from([*ServiceStatus, ServiceStatus.LIMITED]),
        step=st.sampled_from([-1, 0, 1, 1, 1]),
        per_withdrawal=atoms,
        per_user=st.sampled_from([0, 20, 60]),
        total=st.sampled_from([0, 30, 90]),
    )
    def obey(
        self,
        asset: str,
        status: ServiceStatus,
        step: int,
        per_withdrawal: int,
        per_user: int,
        total: int,
    ) -> None:
        """Take an order of control's: the next one, the last one again, or an older one."""
        listing = self.state.listing(asset, "ETH")
        assert listing is not None
        before = listing.withdrawal.order
        self.play(
            f.SetService(
                asset=AssetCode(asset),
                network="ETH",
                service=Service.WITHDRAWAL,
                status=status,
                reason="control",
                order=max(before + step, 0),
                per_withdrawal=per_withdrawal,
                per_user=per_user * 10**12,
                total=total * 10**12,
            )
        )
        assert listing.withdrawal.order == max(before, before + step)

    @rule(step=st.sampled_from([0, 1, 1]), lasts_ns=st.sampled_from([-1, 3_000, 10**9, 10**11]))
    def lease(self, step: int, lasts_ns: int) -> None:
        number = self.state.book.lease_number + step
        until_ns = len(self.log) * 1_000 + lasts_ns
        events = self.play(f.GrantLease(number=number, until_ns=until_ns))
        if not isinstance(events[0], CommandRejected):
            self.leased_until_ns = until_ns

    @rule(asset=assets, key=st.sampled_from(["c1", "c2", "c3"]), end=st.sampled_from([0, 1, 2]))
    def canary(self, asset: str, key: str, end: int) -> None:
        """Order one and go some of the way with it."""
        self.play(f.OrderCanary(asset=AssetCode(asset), network="ETH", key=key))
        if end:
            self.move(asset, 10**12, (Vault.HOT, Vault.COLD), f"canary/{key}", reuse=False)
        if end == 2:
            self.end_move(f"canary/{key}", FINALITY, failed=asset == "USDT")
        else:
            self.play(f.DelayCanary(key=key, reason="the hot wallet is low"))

    @rule(paused=st.booleans(), step=st.sampled_from([-1, 0, 1]))
    def pause_transfers(self, paused: bool, step: int) -> None:
        number = max(self.state.book.mailbox.order + step, 0)
        self.play(SetTransfers(paused=paused, reason="control", order=number))


TestFundingLife = FundingLife.TestCase
TestFundingLife.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestControlledLife = ControlledLife.TestCase
TestControlledLife.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
