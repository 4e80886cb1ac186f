"""One busy exchange for each file of clients."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.exchange import Exchange, running_exchange


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    data: Path = tmp_path_factory.mktemp("exchange")
    with running_exchange(data) as opened:
        yield opened
