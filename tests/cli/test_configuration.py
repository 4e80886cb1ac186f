"""Reading the configuration: what is refused, and how it is said."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from seawall.cli import (
    configuration,
    definitions,
    funding_definitions,
    settings,
    treasury_definitions,
)
from seawall.cli.commands.config import as_toml, show
from seawall.cli.configuration import ConfigurationError, load
from seawall.gateway.settings import ThrottleSettings
from seawall.model.ids import AssetCode

DEFAULTS = Path(configuration.__file__).with_name("defaults.toml")

MARKET = """
[markets.XYZUSDT]
base = "BTC"
quote = "USDT"
tick = "{tick}"
lot = "{lot}"
max_price = "1000"
max_size = "1000"
min_notional = "{notional}"
max_notional = "1000"
"""

NETWORK = """
[[network]]
code = "X"
name = "X"
kind = "evm"
chain_id = 5
native = "ETH"
finality = 3
block_ms = 1
"""
TERMS = """
chain_decimals = 18
min_deposit = "1"
min_withdrawal = "2"
withdrawal_fee = "1"
approval_above = "5"
limited_max = "5"
"""

TREASURY = """
[treasury.ETH]
signer = "signer/signer.sock"
fee_cap = "{cap}"
{more}
[[treasury.ETH.endpoint]]
name = "one"
url = "http://127.0.0.1:8545/a-secret"
[[treasury.ETH.endpoint]]
name = "two"
url = "http://127.0.0.1:8546"
[[treasury.ETH.sweep]]
asset = "{sweep}"
least = "0.05"
hot_most = "{most}"
"""


def treasury(cap: str, more: str = "", sweep: str = "ETH", most: str = "0") -> str:
    return TREASURY.format(cap=cap, more=more, sweep=sweep, most=most)


REFUSED = [
    ("[gateway]\n\nprot = 1\n", "cfg.toml:3: unknown key `gateway.prot`", "Did you mean `port`?"),
    ("[gatway]\nport = 1\n", "cfg.toml:1: unknown key `gatway`", "`gateway`"),
    ("[gateway.throttle]\nban = 1\n", "cfg.toml:2: unknown key `gateway.throttle.ban`", "`ban_s`"),
    ("[gateway]\nport = 'x'\n", "cfg.toml:2: expected `int`, got `str` at `gateway.port`", ""),
    ("[gateway]\nport = 70000\n", "cfg.toml:2: expected `int` <= 65535", ""),
    ("gateway = 3\n", "cfg.toml:1: expected `object`, got `int` at `gateway`", ""),
    ("[assets]\nBTC = 3\n", "expected `object`, got `int` at `assets.BTC`", ""),
    ("[assets.BTC]\nname = 'x'\ndecimals = -1\n", "cfg.toml:3: expected `int` >= 0", ""),
    ("[log]\nlevel = 'loud'\n", "cfg.toml:2: invalid enum value 'loud' at `log.level`", ""),
    ("[markets.A]\nbase = 'BTC'\n", "missing required field `quote` at `markets.A`", ""),
    ("a =\n", "is not TOML: Invalid value (at line 1, column 4)", ""),
    (MARKET.format(tick="0.01", lot="1e-5", notional="5"), "`1e-5`, which is not a decimal", ""),
    (MARKET.format(tick="-1", lot="1", notional="5"), "`markets.XYZUSDT.tick` is `-1`", ""),
    (MARKET.format(tick="0.01", lot="0.000000001", notional="5"), "more than 8 decimals", ""),
    (MARKET.format(tick="0.00000001", lot="0.001", notional="5"), "whole number of USDT", ""),
    ("[tiers.1]\nmaker = '0'\ntaker = '0'\n", "`tiers.0` is missing", "every account"),
    ("[[network]]\ncode = 'X'\n", "`network[0]`", ""),
    (
        NETWORK + "[[listing]]\nasset = 'ETH'\nnetwork = 'Y'\n" + TERMS,
        "no network Y",
        "[[network]]",
    ),
    (NETWORK + "[[listing]]\nasset = 'ETH'\nnetwork = 'X'\ncontract = '0x1'\n" + TERMS, "own", ""),
    (NETWORK + NETWORK, "network X stands twice", ""),
    (NETWORK + "[[daily_limit]]\ntier = 0\nasset = 'DOGE'\namount = '1'\n", "DOGE is no", "DOGE"),
    (treasury("200").replace("ETH", "BTC"), "`treasury.BTC`: there is no network", "[[network]]"),
    (treasury("0"), "`treasury.ETH`: fees.cap must be above", "treasury.md"),
    (treasury("cheap"), "`treasury.ETH.fee_cap` is `cheap`", ""),
    (treasury("200", "quorum = 1"), "quorum must be more than half", ""),
    (treasury("200", "cold = ['0x12']"), "`treasury.ETH.cold`: 0x12: an address", "Copy"),
    (treasury("200", "adress_prefix = ''"), "unknown key `treasury.ETH.adress_prefix`", "prefix"),
    (treasury("200", "address_prefix = 'ltc'"), "belongs to UTXO networks", "Litecoin"),
    (treasury("200", sweep="BTC"), "sweep of BTC`: it is not listed", "[[listing]]"),
    (treasury("200", most="5"), "hot_most without a cold address", "treasury.ETH.cold"),
    ("[treasury.ETH]\nsigner = 's'\nfee_cap = '1'\nendpoint = []\n", "at least two endpoints", ""),
    ("[treasury.ETH]\nsigner = 's'\n", "missing required field `endpoint` at `treasury.ETH`", ""),
    ("[tiers.a]\nmaker = '0'\ntaker = '0'\n", "`tiers.a`: a tier is a number", ""),
]


def check(file: Path | None, environment: dict[str, str]) -> settings.Configuration:
    found = load(file, environment)
    definitions.tiers(found)
    definitions.instruments(found)
    funding_definitions.listings(found)
    funding_definitions.daily_limits(found)
    treasury_definitions.treasuries(found)
    return found


@pytest.mark.parametrize("text,what,advice", REFUSED)
def test_what_is_not_understood_is_refused_by_name(
    tmp_path: Path, text: str, what: str, advice: str
) -> None:
    file = tmp_path / "cfg.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        check(file, {})
    assert what in refused.value.what
    assert advice in refused.value.advice
    assert refused.value.advice


def test_a_market_of_an_unknown_asset_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cfg.toml"
    file.write_text("[assets.BTC]\nname = 'Bitcoin'\ndecimals = 8\n")
    with pytest.raises(ConfigurationError, match="USDT, which is no asset"):
        check(file, {})


def test_defaults_hold_and_name_every_setting() -> None:
    found = check(None, {})
    document = tomllib.loads(DEFAULTS.read_text("utf-8"))
    named = {
        "exchange": settings.ExchangeSection,
        "gateway": settings.GatewaySection,
        "node": settings.NodeSection,
        "control": settings.ControlSection,
        "log": settings.LogSection,
        "funding": settings.FundingSection,
        "demo": settings.DemoSection,
    }
    for name, section in named.items():
        assert set(document[name]) == set(section.__struct_fields__), name
    assert set(document["gateway"]["throttle"]) == set(ThrottleSettings.__struct_fields__)
    assert found.gateway.throttle == ThrottleSettings(), "the file and the code agree"


def test_layers_the_environment_over_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "cfg.toml"
    file.write_text("[gateway]\nport = 1\nhost = '::1'\n[gateway.throttle]\nban_s = 7\n")
    found = check(
        file,
        {
            "SEAWALL__GATEWAY__PORT": "2",
            "SEAWALL__MARKETS__BTCUSDT__TICK": "0.1",
            "SEAWALL__markets__ethbtc__MAX_ORDERS": "9",
            "SEAWALL__GATEWAY__TRUSTED_PROXIES": '["10.0.0.1"]',
            "SEAWALL_DATA": "elsewhere",
            "SEAWALL__EXCHANGE__NAME": "123",
            "HOME": "ignored",
        },
    )
    assert (found.gateway.host, found.gateway.port) == ("::1", 2)
    assert (found.gateway.throttle.ban_s, found.gateway.throttle.ban_s_max) == (7, 259_200)
    assert found.markets["BTCUSDT"].tick == "0.1"
    assert found.markets["ETHBTC"].max_orders == 9
    assert found.gateway.trusted_proxies == ("10.0.0.1",)
    assert found.exchange.data == "elsewhere"
    assert found.exchange.name == "123"


def test_a_treasury_as_configured_and_its_addresses_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cfg.toml"
    file.write_text(treasury("200.5", "tip_floor = '1'"))
    found = check(file, {"SEAWALL__TREASURY__ETH__QUORUM": "2", "SEAWALL_DATA": "elsewhere"})
    (plan,) = treasury_definitions.treasuries(found)
    assert (plan.chain.fees.cap, plan.chain.fees.tip_floor) == (200_500_000_000, 1_000_000_000)
    assert plan.chain.quorum == 2
    assert plan.chain.tokens == ("0x5FbDB2315678afecb367f032d93F642f64180aa3",)
    assert str(plan.signer) == "elsewhere/signer/signer.sock"
    assert plan.token.name == "signer.token"
    assert plan.sweeps[0].sweep_from == 5 * 10**16
    for as_json in (True, False):
        show(config=file, json=as_json)
        shown = capsys.readouterr().out
        assert "fee_cap" in shown
        assert "8545" not in shown
        assert "a-secret" not in shown


@pytest.mark.parametrize(
    "variable,value", [("SEAWALL__GATEWAY__PROT", "1"), ("SEAWALL__GATEWAY__PORT", "x")]
)
def test_a_wrong_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        check(None, {variable: value})


def test_a_files_markets_replace_the_default_ones(tmp_path: Path) -> None:
    file = tmp_path / "cfg.toml"
    file.write_text(MARKET.format(tick="0.01", lot="0.001", notional="5"))
    assert list(check(file, {}).markets) == ["XYZUSDT"]


def test_what_is_shown_reads_back_the_same(tmp_path: Path) -> None:
    found = load(None, {"SEAWALL__GATEWAY__PORT": "0"})
    file = tmp_path / "cfg.toml"
    file.write_text(as_toml(found))
    assert load(file, {}) == found


def test_units_come_out_exact() -> None:
    found = check(None, {})
    market = next(m for m in definitions.instruments(found) if m.symbol == "ETHBTC")
    assert (market.tick_price, market.lot_size) == (1_000, 10**15)
    assert market.atoms_per_tick_lot == 1
    assert market.base == AssetCode("ETH")
    tier = definitions.tiers(found)[0]
    assert (tier.maker_ppm, tier.taker_ppm) == (1_000, 1_000)
    assert msgspec.json.encode(market)


def test_a_demo_is_final_sooner_and_own_assets_bring_no_networks(tmp_path: Path) -> None:
    (network,) = funding_definitions.networks(check(None, {}))
    (demo,) = funding_definitions.networks(check(None, {"SEAWALL__EXCHANGE__DEMO": "true"}))
    assert (network.finality, demo.finality) == (64, 3)
    usdt = funding_definitions.listings(check(None, {}))[1]
    assert (usdt.chain_decimals, usdt.min_withdrawal) == (6, 10 * 10**8)
    file = tmp_path / "cfg.toml"
    file.write_text(
        "[assets.BTC]\nname = 'Bitcoin'\ndecimals = 8\n[assets.USDT]\nname = 'T'\ndecimals = 8\n"
        + MARKET.format(tick="0.01", lot="0.001", notional="5")
    )
    assert funding_definitions.networks(check(file, {})) == []
