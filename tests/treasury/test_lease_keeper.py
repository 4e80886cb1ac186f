"""When the node renews the signer's lease: while its journal goes on, and control's lease lives."""

from tests.core.funding_desk import SECOND_NS, FundingDesk

from seawall.model import funding_commands as f
from seawall.model.commands import Tick
from seawall.node.clock import ManualClock
from seawall.treasury.lease_keeper import VALID_MS, LeaseKeeper
from seawall.treasury.signer.client import SignerSilentError
from seawall.treasury.signer.lease import SignerLease
from seawall.treasury.signer.messages import Answer, Failed, RenewLease, Request


class Post:
    """A funding cell, a signer's lease, and the keeper between them; one second is one entry."""

    def __init__(self) -> None:
        self.desk = FundingDesk()
        self.clock = ManualClock(self.desk.now_ns)
        self.lease = SignerLease(4, self.clock.now_ns)
        self.silent = False
        self.old = False
        self.woken = 0
        self.keeper = self.take_over()

    def take_over(self) -> LeaseKeeper:
        return LeaseKeeper(self, lambda: self.desk.state, self.clock.now_ns, self.wake)

    def wake(self) -> None:
        self.woken += 1

    async def ask(self, request: Request) -> Answer:
        if self.silent:
            raise SignerSilentError("gone")
        assert isinstance(request, RenewLease)
        return Failed(detail="not a request") if self.old else self.lease.renew(request)

    def grant(self, seconds: int) -> None:
        until_ns = self.desk.now_ns + (1 + seconds) * SECOND_NS
        number = self.desk.state.book.lease_number + 1
        assert self.desk.do(f.GrantLease(number=number, until_ns=until_ns)) == ""
        self.clock.set(self.desk.now_ns)

    async def second(self, *, entry: bool = True) -> None:
        if entry:
            self.desk.do(Tick())
        self.clock.advance(SECOND_NS)
        await self.keeper.renew()


async def test_where_control_grants_nothing_the_journal_alone_keeps_it_alive() -> None:
    post = Post()
    for _ in range(10):
        await post.second()
        assert post.lease.lives()
    assert post.woken == 10
    # The journal takes no entries any more: this node is cut off, or another leads.
    for passed in range(1, 6):
        await post.second(entry=False)
        assert post.lease.lives() == (passed < 4)


async def test_it_never_outlives_what_control_granted() -> None:
    post = Post()
    post.grant(4)
    granted_ns = post.desk.now_ns
    for _ in range(8):
        await post.second()
        assert post.lease.lives() == (post.clock.now_ns() - granted_ns < 4 * SECOND_NS)
    assert post.keeper.due() is None
    post.grant(2)
    renewal = post.keeper.due()
    assert renewal == RenewLease(number=post.desk.state.sequence, valid_ms=2_000)
    post.grant(15)
    renewal = post.keeper.due()
    assert renewal is not None
    assert renewal.valid_ms == VALID_MS


async def test_one_that_is_taken_back_ends_at_its_next_renewal_or_by_itself() -> None:
    post = Post()
    post.grant(4)
    await post.keeper.renew()
    assert post.lease.lives()
    assert post.desk.do(f.GrantLease(number=99, until_ns=0)) == ""
    assert post.keeper.due() is None
    for _ in range(4):
        await post.second()
    assert not post.lease.lives()


async def test_a_new_leader_goes_on_where_the_old_one_was_and_a_late_old_one_does_nothing() -> None:
    post = Post()
    await post.second()
    old = post.keeper.due() or RenewLease(number=post.desk.state.sequence, valid_ms=4_000)
    post.desk.do(Tick())
    post.keeper = post.take_over()
    await post.keeper.renew()
    post.clock.advance(3 * SECOND_NS)
    assert post.lease.renew(old).left_ms == 1_000


async def test_a_signer_that_is_gone_or_older_ends_nothing() -> None:
    post = Post()
    post.silent = True
    await post.second()
    post.silent, post.old = False, True
    await post.second()
    assert (post.woken, post.lease.lives()) == (0, False)
    post.old = False
    await post.second()
    assert (post.woken, post.lease.lives()) == (1, True)
