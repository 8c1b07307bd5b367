"""Attempts know their links, and the garbage collector does not look into attempts: who has links lets go of them."""

import gc
import weakref
from typing import Any

import pytest

from tests._core.makers import BOSS, Node, own, submit
from triort._core.node_core import Direction
from triort._model.messages import Want


def left_of(node: Node, *links: weakref.ref[Any]) -> list[str]:
    """Which links are still there when the node's boss is lost and it has begun anew."""
    node.core.handle_disconnect(BOSS)
    node.core.flush()
    node.core.renew()
    gc.collect()
    return [link.name for ref in links if (link := ref()) is not None]


@pytest.fixture
def node() -> Node:
    return Node(2)


def test_links_with_open_tasks_are_let_go_of(node: Node) -> None:
    node.above(*submit(1, 2, 3))
    node.below("w0", *submit(own(0, 1), parents=[1]))
    refs: list[weakref.ref[Any]] = [
        weakref.ref(node.link("w0")),
        weakref.ref(node.link("w1")),
        weakref.ref(node.core.boss),
    ]
    assert left_of(node, *refs) == []


def test_a_link_that_has_ended_is_let_go_of_though_losses_wait_there(node: Node) -> None:
    node.above(*submit(1))
    node.below("w0", *submit(own(0, 1), parents=[1]))
    ref = weakref.ref(node.link("w0"))
    losses = node.link("w0").losses
    node.core.handle_disconnect("w0")
    assert list(losses) == [1]
    del losses
    assert left_of(node, ref) == []


def test_a_boss_that_is_lost_is_let_go_of_before_it_has_got_tasks_back(node: Node) -> None:
    node.above(*submit(1, 2, 3, 4, 5))
    ref = weakref.ref(node.core.boss)
    node.core.handle_message(Want(0, 3), Direction.ABOVE, BOSS, ())
    assert node.core.boss is not None
    assert len(node.core.boss.out_returned) == 3
    assert left_of(node, ref) == []
