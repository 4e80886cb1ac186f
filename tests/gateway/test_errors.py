"""Every refusal has its code and text, and they are the ones clients know."""

import pytest

from seawall.gateway import errors
from seawall.gateway.errors import REJECTIONS, ApiError, rejected
from seawall.model.rejections import Rejection
from seawall.node.errors import (
    InvalidCommandError,
    NodeError,
    NoQuorumError,
    NotLeadingError,
    OutcomeUnknownError,
    OverloadedError,
    ReplayError,
    UnavailableError,
)


@pytest.mark.parametrize("reason", list(Rejection))
def test_every_rejection_is_mapped(reason: Rejection) -> None:
    error = rejected(reason, errors.NEW_ORDER_REJECTED)
    assert error.status == 400
    assert -5_000 < error.code < -1_000
    assert error.message
    assert error.body() == {"code": error.code, "msg": error.message}


def test_the_table_holds_rejections_only() -> None:
    assert set(REJECTIONS) == set(Rejection)


@pytest.mark.parametrize(
    "code", [errors.NEW_ORDER_REJECTED, errors.CANCEL_REJECTED, errors.AMEND_REJECTED]
)
def test_an_order_code_follows_the_command(code: int) -> None:
    assert rejected(Rejection.UNKNOWN_ORDER, code).code == code
    assert rejected(Rejection.PRICE_FILTER, code).code == -1013


@pytest.mark.parametrize(
    "error, expected",
    [
        (OverloadedError(), (503, -1008)),
        (UnavailableError(), (503, -1001)),
        (OutcomeUnknownError(), (503, -1007)),
        (NodeError(), (503, -1007)),
        (ReplayError(), (503, -1007)),
        (InvalidCommandError(), (400, -1130)),
    ],
)
def test_the_nodes_trouble_says_whether_it_may_have_happened(
    error: NodeError, expected: tuple[int, int]
) -> None:
    answer = errors.of_node(error)
    assert (answer.status, answer.code) == expected
    assert ("execution status unknown" in answer.message) == (answer.code == -1007)


def test_a_cluster_without_majority_or_leader_says_which() -> None:
    last_known = "the journal of spot has no majority; last known is entry 7"
    texts = {
        errors.of_node(error).message
        for error in (NoQuorumError(last_known), NotLeadingError(), UnavailableError())
    }
    assert len(texts) == 3, "three things that clients and people must tell apart"
    assert last_known in errors.of_node(NoQuorumError(last_known)).message
    for error in (NoQuorumError(last_known), NotLeadingError()):
        answer = errors.of_node(error)
        assert (answer.status, answer.code) == (503, -1001)
        assert answer.message.startswith("Not executed")


def test_messages_that_clients_match_on() -> None:
    """What ccxt looks up by its exact text."""
    texts = {rejected(reason, -2010).message for reason in Rejection}
    assert texts >= {
        "Account has insufficient balance for requested action.",
        "Order would immediately match and take.",
        "Stop price would trigger immediately.",
        "Market is closed.",
    }


def test_an_error_is_an_exception_with_an_answer() -> None:
    error = ApiError(409, -2021, "partly", data={"a": 1})
    assert error.body() == {"code": -2021, "msg": "partly", "data": {"a": 1}}
