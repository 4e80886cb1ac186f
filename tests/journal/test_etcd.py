"""The contract, over a real etcd."""

import pytest
from tests.contract.journal_contract import Engine, SharedJournalContract
from tests.journal.etcd_cluster import EtcdEngine


class TestEtcd(SharedJournalContract):
    @pytest.fixture
    def engine(self, etcd_engine: EtcdEngine) -> Engine:
        return etcd_engine
