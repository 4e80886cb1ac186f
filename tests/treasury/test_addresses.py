"""Addresses against the published vectors of BIP32 and BIP84, and against keys that sign."""

import pytest
from embit import bip32, bip39
from eth_account import Account

from seawall.model.funding import NetworkKind
from seawall.treasury.addresses import DepositAddresses
from seawall.treasury.settings import SettingsError

ANVIL = "test test test test test test test test test test test junk"
ABANDON = "abandon " * 11 + "about"


def account_of(mnemonic: str, path: str) -> bip32.HDKey:
    return bip32.HDKey.from_seed(bip39.mnemonic_to_seed(mnemonic)).derive(path)


@pytest.mark.parametrize(
    "parent, index, child",
    [
        (  # BIP32, vector 1: m/0H and m/0H/1
            "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw",
            1,
            "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7xmALppuCkwQ",
        ),
        (  # BIP32, vector 2: m and m/0
            "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB",
            0,
            "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH",
        ),
    ],
)
def test_published_vectors(parent: str, index: int, child: str) -> None:
    assert bip32.HDKey.from_string(parent).child(index).to_base58() == child


def test_evm_addresses_are_those_of_the_keys_that_can_spend_them() -> None:
    Account.enable_unaudited_hdwallet_features()
    account = account_of(ANVIL, "m/44h/60h/0h").to_public().to_base58()
    addresses = DepositAddresses(account, NetworkKind.EVM)
    assert addresses.address(0) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    for index in (1, 2, 255, 2**31 - 1):
        key = Account.from_mnemonic(ANVIL, account_path=f"m/44'/60'/0'/0/{index}")
        assert addresses.address(index) == key.address


def test_segwit_addresses_are_those_of_bip84() -> None:
    account = (
        "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf"
        "31mGDtKsAYz2oz2AGutZYs"
    )
    addresses = DepositAddresses(account, NetworkKind.UTXO, "bc")
    assert addresses.address(0) == "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
    assert addresses.address(1) == "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"


def test_private_keys_and_nonsense_are_refused() -> None:
    private = account_of(ABANDON, "m/44h/60h/0h")
    with pytest.raises(SettingsError, match="private key"):
        DepositAddresses(private.to_base58(), NetworkKind.EVM)
    public = private.to_public().to_base58()
    for nonsense in ("", "xpub", public[:-1], public[:-1] + "1", "0x" + 40 * "1"):
        with pytest.raises(SettingsError, match="extended public key"):
            DepositAddresses(nonsense, NetworkKind.EVM)
    with pytest.raises(SettingsError, match="prefix"):
        DepositAddresses(public, NetworkKind.UTXO)
    for index in (-1, 2**31):
        with pytest.raises(ValueError, match="index"):
            DepositAddresses(public, NetworkKind.EVM).address(index)
