"""Deposited coins gathered, and what is too much brought to cold.  The rule: credited coins only.

Sans-I/O, as sweeps.py is for nonces.  All credited coins of one deposit address go to the hot
wallet in one transaction; coins that are dust, not final, or of nobody stay where they are.  Users'
coins are never spent directly: a withdrawal comes out of the hot wallet alone, so that the ledger's
vaults stand where the chain says.
"""

from seawall.core.funding_state import FundingState
from seawall.core.withdrawals import hot_cover
from seawall.model.funding import DepositState, Vault
from seawall.model.funding_rows import Canary, ListingState
from seawall.model.limits import REASON_CHARS
from seawall.treasury.chain import Coin, RefusedError, parse_coin_slot
from seawall.treasury.following import deposit_index
from seawall.treasury.outgoing import Ask, MoveTerms, units_of
from seawall.treasury.sweeps import (
    FEES_HIGH,
    SweepSettings,
    atoms_per_unit,
    canary_move,
    on_its_way_to_cold,
)
from seawall.treasury.utxo_bytes import COINS_MOST, gather
from seawall.treasury.utxo_coins import ShortError
from seawall.treasury.utxo_payouts import CoinFacts, UtxoPayouts, ask_for


def sweep_coins(
    state: FundingState, network: str, settings: SweepSettings, facts: CoinFacts, prefix: str
) -> list[Ask]:
    """Return the payments that gather what is worth gathering."""
    found: list[Ask] = []
    native = state.book.networks[network].network.native
    bound = next((each for each in settings.bounds if each.asset == native), None)
    listing = state.listing(native, network)
    if bound is None or listing is None or facts.quote.spiked:
        return found
    per_unit = atoms_per_unit(state, listing.listing)
    for address, coins in _swept(state, network, facts).items():
        if sum(coin.units for coin in coins) * per_unit < max(bound.sweep_from, 1):
            continue
        try:
            unsigned = gather(address, settings.hot, coins, facts.quote.most, prefix)
        except RefusedError:
            # Not worth its fee: more may come.
            continue
        units = sum(coin.units for coin in coins) - unsigned.max_cost
        terms = MoveTerms(
            move_key=f"sweep/{unsigned.slots[0]}",
            network=network,
            asset=native,
            source=Vault.DEPOSIT,
            target=Vault.HOT,
            atoms=units * per_unit,
        )
        index = deposit_index(state, network, address)
        found.append(ask_for(f"move/{terms.move_key}", unsigned, facts.quote, terms, index))
        if len(found) == settings.at_once:
            break
    return found


def _swept(state: FundingState, network: str, facts: CoinFacts) -> dict[str, list[Coin]]:
    """Return the credited coins that belong to no payment yet, by address."""
    of_network = state.book.networks[network]
    found: dict[str, list[Coin]] = {}
    for slot in sorted(facts.coins):
        coin = facts.coins[slot]
        if coin.address not in of_network.owners or slot in of_network.slots:
            continue
        tx_id, output = parse_coin_slot(slot)
        deposit = state.book.deposits.get(f"{network}/{tx_id}/{output}")
        if deposit is not None and deposit.state is DepositState.CREDITED:
            coins = found.setdefault(coin.address, [])
            if len(coins) < COINS_MOST:
                coins.append(coin)
    return found


NO_COINS = "the hot wallet's coins are not final yet, or belong to other payments"


def pay_canary_in_coins(
    state: FundingState,
    payouts: UtxoPayouts,
    settings: SweepSettings,
    canary: Canary,
    facts: CoinFacts,
) -> Ask | str:
    """Return the payment to ourselves, or what is in its way."""
    move = canary_move(state, settings, canary)
    if isinstance(move, str):
        return move
    if facts.quote.spiked:
        return FEES_HIGH
    terms = state.book.listings[f"{canary.asset}/{canary.network}"].listing
    try:
        unsigned = payouts.choose(state, facts, settings.cold, units_of(state, terms, move.atoms))
    except ShortError:
        return NO_COINS
    except (RefusedError, ValueError) as error:
        return f"the network cannot pay this: {error}"[:REASON_CHARS]
    return ask_for(f"move/{move.move_key}", unsigned, facts.quote, move)


def coins_to_cold(
    state: FundingState,
    payouts: UtxoPayouts,
    settings: SweepSettings,
    listing: ListingState,
    facts: CoinFacts,
) -> Ask | None:
    """Return the payment that brings the hot wallet down to its target, or None."""
    terms = listing.listing
    bound = next((each for each in settings.bounds if each.asset == terms.asset), None)
    cover = hot_cover(state, listing)
    if not settings.cold or bound is None or not bound.hot_most or facts.quote.spiked:
        return None
    if cover <= bound.hot_most or on_its_way_to_cold(state, terms):
        return None
    per_unit = atoms_per_unit(state, terms)
    units = units_of(state, terms, (cover - bound.hot_target) // per_unit * per_unit)
    try:
        unsigned = payouts.choose(state, facts, settings.cold, units)
    except ShortError:
        # The coins come when they are final.
        return None
    move = MoveTerms(
        move_key=f"cold/{unsigned.slots[0]}",
        network=terms.network,
        asset=terms.asset,
        source=Vault.HOT,
        target=Vault.COLD,
        atoms=units * per_unit,
    )
    return ask_for(f"move/{move.move_key}", unsigned, facts.quote, move)
