"""The words of all reports: an event in a few words, times, and texts that fit on one line of any stream."""

from __future__ import annotations

import os
import shutil
import sys

from rich.cells import cell_len

from triort.testing._events import Event, Kind

WIDTH = 160
"""Columns of a terminal that tells nothing about itself."""

PLAIN = str.maketrans("▶◀✝✓✗│─├└→…µ×·", "><!=x|-|`>~ux.")
"""Our own signs in ASCII, one for one, so that no layout moves."""


def terminal_width() -> int:
    """``COLUMNS``, else that of the terminal, else `WIDTH`."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) else shutil.get_terminal_size((WIDTH, 24)).columns


def output_encoding() -> str:
    """The encoding of standard output."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def one_line(text: str) -> str:
    """The text with all that would move a cursor or mean nothing (newlines, escapes, surrogates) spelt out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def encodable(text: str, encoding: str) -> str:
    """The text as the encoding can write it: our signs in ASCII, if need be, foreign letters as escapes."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    return text


def cut_to(text: str, width: int) -> str:
    """The text in at most so many columns of a terminal; an ellipsis tells that some of it is missing."""
    if width <= 0 or cell_len(text) <= width:
        return text if width > 0 else ""
    while text and cell_len(text) > width - 1:
        text = text[:-1]
    return text + "…"


def padded(text: str, width: int) -> str:
    """The text in exactly so many columns of a terminal."""
    text = cut_to(text, width)
    return text + " " * (width - cell_len(text))


def exact(seconds: float) -> str:
    """A time in seconds, to the microsecond, without zeros that say nothing."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def span(seconds: float) -> str:
    """A duration in the unit that fits it."""
    if seconds >= 1 or seconds <= 0:
        return f"{seconds:.6g} s"
    return f"{seconds * 1e3:.6g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.6g} µs"


def counted(number: int, thing: str) -> str:
    """A number of things: 1 task, 1,204 tasks."""
    plural = thing[:-1] + "ies" if thing.endswith("y") else thing + ("es" if thing.endswith("ch") else "s")
    return f"{number:,} {thing if number == 1 else plural}"


def said(event: Event) -> str:
    """What has happened to the event's node, in a few words."""
    what, peer, detail = event.what, event.peer, event.detail
    match event.kind:
        case Kind.SEND:
            text = f"▶ {what} {peer}"
        case Kind.DELIVER:
            text = f"◀ {what} {peer}"
        case Kind.OPEN:
            text = f"link to {peer}"
        case Kind.CLOSE:
            text = f"✗ link to {peer}: {detail}"
        case Kind.BREAK:
            text = f"… link to {peer} has broken: {detail}"
        case Kind.RESUME:
            text = f"… link to {peer} goes on"
        case Kind.BORN:
            text = f"born below {peer}" if peer else "born"
        case Kind.DIED:
            text = f"✝ died: {detail}"
        case Kind.FAULT:
            text = f"✝ {what}: {detail}"
        case Kind.START | Kind.SUBMIT:
            text = f"{event.kind} {what}"
        case Kind.END:
            text = f"end {what} {detail}"
        case Kind.CANCELLED:
            text = f"cancel read {what or event.number}"
        case Kind.SETTLE:
            text = f"{'✓' if detail.startswith('value') else '✗'} {what} {detail}"
        case Kind.JOB:
            text = f"job {what}: {detail}"
        case _:
            text = f"{event.kind} {what} {detail}"
    return one_line(text.rstrip(": "))


def line_of(event: Event) -> str:
    """An event on a line of its own, with all that it tells."""
    number = f" (number {event.number})" if event.number else ""
    detail = event.detail if event.detail and one_line(event.detail) not in said(event) else ""
    return f"{event.time_s:10.6f}  {one_line(event.node):10}  {said(event)}{number} {one_line(detail)}".rstrip()
