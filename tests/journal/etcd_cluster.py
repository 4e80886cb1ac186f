"""One etcd for many tests.  Each test has a namespace of its own."""

import itertools
from collections.abc import Sequence

from tests.contract.journal_contract import Engine

from seawall.journal.etcd import EtcdJournal
from seawall.journal.etcd_client import EtcdClient, EtcdSettings
from seawall.journal.port import Journal

_numbers = itertools.count()


class EtcdEngine(Engine):
    """A journal in a running etcd."""

    def __init__(self, settings: EtcdSettings) -> None:
        self.client = EtcdClient(settings)
        self.namespace = f"test-{next(_numbers)}"

    async def open(self) -> Journal:
        return await EtcdJournal.open(self.client, "spot", namespace=self.namespace)

    async def intrude(self, epoch: int, payloads: Sequence[bytes]) -> None:
        journal = await EtcdJournal.open(self.client, "spot", namespace=self.namespace)
        head = await journal.head()
        await journal.append(head.sequence + 1, epoch, payloads)
        await journal.close()

    async def close(self) -> None:
        await self.client.close()
