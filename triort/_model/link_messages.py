"""The messages that begin, keep and end a link."""

from triort._model.message import Message


class Hello(Message, tag=1):
    """The dialler's first word. ``role`` is boss, employee (a manager that joins), client, worker or status."""

    protocol: int
    version: str
    python: str
    cluster: str
    role: str
    name: str
    lower_id: int = 0
    upper_id: int = 0
    pid: int = 0
    session: int = 0
    """The dialler's number for the link, which outlives its connections; 0: it does not."""
    resumes: bool = False
    """Whether this is one more connection of a session that is there already."""
    received: int = 0
    """Of a session that is resumed: how many messages of the listener have come."""
    port: int = 0
    """Where the dialler itself listens, if it does."""
    client: int = 0
    """A client's own number, the same over all of its links; 0: it has none."""
    connection: int = 0
    """Of a session that is resumed: the dialler's count of its attempts. One that comes late, after a younger one, is
    refused."""


class Welcome(Message, tag=2):
    """The listener lets the dialler in."""

    protocol: int
    version: str
    python: str
    cluster: str
    name: str
    node_id: int = 0
    lower_id: int = 0
    upper_id: int = 0
    """The ids of a manager that has joined."""
    received: int = 0
    """Of a session that is resumed: how many messages of the dialler have come."""
    journal: bool = False
    """Whether jobs outlive this server: after a restart a client may come back for its own."""


class Refuse(Message, tag=3):
    """The listener does not; the link ends."""

    reason: str
    again: bool = False
    """Whether to try again later."""


class Started(Message, tag=4):
    """An employee is ready, with so many workers in all."""

    num_workers: int
    name: str
    pid: int


class Beat(Message, tag=5):
    """The sender lives, and has received so many messages of this session. Neither numbered nor sent again."""

    received: int
    number: int = 0
    """If not 0: the peer answers with a Beat that says so."""
    echo: int = 0
    """The number of a Beat of the peer that has come; 0: none is answered."""


class Bye(Message, tag=6):
    """The sender ends the link: in order, or for the ``reason`` that it gives. Neither numbered nor sent again."""

    reason: str = ""
