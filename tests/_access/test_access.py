"""Access files: where they are found, how they come to be, and what is wrong with those that cannot be used."""

import datetime
import os
import re
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.access import days, new_authority, write_access
from triort._access import access as access_module
from triort._access.access import Access
from triort._access.files import read_text
from triort._access.making import make_folder, rotate_folder
from triort._access.places import VARIABLE, default_folder, find_place
from triort._model.errors import AccessError
from triort._model.roles import Badge


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- where -------------------------------------------------------------------------------------------------------


def test_the_argument_comes_before_the_variable_and_that_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "variable"))
    assert find_place(Badge.NODE, tmp_path / "given").path == tmp_path / "given" / "node.pem"
    assert find_place(Badge.NODE, None).path == tmp_path / "variable" / "node.pem"
    monkeypatch.delenv(VARIABLE)
    assert find_place(Badge.NODE, None).path == tmp_path / "xdg" / "triort" / "node.pem"


def test_a_relative_folder_for_configuration_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    monkeypatch.setenv("HOME", "/h")
    assert default_folder() == Path("/h/.config/triort")


def test_a_file_may_be_named_itself(tmp_path: Path) -> None:
    files = write_access(tmp_path / "a", new_authority())
    assert Access(Badge.CLIENT, files / "client.pem").load().file.badge is Badge.CLIENT


# -- how they come to be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("badge", [Badge.SERVER, Badge.NODE])
def test_the_first_start_of_a_node_makes_a_cluster_that_all_roles_share(tmp_path: Path, badge: Badge) -> None:
    folder = tmp_path / "not" / "there"
    first = Access(badge, folder).load().file
    assert {Access(each, folder).load().file.cluster for each in Badge} == {first.cluster}
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {f"{each.value}.pem": 0o600 for each in Badge}


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Access(Badge.SERVER, tmp_path / "a").load()
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o700
    assert mode(tmp_path / "a" / "server.pem") == 0o600


@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_may_be_a_link(tmp_path: Path, is_there: bool) -> None:
    folder, target = tmp_path / "link", tmp_path / "target"
    if is_there:
        target.mkdir(mode=0o700)
    folder.symlink_to(target)
    assert Access(Badge.SERVER, folder).load().file.cluster
    assert folder.is_symlink()
    assert len(list(target.iterdir())) == len(Badge)


def test_two_clusters_have_different_ids() -> None:
    assert new_authority().cluster != new_authority().cluster


def test_nodes_that_start_at_once_make_one_cluster(tmp_path: Path) -> None:
    found: list[str] = []

    def start(badge: Badge) -> None:
        found.append(Access(badge, tmp_path / "a").load().file.cluster)

    threads = [threading.Thread(target=start, args=(badge,)) for badge in [Badge.SERVER, Badge.NODE] * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a")
    before = (tmp_path / "a" / "node.pem").read_text()
    assert not make_folder(tmp_path / "a")
    assert (tmp_path / "a" / "node.pem").read_text() == before


def test_a_rotation_gives_new_keys_for_the_same_cluster_and_nobody_trusts_the_old_ones(tmp_path: Path) -> None:
    make_folder(tmp_path / "a", "host:1")
    access = Access(Badge.CLIENT, tmp_path / "a")
    old = access.load()
    rotate_folder(tmp_path / "a")
    new = access.load()
    assert (new.file.cluster, new.file.address) == (old.file.cluster, "host:1")
    assert new.file.authorities != old.file.authorities
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["client.pem", "node.pem", "server.pem"]
    assert mode(tmp_path / "a" / "client.pem") == 0o600
    assert access.load() is new


def test_only_a_whole_cluster_is_rotated(tmp_path: Path) -> None:
    files = write_access(tmp_path / "a", new_authority(), Badge.CLIENT)
    with pytest.raises(AccessError, match=r"has no server\.pem: not all files of a cluster are there$"):
        rotate_folder(files)


# -- what is wrong -----------------------------------------------------------------------------------------------


def refused(badge: Badge, named: Path) -> str:
    with pytest.raises(AccessError) as caught:
        Access(badge, named).load()
    text = str(caught.value)
    assert "\n" not in text
    assert "PRIVATE" not in text
    return text


def test_a_client_makes_none(tmp_path: Path) -> None:
    assert refused(Badge.CLIENT, tmp_path / "a").startswith(f"there is no access file {tmp_path / 'a' / 'client.pem'}:")
    assert not (tmp_path / "a").exists()


def test_a_node_makes_none_where_others_are(tmp_path: Path) -> None:
    files = write_access(tmp_path / "a", new_authority(), Badge.CLIENT)
    assert "there is no access file" in refused(Badge.SERVER, files)
    assert not (files / "server.pem").exists()


def test_a_file_that_is_named_and_absent_is_not_made(tmp_path: Path) -> None:
    assert "there is no access file" in refused(Badge.SERVER, tmp_path / "server.pem")


@pytest.mark.parametrize("bits", [0o604, 0o640, 0o660, 0o602, 0o610])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, bits: int) -> None:
    files = write_access(tmp_path / "a", new_authority())
    (files / "client.pem").chmod(bits)
    assert f"has mode 0{bits:o}" in refused(Badge.CLIENT, files)
    assert f"use chmod 600 {files / 'client.pem'}" in refused(Badge.CLIENT, files)


@pytest.mark.parametrize("bits", [0o701, 0o750, 0o755, 0o777])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, bits: int) -> None:
    files = write_access(tmp_path / "a", new_authority())
    files.chmod(bits)
    assert f"use chmod 700 {files}" in refused(Badge.CLIENT, files)


def test_the_folder_of_a_file_that_is_named_may_be_seen_but_not_changed(tmp_path: Path) -> None:
    files = write_access(tmp_path / "a", new_authority())
    files.chmod(0o755)
    Access(Badge.CLIENT, files / "client.pem").load()
    files.chmod(0o775)
    assert f"use chmod 700 {files}" in refused(Badge.CLIENT, files / "client.pem")


def test_the_file_of_another_role_is_refused(tmp_path: Path) -> None:
    files = write_access(tmp_path / "a", new_authority())
    text = refused(Badge.SERVER, files / "client.pem")
    assert text.endswith("client.pem is the access file of a client; a server needs another one")


def test_an_expired_file_is_refused_with_both_times(tmp_path: Path) -> None:
    files = write_access(tmp_path / "a", new_authority(), span=days(-2, -1))
    text = refused(Badge.CLIENT, files)
    assert re.search(r"has expired on \d{4}-\d\d-\d\d \d\d:\d\d UTC \(the clock here says \d{4}-", text)
    assert "triort init --rotate" in text


def test_a_file_that_is_not_valid_yet_asks_for_the_clock(tmp_path: Path) -> None:
    files = write_access(tmp_path / "a", new_authority(), span=days(1, 2))
    assert refused(Badge.CLIENT, files).endswith(": set the clock")


def test_there_is_a_warning_before_the_end_and_not_again_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access = Access(Badge.CLIENT, write_access(tmp_path / "a", new_authority(), span=days(-1, 29.5)))
    access.load()
    access.load()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "expires on" in caplog.text
    assert "in 29 days" in caplog.text


def test_there_is_no_warning_long_before_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Access(Badge.CLIENT, write_access(tmp_path / "a", new_authority(), span=days(-1, 31))).load()
    assert caplog.text == ""


@pytest.mark.parametrize(
    "content",
    ["", "x", "role: client\n", "\0" * 100, "-----BEGIN CERTIFICATE-----\n" * 3, "x" * 100_000],
)
def test_what_is_no_access_file_is_refused(tmp_path: Path, content: str) -> None:
    files = write_access(tmp_path / "a", new_authority())
    (files / "client.pem").write_text(content)
    assert "client.pem is no access file: " in refused(Badge.CLIENT, files)


def test_a_broken_key_is_refused(tmp_path: Path) -> None:
    files = write_access(tmp_path / "a", new_authority())
    path = files / "client.pem"
    path.write_text(path.read_text().replace("PRIVATE KEY-----\nM", "PRIVATE KEY-----\nN", 1))
    assert "client.pem is no access file: " in refused(Badge.CLIENT, files)


def test_the_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    files = write_access(tmp_path / "a", new_authority())
    other = write_access(tmp_path / "b", new_authority())
    end = "-----END PRIVATE KEY-----\n"
    head, tail = (files / "client.pem").read_text().split(end)[1], (other / "client.pem").read_text().split(end)[0]
    (files / "client.pem").write_text(tail + end + head)
    assert "client.pem is no access file: " in refused(Badge.CLIENT, files)


# -- while a process runs ----------------------------------------------------------------------------------------


def test_a_file_that_is_gone_or_spoilt_changes_nothing_for_who_is_running(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = write_access(tmp_path / "a", new_authority())
    access = Access(Badge.SERVER, files)
    before = access.load()
    (files / "server.pem").write_text("spoilt")
    for _ in range(3):
        assert access.load() is before
    assert caplog.text.count("what was read before holds on") == 1
    (files / "server.pem").unlink()
    assert access.load() is before


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    folder = tmp_path / "a"
    make_folder(folder)
    make, made = access_module._context, 0

    def replace_first(*words: Any) -> Any:
        nonlocal made
        made += 1
        if made <= times:
            rotate_folder(folder)
        return make(*words)

    monkeypatch.setattr(access_module, "_context", replace_first)
    access = Access(Badge.NODE, folder)
    loaded = access.load()
    assert loaded.mark == access_module._mark(folder / "node.pem")
    assert access.load() is loaded


def test_a_file_that_goes_while_it_is_read_is_an_error_of_access(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_access(tmp_path / "a", new_authority())

    def lose(text: str) -> Any:
        (files / "node.pem").unlink()
        return read_text(text)

    monkeypatch.setattr("triort._access.access.read_text", lose)
    with pytest.raises(AccessError, match="no access file"):
        Access(Badge.NODE, files).load()


def test_files_that_expire_end_the_access_of_who_is_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(Badge.SERVER, write_access(tmp_path / "a", new_authority()))
    access.load()
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=61)
    monkeypatch.setattr("triort._access.access.now", lambda: later)
    with pytest.raises(AccessError, match="has expired"):
        access.load()
