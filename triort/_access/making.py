"""How access files come to be: all of a cluster at once, by `triort init` or the first start of a server or manager.

A folder appears as a whole: it is filled under another name and then renamed, so that of several nodes that start at
once on one host one makes the cluster and the others find it. A rotation replaces file by file; who reads in between
finds two files that do not know each other, and tries again as with any peer that is not there yet.
"""

from __future__ import annotations

import datetime
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triort._access.certificates import Span, make_authority
from triort._access.files import AccessFile, read_text, write_text
from triort._access.places import FILE_MODE, FOLDER_MODE, SUFFIX, Place, read_secret
from triort._model.errors import AccessError
from triort._model.limits import ACCESS_BACKDATE_S, ACCESS_DAYS
from triort._model.roles import Badge

_THERE = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


def now() -> datetime.datetime:
    """The time of day, in whole seconds."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def span_of(days: float) -> Span:
    """From a little ago, for clocks that differ, for so many days."""
    time = now()
    return Span(time - datetime.timedelta(seconds=ACCESS_BACKDATE_S), time + datetime.timedelta(days=days))


def has_files(folder: Path) -> bool:
    """Whether anything lies there."""
    try:
        return any(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise AccessError(f"the folder {folder} cannot be read: {error.strerror}") from None


def make_folder(folder: Path, address: str = "", days: float = ACCESS_DAYS) -> bool:
    """Fill a folder with the access files of a new cluster; False if another process has done so meanwhile."""
    cluster = secrets.token_hex(16)
    with _as_access_errors(folder):
        folder = folder.resolve()  # a link stays one
        folder.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))  # 0700
        try:
            for badge, text in _texts(cluster, address, days):
                _write(fresh / f"{badge.value}{SUFFIX}", text)
            fresh.rename(folder)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if error.errno in _THERE:
                return False
            raise
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return True


def rotate_folder(folder: Path, address: str = "", days: float = ACCESS_DAYS) -> None:
    """Replace the access files of a cluster by such of a new authority, for the same cluster.

    Raises `AccessError` where not all of them are.
    """
    old = {badge: read_old(folder, badge) for badge in Badge}
    with _as_access_errors(folder):
        for badge, text in _texts(old[Badge.SERVER].cluster, address or old[Badge.CLIENT].address, days):
            path = folder / f"{badge.value}{SUFFIX}"
            fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
            try:
                _write(fresh, text)
                fresh.replace(path)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise


def read_old(folder: Path, badge: Badge) -> AccessFile:
    """What one of a folder's files says; raises `AccessError` if it is not there or none."""
    path = folder / f"{badge.value}{SUFFIX}"
    try:
        return read_text(read_secret(Place(path, folder))[0])
    except FileNotFoundError:
        raise AccessError(f"{folder} has no {path.name}: not all files of a cluster are there") from None
    except ValueError as exc:
        raise AccessError(f"{path} is no access file: {exc}") from None


def _texts(cluster: str, address: str, days: float) -> Iterator[tuple[Badge, str]]:
    authority = make_authority(cluster, span_of(days))
    for badge in Badge:
        yield badge, write_text(authority, badge, address if badge is Badge.CLIENT else "")


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _as_access_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AccessError(f"no access files can be made in {folder}: {error.strerror or error}") from None
