"""Where access files lie, and who may read them: a folder for their owner alone, with files for their owner alone.

An access file is found by the argument, else by the variable `TRIORT_ACCESS`, else in the default folder. Both of the
former name a file, or a folder that has one for each role.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import attrs

from triort._model.errors import AccessError
from triort._model.limits import ACCESS_FILE_BYTES_MAX
from triort._model.roles import Badge

VARIABLE = "TRIORT_ACCESS"
SUFFIX = ".pem"
FOLDER_MODE = 0o700
FILE_MODE = 0o600


@attrs.frozen
class Place:
    """Where the access file for one role is looked for."""

    path: Path
    folder: Path | None
    """The folder that was named and would have it; None if the file itself was named."""


def default_folder() -> Path:
    """``triort`` in the user's folder for configuration."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    root = Path(base) if os.path.isabs(base) else Path.home() / ".config"
    return root / "triort"


def find_place(badge: Badge, named: str | os.PathLike[str] | None) -> Place:
    """Where the file for this role is to be; it need not be there."""
    source = named or os.environ.get(VARIABLE) or None
    path = default_folder() if source is None else Path(source).expanduser()
    if path.suffix == SUFFIX and not path.is_dir():
        return Place(path, None)
    return Place(path / f"{badge.value}{SUFFIX}", path)


def read_secret(place: Place) -> tuple[str, tuple[int, ...]]:
    """The text of an access file, and by what a change of it is seen.

    Raises `FileNotFoundError`, and `AccessError` for a file that others might read or replace.
    """
    _check_folder(place)
    try:
        with open(os.open(place.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY), "rb") as file:
            found = os.fstat(file.fileno())
            _check(place.path, found, is_folder=False, forbidden=0o077, wanted=FILE_MODE)
            content = file.read(ACCESS_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AccessError(f"the access file {place.path} cannot be read: {error.strerror}") from None
    if len(content) > ACCESS_FILE_BYTES_MAX:
        raise AccessError(f"{place.path} is no access file: it is too long")
    return content.decode("ascii", "replace"), mark_of(found)


def mark_of(found: os.stat_result) -> tuple[int, ...]:
    """By what it is seen that a file has changed."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _check_folder(place: Place) -> None:
    """The folder with the files is its owner's alone; one with a file that was named by itself may be seen by others,
    who cannot put another file in its place."""
    folder = place.path.parent
    try:
        found = os.stat(folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AccessError(f"the folder {folder} cannot be looked at: {error.strerror}") from None
    forbidden = 0o022 if place.folder is None else 0o077
    _check(folder, found, is_folder=True, forbidden=forbidden, wanted=FOLDER_MODE)


def _check(path: Path, found: os.stat_result, *, is_folder: bool, forbidden: int, wanted: int) -> None:
    if (stat.S_ISDIR if is_folder else stat.S_ISREG)(found.st_mode) == 0:
        raise AccessError(f"{path} is no {'folder' if is_folder else 'file'}")
    if found.st_uid != os.geteuid():
        raise AccessError(f"{path} belongs to user {found.st_uid}, and this is user {os.geteuid()}")
    mode = stat.S_IMODE(found.st_mode)
    if mode & forbidden:
        raise AccessError(
            f"{path} has mode {mode:04o}, so others may get at what is secret; use chmod {wanted:o} {path}"
        )
