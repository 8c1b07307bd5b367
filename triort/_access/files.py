"""The text of an access file: a few lines for people and programs, then key, certificate and authority as PEM.

    triort access file: whoever has it can run code on this cluster
    role: client
    cluster: 3f9c…
    address: 127.0.0.1:7472
    valid from: 2026-01-01T00:00:00Z
    valid until: 2027-01-01T00:00:00Z

Tools for PEM skip what stands before the first block. What these lines say is for this side alone: others go by the
certificate.
"""

from __future__ import annotations

import datetime
import re

import attrs

from triort._access.certificates import Authority, Span
from triort._model.roles import Badge

TITLE = "triort access file: whoever has it can run code on this cluster"
CLUSTER = re.compile(r"[0-9a-f]{32}")
_BEGIN = "-----BEGIN "
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@attrs.frozen
class AccessFile:
    """What an access file says."""

    badge: Badge
    cluster: str
    address: str
    span: Span
    authorities: str
    """PEM."""


def write_text(authority: Authority, badge: Badge, address: str, span: Span | None = None) -> str:
    """The text of a new access file, with a new key."""
    span = span or authority.span
    lines = {
        "role": badge.value,
        "cluster": authority.cluster,
        "address": address,
        "valid from": span.start.strftime(_TIME),
        "valid until": span.end.strftime(_TIME),
    }
    head = "".join(f"{key}: {value}\n" for key, value in lines.items() if value)
    return f"{TITLE}\n{head}\n{authority.issue(badge, span).decode()}{authority.pem.decode()}"


def read_text(text: str) -> AccessFile:
    """What the text of an access file says; raises `ValueError` if it is none."""
    head, begin, _ = text.partition(_BEGIN)
    lines = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    certificates = _CERTIFICATE.findall(text)
    try:
        badge, cluster = Badge(lines["role"]), lines["cluster"]
        span = Span(_read_time(lines["valid from"]), _read_time(lines["valid until"]))
    except KeyError as exc:
        raise ValueError(f"it does not tell its {exc.args[0]}") from None
    if not begin or len(certificates) < 2:
        raise ValueError("it has not both a certificate and an authority")
    if not CLUSTER.fullmatch(cluster):
        raise ValueError("it names no cluster")
    return AccessFile(badge, cluster, lines.get("address", ""), span, "".join(certificates[1:]))


def _read_time(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, _TIME).replace(tzinfo=datetime.UTC)
