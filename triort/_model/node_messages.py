"""The messages about nodes as such: their state, their end."""

from triort._model.message import Message
from triort._model.status import NodeStatus


class StatusRequest(Message, tag=50):
    """Asks for the state of the node tree below."""

    request: int


class StatusReply(Message, tag=51):
    """The answer."""

    request: int
    status: NodeStatus


class Shutdown(Message, tag=52):
    """The boss ends; so does everything below."""


class SystemError_(Message, tag=53):
    """A node has failed in its own code; for the log of those above."""

    node: str
    text: str


class DrainRequest(Message, tag=54):
    """The node of this name is to take no more tasks, and to leave when those that it has are over."""

    request: int
    node: str


class DrainReply(Message, tag=55):
    """It has left, or ``problem`` tells why not."""

    request: int
    problem: str = ""
