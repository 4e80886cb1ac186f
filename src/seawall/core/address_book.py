"""Where a user's money may go.  The rule: the exchange never pays itself, nor an address too new.

A user who keeps to the address book waits before a new entry can be paid to, and as long again
when leaving the book: whoever stole a session gains no time by either.  The core knows no
checksums: treasury and gateway have checked an address's form before it comes here, and addresses
are compared as that check writes them.
"""

from seawall.core.funding_state import FundingState
from seawall.model import limits
from seawall.model.events import CommandRejected, Event
from seawall.model.funding_commands import AddAddress, RemoveAddress, SetAllowList
from seawall.model.funding_events import AddressBookChanged
from seawall.model.funding_rows import AddressEntry
from seawall.model.rejections import Rejection


def add_address(state: FundingState, command: AddAddress) -> list[Event]:
    """Enter an address; one that stands there already keeps its age."""
    if command.network not in state.book.networks:
        return [CommandRejected(Rejection.UNKNOWN_NETWORK)]
    if not 0 < len(command.address) <= limits.ADDRESS_CHARS:
        return [CommandRejected(Rejection.ADDRESS_INVALID)]
    if len(command.label) > limits.ADDRESS_LABEL_CHARS:
        return [CommandRejected(Rejection.INVALID_DEFINITION, "label")]
    account = state.book.accounts.get(command.user_id)
    of_network = account.book.get(command.network, {}) if account else {}
    known = of_network.get(command.address)
    if known is None and len(of_network) >= limits.ADDRESSES_PER_USER:
        return [CommandRejected(Rejection.ADDRESS_BOOK_FULL)]
    added_ns = state.at_ns if known is None else known.added_ns
    entry = AddressEntry(label=command.label, added_ns=added_ns)
    state.account(command.user_id).book.setdefault(command.network, {})[command.address] = entry
    return [AddressBookChanged(command.user_id, command.network, command.address)]


def remove_address(state: FundingState, command: RemoveAddress) -> list[Event]:
    account = state.book.accounts.get(command.user_id)
    of_network = account.book.get(command.network) if account else None
    if not of_network or command.address not in of_network:
        return [CommandRejected(Rejection.ADDRESS_NOT_IN_BOOK)]
    del of_network[command.address]
    return [AddressBookChanged(command.user_id, command.network, command.address)]


def set_allow_list(state: FundingState, command: SetAllowList) -> list[Event]:
    """Keep to the book from now on, or leave it after the waiting time."""
    account = state.account(command.user_id)
    if account.only_book and not command.only_book:
        account.book_until_ns = state.at_ns + state.book.address_wait_ns
    account.only_book = command.only_book
    return [AddressBookChanged(command.user_id, "", "")]


def refuse_address(
    state: FundingState, user_id: int, network: str, address: str
) -> CommandRejected | None:
    """Return why the user's money may not go there, or None."""
    if not 0 < len(address) <= limits.ADDRESS_CHARS:
        return CommandRejected(Rejection.ADDRESS_INVALID)
    # Of any network: chains of one kind share their addresses, and only one of them credits it.
    if any(address in each.owners for each in state.book.networks.values()):
        return CommandRejected(Rejection.OWN_ADDRESS)
    account = state.book.accounts.get(user_id)
    if account is None or not (account.only_book or state.at_ns < account.book_until_ns):
        return None
    entry = account.book.get(network, {}).get(address)
    if entry is None:
        return CommandRejected(Rejection.ADDRESS_NOT_IN_BOOK)
    if state.at_ns - entry.added_ns < state.book.address_wait_ns:
        return CommandRejected(Rejection.ADDRESS_WAITING)
    return None
