"""A small funding cell for stories: one network, a coin and a token, three users.

Amounts are plain: the coin ETH has 2 decimals, of which the chain knows all; of the token's 2 the
chain knows 1, so that its amounts go on chain in tens.
"""

from seawall.core.funding import commit_funding
from seawall.core.funding_invariants import check_funding
from seawall.core.funding_state import (
    FundingState,
    digest_funding,
    dump_funding,
    load_funding,
)
from seawall.model import funding_commands as f
from seawall.model.commands import Deliver, Lead, ListAsset
from seawall.model.events import CommandRejected, Event
from seawall.model.funding import (
    Attempt,
    Listing,
    Network,
    NetworkKind,
    Service,
    ServiceStatus,
    Vault,
)
from seawall.model.funding_rows import ListingState, Withdrawal
from seawall.model.ids import AssetCode, Epoch, UserId
from seawall.model.instruments import Asset
from seawall.model.messages import MoveFunds

FINALITY = 3
SECOND_NS = 10**9
DAY_S = 86_400
ETH, USDT = AssetCode("ETH"), AssetCode("USDT")
NETWORK = Network(
    code="NET",
    name="Network",
    kind=NetworkKind.EVM,
    chain_id=1,
    finality=FINALITY,
    native=ETH,
    native_decimals=2,
    block_ms=1_000,
)
COIN = Listing(
    asset=ETH,
    network="NET",
    chain_decimals=2,
    min_deposit=10,
    min_withdrawal=20,
    withdrawal_fee=10,
    approval_above=1_000,
    limited_max=100,
    hot_floor=50,
)
TOKEN = Listing(
    asset=USDT,
    network="NET",
    chain_decimals=1,
    contract="token",
    min_deposit=10,
    min_withdrawal=20,
    withdrawal_fee=10,
    approval_above=1_000,
    limited_max=100,
)


class FundingDesk:
    """Plays commands one after the other; says what was refused."""

    def __init__(self, *, hot: int = 10_000) -> None:
        self.state = FundingState()
        self.now_ns = 0
        self._nonce = 0
        self._told = 0
        self.do(Lead(epoch=Epoch(1), node="desk"))
        for code in (ETH, USDT):
            self.do(ListAsset(asset=Asset(code=code, name=code, decimals=2)))
        self.do(f.ListNetwork(network=NETWORK))
        for number, listing in enumerate((COIN, TOKEN), 1):
            self.do(f.OfferAsset(listing=listing))
            self.capital(hot, asset=listing.asset)
            message = MoveFunds(
                transfer_id=number, user_id=UserId(1), asset=listing.asset, atoms=5_000
            )
            self.do(Deliver(source="spot", number=number, message=message))

    def play(self, command: f.FundingCommand, *, after_s: int = 1) -> list[Event]:
        self.now_ns += after_s * SECOND_NS
        state = self.state
        before = digest_of(state)
        events = commit_funding(
            state,
            command,
            sequence=state.sequence + 1,
            at_ns=self.now_ns,
        )
        check_funding(state)
        if events and isinstance(events[0], CommandRejected):
            assert len(events) == 1
            assert digest_of(state) == before, "a refusal changes nothing"
        # Every story is told over a snapshot as well.
        self.state = load_funding(dump_funding(state))
        assert digest_funding(self.state) == digest_funding(state)
        return events

    def do(self, command: f.FundingCommand, *, after_s: int = 1) -> str:
        """Return why it was refused, or ""."""
        events = self.play(command, after_s=after_s)
        first = events[0] if events else None
        return first.reason.value if isinstance(first, CommandRejected) else ""

    # Words for stories

    def capital(self, atoms: int, *, asset: AssetCode = ETH, vault: Vault = Vault.HOT) -> str:
        self._told += 1
        return self.do(
            f.BookCapital(
                network="NET",
                asset=asset,
                vault=vault,
                atoms=atoms,
                reference=f"r{self._told}",
                person="ann",
            )
        )

    def ask(
        self,
        atoms: int,
        *,
        asset: AssetCode = ETH,
        network: str = "NET",
        to: str = "out",
        user: int = 1,
        name: str = "",
        after_s: int = 1,
    ) -> str:
        command = f.RequestWithdrawal(
            user_id=UserId(user),
            asset=asset,
            network=network,
            address=to,
            atoms=atoms,
            client_withdrawal_id=name,
        )
        return self.do(command, after_s=after_s)

    def asked(self, atoms: int, *, asset: AssetCode = ETH, to: str = "out") -> int:
        """Ask, and return the number."""
        assert self.ask(atoms, asset=asset, to=to) == ""
        return self.state.book.next_withdrawal_id - 1

    def approve(self, number: int, person: str) -> str:
        return self.do(f.ApproveWithdrawal(withdrawal_id=number, person=person))

    def reject(self, number: int, person: str = "ann", reason: str = "no") -> str:
        return self.do(f.RejectWithdrawal(withdrawal_id=number, person=person, reason=reason))

    def cancel(self, number: int, user: int = 1) -> str:
        return self.do(f.CancelWithdrawal(user_id=UserId(user), withdrawal_id=number))

    def attempt(self, *, slot: str = "", tx: str = "", cost: int = 5) -> Attempt:
        self._nonce += 1
        slots = (slot or f"lane/{self._nonce}",)
        return Attempt(tx_id=tx or f"tx{self._nonce}", slots=slots, signed="00", max_cost=cost)

    def prepare(self, number: int, *, slot: str = "", tx: str = "", cost: int = 5) -> str:
        attempt = self.attempt(slot=slot, tx=tx, cost=cost)
        return self.do(f.PrepareWithdrawal(withdrawal_id=number, attempt=attempt))

    def sent(self, number: int, tx: str) -> str:
        return self.do(f.MarkBroadcast(withdrawal_id=number, tx_id=tx))

    def settle(self, number: int, tx: str, *, depth: int = FINALITY, cost: int = 3) -> str:
        return self.do(
            f.SettleWithdrawal(withdrawal_id=number, tx_id=tx, confirmations=depth, cost=cost)
        )

    def give_back(self, number: int, tx: str, *, depth: int = FINALITY, cost: int = 3) -> str:
        return self.do(
            f.ReturnWithdrawal(
                withdrawal_id=number, tx_id=tx, confirmations=depth, cost=cost, reason="foreign"
            )
        )

    def turn(self, status: ServiceStatus, *, asset: AssetCode = ETH, reason: str = "drill") -> str:
        return self.do(
            f.SetService(
                asset=asset,
                network="NET",
                service=Service.WITHDRAWAL,
                status=status,
                reason=reason,
                person="ann",
            )
        )

    def move(
        self,
        key: str,
        atoms: int,
        *,
        source: Vault = Vault.HOT,
        target: Vault = Vault.COLD,
        attempt: Attempt | None = None,
    ) -> str:
        return self.do(
            f.PrepareVaultMove(
                move_key=key,
                network="NET",
                asset=ETH,
                source=source,
                target=target,
                atoms=atoms,
                attempt=attempt or self.attempt(),
            )
        )

    def withdrawal(self, number: int) -> Withdrawal:
        return self.state.book.withdrawals[number]

    def listing(self, asset: str = ETH) -> ListingState:
        found = self.state.listing(asset, "NET")
        assert found is not None
        return found

    def free(self, user: int = 1, asset: str = ETH) -> int:
        return self.state.ledger.free(user, asset)


def digest_of(state: FundingState) -> str:
    """Return a digest that leaves out how far and when."""
    book = state.book
    kept = book.sequence, book.at_ns
    book.sequence, book.at_ns = 0, 0
    digest = digest_funding(state)
    book.sequence, book.at_ns = kept
    return digest
