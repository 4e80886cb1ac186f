"""Keys and limits for the signer's tests."""

from pathlib import Path

from eth_account import Account

from seawall.treasury.chain import EvmUnsigned
from seawall.treasury.signer.keystore import FileKeyStore, create_keystore
from seawall.treasury.signer.settings import AssetLimits, NetworkLimits, SignerSettings

HOT_KEY = "11" * 32
HOT = str(Account.from_key(HOT_KEY).address)
COLD = str(Account.from_key("22" * 32).address)
ALICE = str(Account.from_key("33" * 32).address)
BOB = str(Account.from_key("44" * 32).address)
TOKEN = str(Account.from_key("55" * 32).address)
OTHER_TOKEN = str(Account.from_key("66" * 32).address)
GWEI = 10**9
CHAIN_ID = 31_337
GAS = 60_000
WINDOW_S = 100
COIN_WINDOW = 10**18
TOKEN_WINDOW = 1_000

SETTINGS = SignerSettings(
    networks={
        "ETH": NetworkLimits(
            chain_id=CHAIN_ID,
            own=(HOT, COLD),
            most_per_gas=100 * GWEI,
            most_gas=100_000,
            assets=(
                AssetLimits(
                    payment_units=COIN_WINDOW // 2, window_units=COIN_WINDOW, window_s=WINDOW_S
                ),
                AssetLimits(
                    contract=TOKEN,
                    payment_units=600,
                    window_units=TOKEN_WINDOW,
                    window_s=WINDOW_S,
                ),
            ),
        )
    }
)


def make_keys(path: Path) -> FileKeyStore:
    return create_keystore(path, "open", wallets=(HOT_KEY,), deposit_seed="77" * 32, n=1 << 10)


def transfer_data(payee: str, units: int) -> str:
    return "0xa9059cbb" + payee[2:].lower().rjust(64, "0") + f"{units:064x}"


def payment(
    payee: str = ALICE,
    units: int = 100,
    *,
    contract: str = TOKEN,
    nonce: int = 0,
    most: int = 10,
    tip: int = 1,
    chain_id: int = CHAIN_ID,
    source: str = HOT,
) -> EvmUnsigned:
    """Return a payment in the token, or in the coin if `contract` is empty; fees in gwei."""
    return EvmUnsigned(
        chain_id=chain_id,
        source=source,
        nonce=nonce,
        to=contract or payee,
        value=0 if contract else units,
        data=transfer_data(payee, units) if contract else "0x",
        gas=GAS,
        tip_per_gas=tip * GWEI,
        most_per_gas=most * GWEI,
    )


def void(nonce: int, *, most: int = 20) -> EvmUnsigned:
    return payment(HOT, 0, contract="", nonce=nonce, most=most)
