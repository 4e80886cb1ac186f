"""Keys, coins and limits of a UTXO network for the signer's tests."""

from hashlib import sha256
from pathlib import Path

from embit.ec import PrivateKey
from msgspec.structs import replace

from seawall.treasury.addresses import segwit_address
from seawall.treasury.chain import Coin, FeeQuote, PaymentOrder, UtxoUnsigned
from seawall.treasury.signer.keystore import FileKeyStore, create_keystore
from seawall.treasury.signer.messages import Answer, Refused, Sign
from seawall.treasury.signer.service import SignerService
from seawall.treasury.signer.settings import AssetLimits, NetworkLimits, SignerSettings
from seawall.treasury.signer.store import SignatureStore
from seawall.treasury.utxo_bytes import assemble, gather, script_of

PREFIX = "ltc"
SECOND_NS = 10**9
WINDOW_S = 100
PAYMENT = 600_000
WINDOW = 1_000_000


def address(name: str) -> str:
    return segwit_address(PrivateKey(sha256(name.encode()).digest()).get_public_key(), PREFIX)


ALICE, BOB, COLD = address("alice"), address("bob"), address("cold")
HOT_SECRET = sha256(b"hot").digest()
HOT = address("hot")
SEED = "77" * 32

SETTINGS = SignerSettings(
    networks={
        "LTC": NetworkLimits(
            prefix=PREFIX,
            own=(COLD,),
            most_per_kvbyte=100_000,
            assets=(AssetLimits(payment_units=PAYMENT, window_units=WINDOW, window_s=WINDOW_S),),
        )
    }
)


def make_keys(path: Path) -> FileKeyStore:
    return create_keystore(path, "open", wallets=(HOT_SECRET.hex(),), deposit_seed=SEED, n=1 << 10)


def coin(number: int, units: int = 1_000_000, owner: str = HOT) -> Coin:
    tx_id = sha256(b"coin %d" % number).hexdigest()
    script = script_of(owner, PREFIX).hex()
    return Coin(slot=f"{tx_id}:{number}", address=owner, script=script, units=units, block=1)


def payment(
    payee: str = ALICE, units: int = 100_000, *, coins: tuple[Coin, ...] = (), price: int = 10_000
) -> UtxoUnsigned:
    spent = list(coins or (coin(0),))
    order = PaymentOrder(
        source=spent[0].address,
        payee=payee,
        contract="",
        units=units,
        quote=FeeQuote(base=0, tip=0, most=price),
    )
    fields = assemble(order, spent, PREFIX).fields
    assert isinstance(fields, UtxoUnsigned)
    return fields


def everything(payee: str, *coins: Coin, price: int = 10_000) -> UtxoUnsigned:
    fields = gather(coins[0].address, payee, list(coins), price, PREFIX).fields
    assert isinstance(fields, UtxoUnsigned)
    return fields


def void(*coins: Coin, price: int = 20_000) -> UtxoUnsigned:
    return everything(HOT, *coins, price=price)


def worth(fields: UtxoUnsigned, units: int) -> UtxoUnsigned:
    """Return the same transaction, with a lie about its first coin."""
    first, *rest = fields.coins
    return replace(fields, coins=(replace(first, units=units), *rest))


class CoinDesk:
    """A signer over a folder, with a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ns = 1_000_000 * SECOND_NS
        path = folder / "keys"
        self.keys = FileKeyStore.open(path, "open") if path.exists() else make_keys(path)
        self.open()

    def open(self) -> None:
        self.store = SignatureStore(self.folder / "signatures.sqlite")
        self.service = SignerService(
            SETTINGS, self.keys, self.store, lambda: self.now_ns, coin_keys=self.keys
        )

    def restart(self) -> None:
        self.store.close()
        self.open()

    def ask(self, fields: UtxoUnsigned, name: str, index: int | None = None) -> Answer:
        return self.service.answer(Sign(network="LTC", payment=name, fields=fields, index=index))

    def outcome(self, fields: UtxoUnsigned, name: str = "w/1", index: int | None = None) -> str:
        answer = self.ask(fields, name, index)
        return answer.reason.value if isinstance(answer, Refused) else type(answer).__name__
