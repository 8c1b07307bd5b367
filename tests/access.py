"""Access files for tests: one cluster for a whole run; and others, expired or foreign, where a test wants them."""

import datetime
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triort._access.certificates import Authority, Span, make_authority
from triort._access.files import write_text
from triort._access.making import make_folder, now, span_of
from triort._access.places import VARIABLE
from triort._model.roles import Badge


def days(start: float, end: float) -> Span:
    """A span, in days from now."""
    return Span(now() + datetime.timedelta(days=start), now() + datetime.timedelta(days=end))


def new_authority(cluster: str | None = None) -> Authority:
    return make_authority(cluster or secrets.token_hex(16), span_of(60))


def write_access(folder: Path, authority: Authority, *badges: Badge, span: Span | None = None) -> Path:
    """A folder with the access files for these roles, all if none is named."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for badge in badges or tuple(Badge):
        path = folder / f"{badge.value}.pem"
        path.unlink(missing_ok=True)
        path.touch(0o600)
        path.write_text(write_text(authority, badge, "", span))
    return folder


@contextmanager
def own_access(folder: Path) -> Iterator[Path]:
    """A cluster of one's own for this process and those that it starts, whatever the user has."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(folder)
    make_folder(folder)
    try:
        yield folder
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


@contextmanager
def temporary_access() -> Iterator[None]:
    """`own_access` in a folder that is gone afterwards; for whole runs outside of pytest."""
    with tempfile.TemporaryDirectory(prefix="triort-access-") as name, own_access(Path(name) / "cluster"):
        yield
