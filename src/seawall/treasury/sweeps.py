"""Deposits gathered, and the hot wallet within its bounds.  The rule: credited money only.

Sans-I/O.  What the ledger knows to stand at a deposit address goes to the hot wallet; what is not
credited stays where it came in.  An address that holds a token but no coin for the network's charge
is sent some first.  What the hot wallet has too much goes to cold; what it lacks, people send: a
request says how much, and why.
"""

from collections.abc import Mapping

from msgspec import Struct

from seawall.core.canaries import canary_atoms
from seawall.core.funding_index import FundingIndex
from seawall.core.funding_state import FundingState
from seawall.core.withdrawals import hot_cover
from seawall.model.funding import Listing, Vault, VaultMoveState
from seawall.model.funding_rows import Canary, Deposit, ListingState, VaultMove
from seawall.model.ids import AssetCode
from seawall.treasury.chain import FeeQuote, PaymentOrder, lane_slot, parse_lane_slot
from seawall.treasury.following import deposit_index
from seawall.treasury.outgoing import Ask, MoveTerms, units_of

COIN_GAS = 21_000
TOKEN_GAS = 100_000
"""Gas that is kept for one payment of a token; what is left over is used by the next."""


class Bounds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is worth sweeping of one asset, and what the hot wallet holds at most; in atoms."""

    asset: AssetCode
    sweep_from: int
    hot_most: int = 0
    """0: no bound."""
    hot_target: int = 0
    """What stays when it was above the bound."""


class SweepSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one network's deposits are gathered."""

    hot: str
    """Where they go, unless there are several lanes."""
    lanes: tuple[str, ...] = ()
    """Hot wallets that share the deposits: each address always pays to the same one."""
    cold: str = ""
    bounds: tuple[Bounds, ...] = ()
    at_once: int = 16
    """Sweeps that one round may ask for."""


class SweepFacts(Struct, frozen=True, kw_only=True):
    """What the chain says of deposit addresses, at one head."""

    quote: FeeQuote
    nonces: Mapping[str, int]
    coins: Mapping[str, int]
    """Native units at each address."""


class Standing(Struct):
    """What the ledger knows of deposit addresses."""

    atoms: dict[tuple[str, str], int]
    """By address and asset."""
    busy: set[str]
    """Addresses with something on its way from or to them."""


class DepositLedger:
    """Adds up what stands at one network's deposit addresses, and looks at no row twice."""

    def __init__(self, network: str) -> None:
        self._network = network
        self._index: FundingIndex | None = None
        self._seen = 0
        self._atoms: dict[tuple[str, str], int] = {}

    def standing(self, state: FundingState) -> Standing:
        """Return what stands there: credited, plus gas sent, less what left."""
        if self._index is not state.index:
            # Another state than before: a restart, or a replica that was loaded anew.
            self._index, self._seen, self._atoms = state.index, 0, {}
        native = state.book.networks[self._network].network.native
        rows = state.index.done(self._network, self._seen)
        self._seen += len(rows)
        found = Standing(atoms=self._atoms, busy=set())
        for row in rows:
            if isinstance(row, Deposit):
                _add(found, row.address, row.asset, row.atoms)
            elif Vault.DEPOSIT in (row.source, row.target):
                _count(found, row, native)
        for move in state.index.moves(self._network):
            if Vault.DEPOSIT in (move.source, move.target):
                _count(found, move, native)
        return found


def _count(found: Standing, move: VaultMove, native: str) -> None:
    leaves = move.source is Vault.DEPOSIT
    address = (
        parse_lane_slot(move.attempts[0].slots[0])[0] if leaves else move.move_key.split("/")[1]
    )
    if move.state in (VaultMoveState.PREPARED, VaultMoveState.BROADCAST):
        found.busy.add(address)
        return
    if move.state is VaultMoveState.SETTLED:
        _add(found, address, move.asset, -move.atoms if leaves else move.atoms)
    if leaves:
        _add(found, address, native, -move.cost)


def _add(found: Standing, address: str, asset: str, atoms: int) -> None:
    key = (address, asset)
    found.atoms[key] = found.atoms.get(key, 0) + atoms


def worth_sweeping(
    state: FundingState, network: str, settings: SweepSettings, found: Standing
) -> list[tuple[str, Listing, int]]:
    """Return which addresses to ask the chain about: address, listing, atoms; tokens first.

    The coin goes last, because the tokens' charges are paid from it.
    """
    native = state.book.networks[network].network.native
    bounds = {each.asset: each for each in settings.bounds}
    due = []
    for (address, asset), atoms in found.atoms.items():
        bound = bounds.get(AssetCode(asset))
        listing = state.listing(asset, network)
        if bound and listing and address not in found.busy and atoms >= max(bound.sweep_from, 1):
            due.append((address, listing.listing, atoms))
    due.sort(key=lambda each: each[1].asset == native)
    first: dict[str, tuple[str, Listing, int]] = {}
    for each in due:
        first.setdefault(each[0], each)
    return list(first.values())[: settings.at_once]


def sweep(
    state: FundingState,
    settings: SweepSettings,
    due: tuple[str, Listing, int],
    facts: SweepFacts,
    hot_slot: str | None,
) -> Ask | None:
    """Return the payment that gathers what is due, or the gas that it needs first, or None."""
    address, listing, atoms = due
    units = units_of(state, listing, atoms)
    coins = facts.coins[address]
    gas = (TOKEN_GAS if listing.contract else COIN_GAS) * facts.quote.most
    if not listing.contract:
        units = min(units, coins) - gas
        if units <= 0:
            return None
    elif coins < gas:
        return _send_gas(state, listing.network, address, gas - coins, facts.quote, hot_slot)
    nonce = facts.nonces[address]
    terms = MoveTerms(
        move_key=f"sweep/{address}/{nonce}",
        network=listing.network,
        asset=listing.asset,
        source=Vault.DEPOSIT,
        target=Vault.HOT,
        atoms=atoms if listing.contract else units * atoms_per_unit(state, listing),
    )
    index = deposit_index(state, listing.network, address)
    if index is None:
        return None
    order = PaymentOrder(
        source=address,
        payee=settings.lanes[index % len(settings.lanes)] if settings.lanes else settings.hot,
        contract=listing.contract,
        units=units,
        slots=(lane_slot(address, nonce),),
        quote=facts.quote,
    )
    return Ask(payment=f"move/{terms.move_key}", order=order, target=terms, index=index)


def _send_gas(
    state: FundingState,
    network: str,
    address: str,
    units: int,
    quote: FeeQuote,
    hot_slot: str | None,
) -> Ask | None:
    if hot_slot is None:
        return None
    native = state.book.networks[network].network.native
    terms = MoveTerms(
        move_key=f"gas/{address}/{hot_slot}",
        network=network,
        asset=native,
        source=Vault.HOT,
        target=Vault.DEPOSIT,
        atoms=units,
    )
    order = PaymentOrder(
        source=parse_lane_slot(hot_slot)[0],
        payee=address,
        contract="",
        units=units,
        slots=(hot_slot,),
        quote=quote,
    )
    return Ask(
        payment=f"move/{terms.move_key}",
        order=order,
        target=terms,
        payee_index=deposit_index(state, network, address),
    )


def to_cold(
    state: FundingState,
    settings: SweepSettings,
    listing: ListingState,
    quote: FeeQuote,
    hot_slot: str | None,
    most: int | None = None,
) -> Ask | None:
    """Return the payment that brings the hot wallet down to its target, or None.

    `most` is what the slot's lane may give, if that is not all that the hot wallet holds.
    """
    terms = listing.listing
    bound = next((each for each in settings.bounds if each.asset == terms.asset), None)
    cover = hot_cover(state, listing)
    if not settings.cold or hot_slot is None or bound is None or not bound.hot_most:
        return None
    if cover <= bound.hot_most or on_its_way_to_cold(state, terms):
        return None
    per_unit = atoms_per_unit(state, terms)
    units = (cover - bound.hot_target) // per_unit
    units = units if most is None else min(units, most)
    if units <= 0:
        return None
    move = MoveTerms(
        move_key=f"cold/{hot_slot}",
        network=terms.network,
        asset=terms.asset,
        source=Vault.HOT,
        target=Vault.COLD,
        atoms=units * per_unit,
    )
    order = PaymentOrder(
        source=parse_lane_slot(hot_slot)[0],
        payee=settings.cold,
        contract=terms.contract,
        units=units,
        slots=(hot_slot,),
        quote=quote,
    )
    return Ask(payment=f"move/{move.move_key}", order=order, target=move)


NO_COLD = "no cold address is configured to pay to"
HOT_LOW = "the hot wallet cannot pay it and keep its floor"
FEES_HIGH = "the network asks for more than we pay"
NO_SLOT = "too much is on its way already"


def canary_move(state: FundingState, settings: SweepSettings, canary: Canary) -> MoveTerms | str:
    """Return the move that is a canary, or what is in its way."""
    listing = state.book.listings[f"{canary.asset}/{canary.network}"]
    terms = listing.listing
    atoms = canary_atoms(terms)
    if not settings.cold:
        return NO_COLD
    if hot_cover(state, listing) < atoms:
        return HOT_LOW
    return MoveTerms(
        move_key=canary.move_key,
        network=terms.network,
        asset=terms.asset,
        source=Vault.HOT,
        target=Vault.COLD,
        atoms=atoms,
    )


def pay_canary(
    state: FundingState,
    settings: SweepSettings,
    canary: Canary,
    quote: FeeQuote,
    hot: tuple[str | None, int | None],
) -> Ask | str:
    """Return the payment to ourselves, or what is in its way; `hot`: a slot, its lane's most."""
    move = canary_move(state, settings, canary)
    if isinstance(move, str):
        return move
    slot, most = hot
    listing = state.book.listings[f"{canary.asset}/{canary.network}"].listing
    units = units_of(state, listing, move.atoms)
    if quote.spiked:
        return FEES_HIGH
    if slot is None:
        return NO_SLOT
    if most is not None and most < units:
        return HOT_LOW
    order = PaymentOrder(
        source=parse_lane_slot(slot)[0],
        payee=settings.cold,
        contract=listing.contract,
        units=units,
        slots=(slot,),
        quote=quote,
    )
    return Ask(payment=f"move/{move.move_key}", order=order, target=move)


def on_its_way_to_cold(state: FundingState, terms: Listing) -> bool:
    """Say whether some of the asset is being brought to cold already."""
    return any(
        (move.network, move.asset, move.target) == (terms.network, terms.asset, Vault.COLD)
        and move.atoms
        and move.state in (VaultMoveState.PREPARED, VaultMoveState.BROADCAST)
        for move in state.book.moves.values()
    )


def atoms_per_unit(state: FundingState, listing: Listing) -> int:
    """Return how many of the ledger's atoms one unit on chain is."""
    decimals = state.book.assets[listing.asset].decimals
    return int(10 ** (decimals - listing.chain_decimals))
