"""The configuration that the page on coins shows is one that the exchange takes."""

import re
from pathlib import Path

from seawall.cli.configuration import load
from seawall.cli.funding_definitions import listings, networks
from seawall.cli.treasury_definitions import treasuries
from seawall.model.funding import NetworkKind
from seawall.node.clock import SystemClock
from seawall.treasury.chains import open_chain
from seawall.treasury.signer.settings import load_settings
from seawall.treasury.utxo import CoinChain

DOCS = Path(__file__).parents[2] / "docs"


def shown(page: str, begins: str) -> str:
    """Return the page's TOML that begins so."""
    text = (DOCS / page).read_text("utf-8")
    (found,) = [
        each for each in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if begins in each
    ]
    return str(found)


async def test_the_example_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "seawall.toml"
    file.write_text(shown("operating/litecoin.md", "[[network]]").replace("…", "x"), "utf-8")
    configuration = load(file, {})
    assert [network.kind for network in networks(configuration)] == [NetworkKind.UTXO]
    assert [listing.asset for listing in listings(configuration)] == ["LTC"]
    (plan,) = treasuries(configuration)
    # 500 litoshi per virtual byte are told per 1000.
    assert (plan.chain.fees.cap, plan.chain.fees.tip_floor) == (500_000, 10_000)
    assert [bound.sweep_from for bound in plan.sweeps] == [1_000_000]
    chain = open_chain(plan.network.kind, plan.chain, SystemClock())
    assert isinstance(chain, CoinChain)
    await chain.close()


def test_the_signers_example_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "signer.toml"
    file.write_text(shown("internals/signer.md", "[networks.LTC]"), "utf-8")
    network = load_settings(file).networks["LTC"]
    assert (network.prefix, network.chain_id) == ("ltc", 0)
    assert network.limits_of("") is not None
