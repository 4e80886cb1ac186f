"""The double-entry ledger.  The rule: atoms only ever move; each asset sums to zero.

A balance has a free and a held part.  House accounts with negative ids stand for what lies outside
the cell (`EXTERNAL`, vaults, bridges to other cells); only they may be negative.  Callers have
checked that the money is there: a movement that would overdraw is a broken invariant, not a
rejection.
"""

from seawall.lib.invariants import InvariantError, invariant
from seawall.model.events import BalanceChanged, Event
from seawall.model.ids import FEES


class Balance:
    """What one account has of one asset, in atoms."""

    def __init__(self, user_id: int, asset: str) -> None:
        self.user_id = user_id
        self.asset = asset
        self.free = 0
        self.held = 0
        self.touched = False


class Ledger:
    """All balances of a cell, by user and asset."""

    def __init__(self) -> None:
        self.balances: dict[int, dict[str, Balance]] = {}
        self._touched: list[Balance] = []

    def balance(self, user_id: int, asset: str) -> Balance:
        """Return the balance, opening it at zero if there is none."""
        of_user = self.balances.get(user_id)
        if of_user is None:
            of_user = {}
            self.balances[user_id] = of_user
        found = of_user.get(asset)
        if found is None:
            found = Balance(user_id, asset)
            of_user[asset] = found
        return found

    def free(self, user_id: int, asset: str) -> int:
        """Return the free atoms without opening a balance."""
        of_user = self.balances.get(user_id)
        if of_user is None:
            return 0
        found = of_user.get(asset)
        return 0 if found is None else found.free

    def move(self, source: Balance, target: Balance, atoms: int) -> None:
        """Move free atoms from one account to another."""
        invariant(source.asset == target.asset, "a movement has one asset")
        invariant(
            atoms >= 0 and (source.free >= atoms or source.user_id < 0),
            "a movement is covered by its source",
        )
        source.free -= atoms
        target.free += atoms
        self._touch(source)
        self._touch(target)

    def spend(self, source: Balance, target: Balance, atoms: int) -> None:
        """Move held atoms from one account into the free part of another."""
        invariant(source.asset == target.asset, "a movement has one asset")
        invariant(0 <= atoms <= source.held, "a movement is covered by its hold")
        source.held -= atoms
        target.free += atoms
        self._touch(source)
        self._touch(target)

    def hold(self, balance: Balance, atoms: int) -> None:
        invariant(0 <= atoms <= balance.free, "a hold is covered by the free balance")
        balance.free -= atoms
        balance.held += atoms
        self._touch(balance)

    def release(self, balance: Balance, atoms: int) -> None:
        invariant(0 <= atoms <= balance.held, "a release is covered by the hold")
        balance.held -= atoms
        balance.free += atoms
        self._touch(balance)

    def trade(
        self,
        buyer_id: int,
        seller_id: int,
        base: str,
        quote: str,
        base_atoms: int,
        quote_atoms: int,
        released_atoms: int,
        base_fee: int,
        quote_fee: int,
    ) -> None:
        """Exchange held base for held quote; each side pays its fee out of what it receives.

        `released_atoms` more of the buyer's held quote become free: what its limit had held above
        the price of the trade.
        """
        pays = self.balance(buyer_id, quote)
        gives = self.balance(seller_id, base)
        if pays.held < quote_atoms + released_atoms or gives.held < base_atoms:
            raise InvariantError("a trade is covered by both holds")
        pays.held -= quote_atoms + released_atoms
        pays.free += released_atoms
        gives.held -= base_atoms
        gets = self.balance(buyer_id, base)
        gets.free += base_atoms - base_fee
        raises = self.balance(seller_id, quote)
        raises.free += quote_atoms - quote_fee
        self._touch(pays)
        self._touch(gets)
        self._touch(gives)
        self._touch(raises)
        if base_fee:
            house = self.balance(FEES, base)
            house.free += base_fee
            self._touch(house)
        if quote_fee:
            house = self.balance(FEES, quote)
            house.free += quote_fee
            self._touch(house)

    def has_changes(self) -> bool:
        """Say whether balances were touched since the last `take_changes`."""
        return bool(self._touched)

    def take_changes(self, events: list[Event]) -> None:
        """Append one `BalanceChanged` per balance touched since the last call."""
        for balance in self._touched:
            balance.touched = False
            events.append(
                BalanceChanged(balance.user_id, balance.asset, balance.free, balance.held)
            )
        self._touched.clear()

    def _touch(self, balance: Balance) -> None:
        if not balance.touched:
            balance.touched = True
            self._touched.append(balance)
