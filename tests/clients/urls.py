"""Where ccxt is to look: the only thing about it that is changed."""

from typing import Any, Protocol

from tests.exchange import Account


class Venue(Protocol):
    """Whatever has an API."""

    url: str
    websocket_url: str


def ccxt_config(exchange: Venue, account: Account) -> dict[str, Any]:
    """Return ccxt's options for spot trading on the exchange under test."""
    at, ws = exchange.url, exchange.websocket_url
    return {
        "apiKey": account.api_key,
        "secret": account.secret_key,
        "urls": {
            "api": {
                "public": f"{at}/api/v3",
                "private": f"{at}/api/v3",
                "v1": f"{at}/api/v1",
                "sapi": f"{at}/sapi/v1",
                "sapiV2": f"{at}/sapi/v2",
                "sapiV3": f"{at}/sapi/v3",
                "sapiV4": f"{at}/sapi/v4",
                "fapiPublic": f"{at}/fapi/v1",
                "fapiPublicV2": f"{at}/fapi/v2",
                "fapiPublicV3": f"{at}/fapi/v3",
                "fapiPrivate": f"{at}/fapi/v1",
                "fapiPrivateV2": f"{at}/fapi/v2",
                "fapiPrivateV3": f"{at}/fapi/v3",
                "fapiData": f"{at}/futures/data",
                "dapiPublic": f"{at}/dapi/v1",
                "dapiPrivate": f"{at}/dapi/v1",
                "ws": {
                    # ccxt takes a URL for a spot one only if it holds "/stream".
                    "spot": f"{ws}/stream/ws",
                    "margin": f"{ws}/stream/ws",
                    "linear": f"{ws}/ws",
                    "future": f"{ws}/ws",
                    "ws-api": {
                        "spot": f"{ws}/ws-api/v3",
                        "linear": f"{ws}/ws-fapi/v1",
                        "future": f"{ws}/ws-fapi/v1",
                    },
                },
            }
        },
        "options": {"defaultType": "spot"},
    }
