"""Roles: the tables agree with what is handled, and nothing is left out of them."""

from typing import get_args

import pytest

from tests._wire.every_message import EVERY_MESSAGE
from triort._core.node_handlers import FROM_ABOVE, FROM_BELOW
from triort._core.worker_handlers import FROM_BOSS
from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._model.roles import MAY_DIAL_AS, MAY_SEND, Badge, Place, check_sender, why_not_answer, why_not_dial

OF_THE_LINK = {m.Hello, m.Welcome, m.Refuse, m.Started, m.Beat, m.Bye, m.Chunk, m.Loan}


def test_what_may_come_is_what_is_handled() -> None:
    assert MAY_SEND[Place.BOSS] == set(FROM_ABOVE) | set(FROM_BOSS)
    assert MAY_SEND[Place.MANAGER] == set(FROM_BELOW)
    assert MAY_SEND[Place.WORKER] < MAY_SEND[Place.MANAGER]


def test_every_message_has_its_place() -> None:
    placed = set().union(*MAY_SEND.values())
    assert placed | OF_THE_LINK == set(get_args(m.AnyMessage))
    assert placed & OF_THE_LINK == set()


def test_no_client_steers_nodes_and_no_node_submits_jobs() -> None:
    assert MAY_SEND[Place.CLIENT] & MAY_SEND[Place.BOSS] == {m.StatusRequest, m.DrainRequest}
    assert MAY_SEND[Place.CLIENT] & MAY_SEND[Place.MANAGER] == set()


@pytest.mark.parametrize("place", Place)
def test_whatever_a_place_may_not_send_is_refused_with_both_named(place: Place) -> None:
    refused = [message for message, _ in EVERY_MESSAGE if type(message) not in MAY_SEND[place]]
    assert refused
    for message in refused:
        name = type(message).__name__
        with pytest.raises(ProtocolError, match=rf"^x may not send {name}: it is a {place.value} here$"):
            check_sender(place, "x", message)


@pytest.mark.parametrize(
    ("badge", "role", "may"),
    [
        (Badge.CLIENT, "client", True),
        (Badge.CLIENT, "boss", False),
        (Badge.CLIENT, "employee", False),
        (Badge.NODE, "employee", True),
        (Badge.NODE, "boss", True),
        (Badge.NODE, "client", False),
        (Badge.SERVER, "boss", True),
        (Badge.SERVER, "client", False),
        (Badge.SERVER, "employee", False),
    ],
)
def test_a_certificate_says_as_what_one_may_come(badge: Badge, role: str, may: bool) -> None:
    assert (why_not_dial(badge, role) == "") is may


def test_nobody_comes_over_tcp_as_a_worker() -> None:
    assert not any("worker" in roles for roles in MAY_DIAL_AS.values())


@pytest.mark.parametrize(
    ("badge", "role", "reason"),
    [
        (Badge.SERVER, "client", ""),
        (Badge.NODE, "boss", ""),
        (Badge.SERVER, "employee", ""),
        (Badge.NODE, "employee", ""),
        (Badge.NODE, "client", "its certificate is that of a node, and whoever comes as client looks for a server"),
        (Badge.SERVER, "boss", "its certificate is that of a server, and whoever comes as boss looks for a node"),
        (
            Badge.CLIENT,
            "employee",
            "its certificate is that of a client, and whoever comes as employee looks for a node or server",
        ),
    ],
)
def test_a_certificate_says_whom_one_may_answer(badge: Badge, role: str, reason: str) -> None:
    assert why_not_answer(badge, role) == reason
