"""A process's own access to its cluster: the file for its role, as TLS wants it.

The file is read on first use, and again when it has changed: a link that is dialled or accepted after a rotation
goes by the new certificates, and none that is there is disturbed.
"""

from __future__ import annotations

import datetime
import logging
import os
import ssl
from functools import partial
from pathlib import Path

import attrs

from triort._access.certificates import server_name
from triort._access.files import AccessFile, read_text
from triort._access.making import has_files, make_folder, now
from triort._access.places import Place, find_place, mark_of, read_secret
from triort._model.errors import AccessError
from triort._model.limits import ACCESS_WARN_AGAIN_S, ACCESS_WARN_DAYS
from triort._model.roles import Badge

_logger = logging.getLogger("triort.access")


@attrs.frozen
class Credentials:
    """What one version of an access file gives."""

    file: AccessFile
    mark: tuple[int, ...]
    listening: ssl.SSLContext
    dialling: ssl.SSLContext

    @property
    def server_name(self) -> str:
        """The name that certificates of this cluster have."""
        return server_name(self.file.cluster)


@attrs.define(eq=False)
class Access:
    """The access file of this process, wherever it is; ``named`` is what the caller or the user has said."""

    badge: Badge
    named: str | os.PathLike[str] | None = None
    _place: Place | None = None
    _loaded: Credentials | None = None
    _bad_mark: tuple[int, ...] | None = None
    """Of a later version of the file, which could not be used."""
    _warned_at: datetime.datetime | None = None

    def load(self) -> Credentials:
        """Read the file, unless it is as it was; raises `AccessError` in one line.

        Without one, a server or manager makes the files of a new cluster; blocks for some milliseconds then. A file
        that is gone, or cannot be used any more, changes nothing for a process that has read it before.
        """
        place = self._place = self._place or find_place(self.badge, self.named)
        loaded = self._loaded
        if loaded is None:
            loaded = self._loaded = self._read(place)
        else:
            mark = _mark(place.path)
            if mark not in (loaded.mark, self._bad_mark):
                loaded = self._loaded = self._read_again(place, loaded, mark)
        self._check_dates(loaded.file.span.start, loaded.file.span.end)
        return loaded

    @property
    def path(self) -> str:
        """Where the file is, for errors."""
        place = self._place or find_place(self.badge, self.named)
        return str(place.path)

    def _read_again(self, place: Place, before: Credentials, mark: tuple[int, ...] | None) -> Credentials:
        try:
            return self._read(place)
        except AccessError as exc:
            self._bad_mark = mark
            _logger.warning("%s; what was read before holds on", exc)
            return before

    def _read(self, place: Place) -> Credentials:
        folder = None if self.badge is Badge.CLIENT else place.folder
        if folder is not None and not has_files(folder) and make_folder(folder):
            _logger.info("a new cluster has its access files in %s", folder)
        try:
            text, mark = read_secret(place)
        except FileNotFoundError:
            raise AccessError(_absent(self.badge, place)) from None
        try:
            credentials = self._use(place.path, text, mark)
        except AccessError:
            if _mark(place.path) in (mark, None):
                raise
        else:
            if _mark(place.path) in (mark, None):
                return credentials
        return self._read(place)  # it was replaced in between

    def _use(self, path: Path, text: str, mark: tuple[int, ...]) -> Credentials:
        """What the text gives, and the key and certificate that OpenSSL reads from the file by itself: whoever calls
        sees to it that this has not changed meanwhile. Raises `AccessError`."""
        try:
            file = read_text(text)
        except ValueError as exc:
            raise AccessError(f"{path} is no access file: {exc}") from None
        if file.badge is not self.badge:
            raise AccessError(
                f"{path} is the access file of a {file.badge.value}; a {self.badge.value} needs another one"
            )
        try:
            return Credentials(file, mark, *(_context(path, file, side) for side in ("listen", "dial")))
        except (OSError, ValueError) as exc:  # `ssl.SSLError` is one
            raise AccessError(f"{path} is no access file: {getattr(exc, 'reason', '') or exc}") from None

    def _check_dates(self, start: datetime.datetime, end: datetime.datetime) -> None:
        time = now()
        if time < start:
            raise AccessError(
                f"the access file {self.path} is valid from {start:%Y-%m-%d %H:%M} UTC on, and the clock here says "
                f"{time:%Y-%m-%d %H:%M}: set the clock"
            )
        if time >= end:
            raise AccessError(
                f"the access file {self.path} has expired on {end:%Y-%m-%d %H:%M} UTC (the clock here says "
                f"{time:%Y-%m-%d %H:%M}): run triort init --rotate where the server is, and copy the new files"
            )
        since = None if self._warned_at is None else (time - self._warned_at).total_seconds()
        if end - time < datetime.timedelta(days=ACCESS_WARN_DAYS) and (since is None or since >= ACCESS_WARN_AGAIN_S):
            self._warned_at = time
            _logger.warning(
                "the access file %s expires on %s UTC, in %d days: run triort init --rotate where the server is, and "
                "copy the new files", self.path, f"{end:%Y-%m-%d %H:%M}", (end - time).days,
            )  # fmt: skip


def _mark(path: Path) -> tuple[int, ...] | None:
    try:
        return mark_of(os.stat(path))
    except OSError:
        return None


def _absent(badge: Badge, place: Place) -> str:
    text = f"there is no access file {place.path}"
    if badge is Badge.CLIENT:
        return f"{text}: the first start of a server makes it on its host, or triort init; copy it from there"
    return f"{text}: copy it from where the cluster's files were made, or make a new cluster's with triort init"


def _context(path: Path, file: AccessFile, side: str) -> ssl.SSLContext:
    """TLS 1.3 alone, with certificates on both sides and nothing to resume."""
    listens = side == "listen"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if listens else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.check_hostname = not listens
    context.load_cert_chain(path, password=_no_password)
    context.load_verify_locations(cadata=file.authorities)
    if listens:
        context.num_tickets = 0
        context.sni_callback = partial(_check_wanted, server_name(file.cluster))
    return context


def _no_password() -> str:
    raise ValueError("its key has a password")


def _check_wanted(name: str, tls: ssl.SSLObject, wanted: str | None, context: ssl.SSLContext) -> int | None:
    """Refuse who looks for another cluster, or for none, before anything else is said; what it wanted is kept for the
    error that follows."""
    tls.wanted = wanted or ""  # type: ignore[attr-defined]
    return None if wanted == name else int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
