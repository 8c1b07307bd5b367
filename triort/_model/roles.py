"""What a peer may do by the role in its certificate: introduce itself, answer, and send; tables, and nothing else.

A certificate says server, node or client. A link says more: there, a peer is this side's boss, a manager below it, a
worker below it, its client, or a client's server. The first word on a link has to fit the certificate, and every later
message has to fit the place on the link.
"""

import enum

from triort._model.errors import ProtocolError
from triort._model.messages import (
    AttachJob,
    Blobs,
    Cancel,
    CancelJob,
    Crashed,
    DrainReply,
    DrainRequest,
    Forget,
    JobAccepted,
    JobEnded,
    JobOutcomes,
    JobRefused,
    Log,
    Lost,
    Message,
    Outcomes,
    Print,
    ReleaseJob,
    Returned,
    Shutdown,
    StatusReply,
    StatusRequest,
    Submit,
    SubmitJob,
    SystemError_,
    Talk,
    Update,
    Waiting,
    Want,
)


class Badge(enum.Enum):
    """The role in a certificate."""

    SERVER = "server"
    NODE = "node"
    CLIENT = "client"


class Place(enum.StrEnum):
    """What the peer is on a link, seen from this side."""

    BOSS = "boss"
    MANAGER = "manager"
    WORKER = "worker"
    CLIENT = "client"
    SERVER = "server"


MAY_DIAL_AS: dict[Badge, frozenset[str]] = {
    Badge.SERVER: frozenset({"boss"}),
    Badge.NODE: frozenset({"boss", "employee"}),
    Badge.CLIENT: frozenset({"client"}),
}
"""As what a HELLO may introduce its sender."""

MAY_ANSWER: dict[str, frozenset[Badge]] = {
    "boss": frozenset({Badge.NODE}),
    "employee": frozenset({Badge.SERVER, Badge.NODE}),
    "client": frozenset({Badge.SERVER}),
}
"""Who may let in whoever has introduced itself so."""

_FROM_BELOW: frozenset[type[Message]] = frozenset(
    {Blobs, Submit, Returned, Outcomes, Lost, Cancel, Talk, Waiting, Update, Print, Log}
)

MAY_SEND: dict[Place, frozenset[type[Message]]] = {
    Place.BOSS: frozenset(
        {Blobs, Submit, Outcomes, Lost, Cancel, Talk, Forget, Want, StatusRequest, DrainRequest, Shutdown}
    ),
    Place.MANAGER: _FROM_BELOW | {Crashed, StatusReply, DrainReply, SystemError_},
    Place.WORKER: _FROM_BELOW,
    Place.CLIENT: frozenset({SubmitJob, CancelJob, AttachJob, ReleaseJob, StatusRequest, DrainRequest}),
    Place.SERVER: frozenset(
        {JobAccepted, JobOutcomes, JobEnded, JobRefused, Print, Log, StatusReply, DrainReply}
    ),
}  # fmt: skip
"""What may come once the link is there. Before that there are HELLO, WELCOME, REFUSE and STARTED, each in its place;
beside it BEAT and BYE, which belong to the link itself, and pieces, which belong to the frames."""


def check_sender(place: Place, name: str, message: Message) -> None:
    """Raise `ProtocolError` if a peer in this place may not send this."""
    if type(message) not in MAY_SEND[place]:
        raise ProtocolError(f"{name} may not send {type(message).__name__}: it is a {place.value} here")


def why_not_dial(badge: Badge, role: str) -> str:
    """Why nobody with this certificate may introduce itself so; empty if it may."""
    if role in MAY_DIAL_AS[badge]:
        return ""
    return f"the certificate is that of a {badge.value}, which may not come as a {role[:20]!a}"


def why_not_answer(badge: Badge, role: str) -> str:
    """Why nobody with this certificate may let in whoever has introduced itself so; empty if it may."""
    allowed = MAY_ANSWER.get(role, frozenset())
    if badge in allowed:
        return ""
    wanted = " or ".join(sorted(each.value for each in allowed)) or "nobody"
    return f"its certificate is that of a {badge.value}, and whoever comes as {role} looks for a {wanted}"
