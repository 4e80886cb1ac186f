"""`/seawall/v1/operator/funding`: people who answer for money out.  The rule: each act has a name.

Loopback and token as for all operators' calls; `person` stands in the journal beside each act.
"""

from msgspec import Struct
from starlette.requests import Request
from starlette.routing import Route

from seawall.core.top_ups import top_ups
from seawall.core.withdrawal_queue import outlook
from seawall.core.withdrawals import hot_cover
from seawall.gateway import errors
from seawall.gateway.context import Context
from seawall.gateway.encode import amount_text
from seawall.gateway.methods.deposits import address_of
from seawall.gateway.operator import Operator, refuse_rejected
from seawall.gateway.treasury_port import TopUpRefusedError, TreasuryOffError
from seawall.model.amounts import DecimalPrecisionError, DecimalSyntaxError, parse_decimal
from seawall.model.funding import Service, ServiceStatus, Vault
from seawall.model.funding_commands import (
    ApproveWithdrawal,
    BookCapital,
    FundingCommand,
    RejectWithdrawal,
    SetService,
)
from seawall.model.funding_rows import ListingState, ServiceState, Withdrawal
from seawall.model.ids import AssetCode

FUNDING_CALLS = (
    ("GET /seawall/v1/operator/funding/queue", "-", "every open withdrawal, and each listing"),
    ("POST /seawall/v1/operator/funding/approve", '{"id", "person"}', "one of two approvals"),
    (
        "POST /seawall/v1/operator/funding/reject",
        '{"id", "person", "reason"}',
        "refuses a withdrawal while nothing was signed; its user has the money back",
    ),
    (
        "POST /seawall/v1/operator/funding/pause",
        '{"asset", "network", "service", "status", "reason", "person"}',
        "pauses `deposit` or `withdrawal`; with `status` `limited`, lets small ones through",
    ),
    (
        "POST /seawall/v1/operator/funding/resume",
        '{"asset", "network", "service", "reason", "person"}',
        "opens the service again",
    ),
    (
        "POST /seawall/v1/operator/funding/capital",
        '{"asset", "network", "vault", "amount", "reference", "person"}',
        "books the exchange's own money into a vault, or, negative, out of it; once per reference",
    ),
    (
        "POST /seawall/v1/operator/funding/address",
        '{"user", "network"}',
        "a user's deposit address, opened now if there is none",
    ),
    (
        "GET /seawall/v1/operator/funding/top-ups",
        "-",
        "what the hot wallets lack, and what came from cold storage and is not booked",
    ),
    (
        "POST /seawall/v1/operator/funding/top-ups",
        '{"network", "transaction", "person"}',
        "books a final transaction from cold storage to the hot wallet, as it stands on chain",
    ),
    (
        "GET /seawall/v1/operator/funding/reconcile",
        "-",
        "each listing's last comparison of chain and ledger",
    ),
    (
        "POST /seawall/v1/operator/funding/reconcile",
        "-",
        "compares now, then answers the same",
    ),
)
"""Request, body and effect of each call, for the reference."""


class Approval(Struct, forbid_unknown_fields=True):
    id: int
    person: str


class Refusal(Struct, forbid_unknown_fields=True):
    id: int
    person: str
    reason: str


class Change(Struct, forbid_unknown_fields=True):
    asset: str
    network: str
    reason: str
    person: str
    service: Service = Service.WITHDRAWAL
    status: ServiceStatus = ServiceStatus.PAUSED


class Capital(Struct, forbid_unknown_fields=True):
    asset: str
    network: str
    vault: Vault
    amount: str
    reference: str
    person: str


class Owner(Struct, forbid_unknown_fields=True):
    user: str
    network: str


class Arrived(Struct, forbid_unknown_fields=True):
    network: str
    transaction: str
    person: str


class FundingDesk:
    """The operators' calls about money in and out."""

    def __init__(self, context: Context, operator: Operator) -> None:
        self._context = context
        self._operator = operator

    def routes(self) -> list[Route]:
        at, guarded = "/seawall/v1/operator/funding", self._operator.guarded
        return [
            Route(f"{at}/queue", guarded(self.queue), methods=["GET"]),
            Route(f"{at}/approve", guarded(self.approve, approves=True), methods=["POST"]),
            Route(f"{at}/reject", guarded(self.reject), methods=["POST"]),
            Route(f"{at}/pause", guarded(self.pause), methods=["POST"]),
            Route(f"{at}/resume", guarded(self.resume), methods=["POST"]),
            Route(f"{at}/capital", guarded(self.capital), methods=["POST"]),
            Route(f"{at}/address", guarded(self.address), methods=["POST"]),
            Route(f"{at}/top-ups", guarded(self.top_ups), methods=["GET"]),
            Route(f"{at}/top-ups", guarded(self.record_top_up), methods=["POST"]),
            Route(f"{at}/reconcile", guarded(self.reconciled), methods=["GET"]),
            Route(f"{at}/reconcile", guarded(self.reconcile), methods=["POST"]),
        ]

    async def queue(self, _: Request) -> object:
        book = self._context.node.funding.book
        open_ones = [row for row in book.withdrawals.values() if not row.state.ended]
        return {
            "asOf": book.at_ns // 1_000_000,
            "withdrawals": [self._withdrawal(row) for row in open_ones],
            "listings": [self._listing(row) for row in book.listings.values()],
        }

    async def approve(self, request: Request) -> object:
        wanted = await self._operator.read(request, Approval)
        await self._submit(ApproveWithdrawal(withdrawal_id=wanted.id, person=wanted.person))
        return self._one(wanted.id)

    async def reject(self, request: Request) -> object:
        wanted = await self._operator.read(request, Refusal)
        await self._submit(
            RejectWithdrawal(withdrawal_id=wanted.id, person=wanted.person, reason=wanted.reason)
        )
        return self._one(wanted.id)

    async def pause(self, request: Request) -> object:
        return await self._set(await self._operator.read(request, Change))

    async def resume(self, request: Request) -> object:
        wanted = await self._operator.read(request, Change)
        return await self._set(wanted, ServiceStatus.OPEN)

    async def capital(self, request: Request) -> object:
        wanted = await self._operator.read(request, Capital)
        asset = self._context.node.funding.book.assets.get(wanted.asset)
        if asset is None:
            raise errors.invalid_value("asset")
        try:
            atoms = parse_decimal(wanted.amount.removeprefix("-"), asset.decimals)
        except DecimalPrecisionError:
            raise errors.too_precise("amount") from None
        except DecimalSyntaxError:
            raise errors.invalid_value("amount") from None
        await self._submit(
            BookCapital(
                network=wanted.network,
                asset=AssetCode(wanted.asset),
                vault=wanted.vault,
                atoms=-atoms if wanted.amount.startswith("-") else atoms,
                reference=wanted.reference,
                person=wanted.person,
            )
        )
        return self._listing_of(wanted.asset, wanted.network)

    async def address(self, request: Request) -> object:
        wanted = await self._operator.read(request, Owner)
        node = self._context.node
        user = node.identity.by_name.get(wanted.user)
        if user is None:
            raise errors.invalid_value("user")
        if wanted.network not in node.funding.book.networks:
            raise errors.invalid_value("network")
        address = await address_of(self._context, user.user_id, wanted.network)
        return {"user": wanted.user, "network": wanted.network, "address": address}

    async def top_ups(self, _: Request) -> object:
        state, reconciling = self._context.node.funding, self._context.reconciling
        return {
            "asOf": state.at_ns // 1_000_000,
            "topUps": [
                {
                    "asset": row.asset,
                    "network": row.network,
                    "hot": self._amount(row.asset, row.hot),
                    "floor": self._amount(row.asset, row.floor),
                    "underWay": self._amount(row.asset, row.under_way),
                    "waiting": row.waiting,
                    "waitingAmount": self._amount(row.asset, row.waiting_atoms),
                    "wanted": self._amount(row.asset, row.wanted),
                    "cold": self._amount(row.asset, row.cold),
                    "unbooked": self._amount(row.asset, row.unbooked),
                    "to": "" if reconciling is None else reconciling.hot_wallet(row.network),
                }
                for row in top_ups(state)
            ],
        }

    async def record_top_up(self, request: Request) -> object:
        wanted = await self._operator.read(request, Arrived)
        reconciling = self._context.reconciling
        if reconciling is None:
            raise errors.no_treasury()
        if not wanted.person.strip():
            raise errors.invalid_value("person")
        try:
            await reconciling.record_top_up(wanted.network, wanted.transaction, wanted.person)
        except TopUpRefusedError as error:
            raise errors.not_booked(str(error)) from None
        except TreasuryOffError as error:
            raise errors.treasury_off(str(error)) from None
        return await self.top_ups(request)

    async def reconciled(self, _: Request) -> object:
        listings = self._context.node.funding.book.listings.values()
        return {"listings": [self._listing(listing) for listing in listings]}

    async def reconcile(self, request: Request) -> object:
        reconciling = self._context.reconciling
        if reconciling is None:
            raise errors.no_treasury()
        try:
            await reconciling.reconcile()
        except TreasuryOffError as error:
            raise errors.treasury_off(str(error)) from None
        return await self.reconciled(request)

    # Helpers

    async def _set(self, wanted: Change, status: ServiceStatus | None = None) -> object:
        await self._submit(
            SetService(
                asset=AssetCode(wanted.asset),
                network=wanted.network,
                service=wanted.service,
                status=status or wanted.status,
                reason=wanted.reason,
                person=wanted.person,
            )
        )
        return self._listing_of(wanted.asset, wanted.network)

    async def _submit(self, command: FundingCommand) -> None:
        committed = await self._context.node.submit_funding(command)
        refuse_rejected(committed.events)

    def _one(self, withdrawal_id: int) -> dict[str, object]:
        return self._withdrawal(self._context.node.funding.book.withdrawals[withdrawal_id])

    def _withdrawal(self, row: Withdrawal) -> dict[str, object]:
        state = self._context.node.funding
        user = self._context.node.identity.users.get(row.user_id)
        seen = outlook(state, row)
        return {
            "id": row.withdrawal_id,
            "user": "" if user is None else user.name,
            "asset": row.asset,
            "network": row.network,
            "amount": self._amount(row.asset, row.atoms),
            "address": row.address,
            "state": row.state,
            "reason": seen.wait or row.reason,
            "detail": seen.detail,
            "position": seen.position,
            "approvals": row.approvals,
            "requestedAt": row.requested_ns // 1_000_000,
        }

    def _listing_of(self, asset: str, network: str) -> dict[str, object]:
        return self._listing(self._context.node.funding.book.listings[f"{asset}/{network}"])

    def _listing(self, row: ListingState) -> dict[str, object]:
        state = self._context.node.funding
        terms = row.listing
        return {
            "asset": terms.asset,
            "network": terms.network,
            "deposit": _service(row.deposit),
            "withdrawal": _service(row.withdrawal),
            "queued": len(row.queue),
            "hot": self._amount(terms.asset, state.held_in(terms.network, Vault.HOT, terms.asset)),
            "cold": self._amount(
                terms.asset, state.held_in(terms.network, Vault.COLD, terms.asset)
            ),
            "payable": self._amount(terms.asset, hot_cover(state, row)),
            "reconciledAt": row.reconciled_ns // 1_000_000,
            "reconciledBlock": row.reconciled_block,
            "difference": self._amount(terms.asset, row.difference),
        }

    def _amount(self, asset: str, atoms: int) -> str:
        return amount_text(self._context.node.funding.book.assets[asset], atoms)


def _service(service: ServiceState) -> dict[str, object]:
    return {
        "status": service.status,
        "reason": service.reason,
        "since": service.since_ns // 1_000_000,
        "person": service.person,
    }
