"""The funding cell's state.  The rule: all of it is in digest and snapshot, but what is derived."""

from hashlib import sha256

from msgspec.json import Decoder, Encoder

from seawall.core.funding_index import FundingIndex
from seawall.core.ledger import Ledger
from seawall.model.funding import Vault
from seawall.model.funding_rows import FundingAccount, FundingBook, FundingDump, ListingState
from seawall.model.ids import vault_account


class FundingState:
    """Main wallets, deposits, withdrawals and vaults."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.book = FundingBook()
        self.index = FundingIndex()
        """Derived from the book; see there."""

    @property
    def sequence(self) -> int:
        return self.book.sequence

    @property
    def at_ns(self) -> int:
        return self.book.at_ns

    @property
    def epoch(self) -> int:
        return self.book.epoch

    def account(self, user_id: int) -> FundingAccount:
        """Return the account, opening it if there is none."""
        found = self.book.accounts.get(user_id)
        if found is None:
            found = FundingAccount(user_id=user_id)
            self.book.accounts[user_id] = found
        return found

    def listing(self, asset: str, network: str) -> ListingState | None:
        return self.book.listings.get(f"{asset}/{network}")

    def vault(self, network: str, vault: Vault) -> int:
        """Return the house account of a vault: what stands there is minus what it holds."""
        return vault_account(self.book.networks[network].number, vault)

    def held_in(self, network: str, vault: Vault, asset: str) -> int:
        """Return what the ledger says a vault holds, in atoms."""
        return -self.ledger.free(self.vault(network, vault), asset)


_encoder = Encoder()
_decoder = Decoder(FundingDump)


def dump_funding(state: FundingState) -> bytes:
    """Return the whole state; dicts keep the order of the journal, the same in every replica."""
    balances = [
        (balance.user_id, balance.asset, balance.free, balance.held)
        for of_user in state.ledger.balances.values()
        for balance in of_user.values()
    ]
    return _encoder.encode(FundingDump(book=state.book, balances=balances))


def load_funding(data: bytes) -> FundingState:
    """Return the state that `dump_funding` wrote."""
    dump = _decoder.decode(data)
    state = FundingState()
    state.book = dump.book
    for user_id, asset, free, held in dump.balances:
        balance = state.ledger.balance(user_id, asset)
        balance.free = free
        balance.held = held
    state.index.rebuild(dump.book)
    return state


def digest_funding(state: FundingState) -> str:
    """Return SHA-256 over the dump, in hex."""
    return sha256(dump_funding(state)).hexdigest()
