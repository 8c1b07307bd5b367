"""The command ``triort init``: makes the access files of a new cluster, or new ones for one that is there."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triort._access.access import Access
from triort._access.making import make_folder, rotate_folder
from triort._access.places import find_place
from triort._cli.arguments import EXIT_FAILED, EXIT_USAGE, Parser, add_access, complain
from triort._cli.running import log_to_stderr
from triort._model.errors import TriortError, UsageError
from triort._model.limits import ACCESS_DAYS
from triort._model.roles import Badge
from triort._transport.endpoints import parse_endpoint, show_endpoint

PROG = "triort init"
DEFAULT_PORT = 7472


def _parser() -> Parser:
    parser = Parser(
        PROG,
        "Make the access files of a new cluster, for its server, its nodes and its clients; or tell which are there.",
        epilog="A server or manager that finds none makes them itself. Whoever has one of these files can run code on "
        "the cluster. docs/how-to/several-machines.md tells which file goes where.",
    )
    add = parser.add_argument
    add("--rotate", action="store_true",
        help="replace the files that are there by new ones; the old ones open no links any more")  # fmt: skip
    add("--address", metavar="HOST[:PORT]", help="where clients will find the server, for their file")
    add("--days", type=_days, metavar="DAYS", help=f"for how long they are valid (default: {ACCESS_DAYS})")
    add_access(parser, "the folder for them")
    add("--json", action="store_true", help="print what is there as JSON")
    return parser


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 36_500:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number of days")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    try:
        with log_to_stderr(PROG, 0):
            found = _init(options)
    except UsageError as exc:
        complain(PROG, str(exc))
        return EXIT_USAGE
    except TriortError as exc:
        complain(PROG, str(exc))
        return EXIT_FAILED
    print(json.dumps(found) if options.json else _describe(found))
    return 0


def _init(options: argparse.Namespace) -> dict[str, Any]:
    place = find_place(Badge.SERVER, options.access)
    if place.folder is None:
        raise UsageError(f"{place.path} is a file; name the folder for the files of a cluster")
    address = ""
    if options.address is not None:
        address = show_endpoint(*parse_endpoint(options.address, DEFAULT_PORT))
    days = options.days or ACCESS_DAYS
    was_made = False
    if options.rotate:
        rotate_folder(place.folder, address, days)
    else:
        was_made = make_folder(place.folder, address, days)
        if not was_made and (address or options.days):
            raise UsageError(f"{place.folder} has the files of a cluster already; --rotate replaces them")
    return _look(place.folder, was_made=was_made, was_rotated=options.rotate)


def _look(folder: Path, *, was_made: bool, was_rotated: bool) -> dict[str, Any]:
    files = {badge: Access(badge, folder).load().file for badge in Badge}
    client = files[Badge.CLIENT]
    return {
        "made": was_made,
        "rotated": was_rotated,
        "folder": str(folder),
        "cluster": client.cluster,
        "address": client.address,
        "valid_from": client.span.start.isoformat(),
        "valid_until": client.span.end.isoformat(),
        "files": {badge.value: f"{badge.value}.pem" for badge in Badge},
    }


def _describe(found: dict[str, Any]) -> str:
    what = "made" if found["made"] else "replaced" if found["rotated"] else "found"
    return (
        f"{PROG}: {what} the access files of cluster {found['cluster']} in {found['folder']}, valid until "
        f"{found['valid_until'][:10]}: {', '.join(found['files'].values())}"
    )


if __name__ == "__main__":
    sys.exit(main())
