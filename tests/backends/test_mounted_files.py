"""Files of a mounted directory: as Kubernetes, Docker and systemd lay them out."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from store_checks import by_threads, in_a_child, refused

from framework import errors
from framework.backends.mounted_files import MountedFilesBackend
from framework.testing import BackendContract

FOLDERS = {"connection": "connections", "variable": "variables", "config": "config"}
CANARY = "file-value-canary"


def write(root: Path, name: str, data: str | bytes = "text\n") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


class TestContract(BackendContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def backend(self) -> Any:
        return MountedFilesBackend(str(self.folder))

    def put(self, kind: str, name: str, text: str) -> None:
        write(self.folder, f"{FOLDERS[kind]}/{name}", text)

    def in_trouble(self, trouble: str) -> Any:
        if trouble == "down":
            return MountedFilesBackend(str(self.folder / "not-mounted"))
        if trouble == "denied":  # a link that leads out
            inside = self.folder / "inside"
            for folder in FOLDERS.values():
                (inside / folder).mkdir(parents=True, exist_ok=True)
                (inside / folder / "stored_name").unlink(missing_ok=True)
                (inside / folder / "stored_name").symlink_to(write(self.folder, "outside/secret"))
            return MountedFilesBackend(str(inside))
        if trouble == "binary":
            write(self.folder, "config/binary_name", b"\xff")
            return self.backend()
        return None


def ask(root: Path, name: str, **kwargs: Any) -> Any:
    return MountedFilesBackend(str(root), **kwargs).get_variable(name)


@pytest.mark.parametrize(
    ("data", "text"),
    [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("", ""), ("\n", ""), (" a ", " a "), ("ü🔑", "ü🔑")],
)
def test_one_newline_at_the_end_is_not_part_of_the_value(tmp_path: Path, data: str, text: str) -> None:
    write(tmp_path, "variables/x", data)
    assert ask(tmp_path, "x") == text


def test_a_huge_secret(tmp_path: Path) -> None:
    write(tmp_path, "variables/x", "x" * 65536)
    assert ask(tmp_path, "x") == "x" * 65536


def test_bytes_that_are_not_text_are_invalid_and_unshown(tmp_path: Path) -> None:
    write(tmp_path, "variables/x", CANARY.encode() + b"\xff")
    refused(errors.InvalidSecret, lambda: ask(tmp_path, "x"), CANARY)


@pytest.mark.parametrize("name", ["a.b", "a b", "ü", ".dockerconfigjson", "a/b", "a\\b", "-", "~", "$X", "%s", "a\nb"])
def test_odd_names_are_files_as_they_are(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"variables/{name}", "here")
    assert ask(tmp_path, name) == "here"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../outside", "a/../../../outside", "/etc/hosts", "x\0y", "n" * 300, "file/below", "folder"]
)
def test_names_that_no_file_can_have_are_absent(tmp_path: Path, name: str) -> None:
    write(tmp_path, "outside", CANARY)
    write(tmp_path, "variables/file")
    write(tmp_path, "variables/folder/file")
    assert ask(tmp_path, name) is None
    assert ask(tmp_path / "variables", name, variables_prefix="") is None


def test_prefixes_and_separators(tmp_path: Path) -> None:
    write(tmp_path, "vat", "bare")
    write(tmp_path, "variables_vat", "flat")
    write(tmp_path, "deep/er/vat", "deep")
    assert ask(tmp_path, "vat", variables_prefix="") == "bare"
    assert ask(tmp_path, "vat", sep="_") == "flat"
    assert ask(tmp_path, "vat", variables_prefix="deep/er/") == "deep"
    assert ask(tmp_path, "vat", variables_prefix=None) is None


def test_connections_in_every_form(tmp_path: Path) -> None:
    write(tmp_path, "connections/uri", "postgres://me:pw@host:5/db\n")
    write(tmp_path, "connections/json", '{"conn_type": "postgres", "host": "host", "password": "pw"}\n')
    write(tmp_path, "connections/own", '{"user": "me", "at": {"host": "host"}}')
    backend = MountedFilesBackend(str(tmp_path))
    assert backend.get_connection("uri").port == 5  # type: ignore[union-attr]
    assert backend.get_connection("json").password == "pw"  # type: ignore[union-attr]
    backend.connection_map = {"login": "user", "host": "at.host", "conn_type": {"const": "postgres"}}
    assert backend.get_connection("own").host == "host"  # type: ignore[union-attr]


def test_systemd_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "config_smtp", "made-up\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert MountedFilesBackend(sep="_").get_config("smtp") == "made-up"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(errors.BackendError, match="no directory is given"):
        MountedFilesBackend()


def test_a_relative_path_starts_at_the_folder_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, "secrets/variables/x", "here")
    backend = MountedFilesBackend("secrets")
    backend.bind("billing", str(tmp_path))
    assert backend.get_variable("x") == "here"


class Mount:
    """A Kubernetes mount: keys are links into `..data`, a link to the folder of the day, which is replaced at once."""

    def __init__(self, root: Path) -> None:
        self.root, self.number = root, 0
        root.mkdir(parents=True)

    def write(self, **files: str) -> None:
        self.number += 1
        day = self.root / f"..2026_{self.number}"
        for name, text in files.items():
            write(day, name, text)
        (self.root / "..new").symlink_to(day.name)
        old = os.readlink(self.root / "..data") if self.number > 1 else None
        os.replace(self.root / "..new", self.root / "..data")
        for name in files:
            if not (self.root / name).is_symlink():
                (self.root / name).symlink_to(f"..data/{name}")
        if old is not None:
            for file in (self.root / old).iterdir():
                file.unlink()
            (self.root / old).rmdir()


def test_a_kubernetes_mount(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "variables")
    mount.write(vat="19", fee="2")
    backend = MountedFilesBackend(str(tmp_path))
    assert backend.get_variable("vat") == "19"
    assert backend.list_names("variable") == ["fee", "vat"]
    mount.write(vat="20", fee="2")
    assert backend.get_variable("vat") == "20"


def test_a_mount_that_is_replaced_again_and_again_is_never_absent(tmp_path: Path) -> None:
    mount, seen, done = Mount(tmp_path / "variables"), set[Any](), threading.Event()
    mount.write(vat="0")
    backend = MountedFilesBackend(str(tmp_path))

    def read() -> None:
        while not done.is_set():
            seen.add(backend.get_variable("vat"))

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(300):
        mount.write(vat=str(number))
    done.set()
    thread.join()
    assert None not in seen


def test_links_may_not_lead_out(tmp_path: Path) -> None:
    write(tmp_path, "outside/x", CANARY)
    root = tmp_path / "root"
    write(root, "variables/own", "own")
    (root / "variables" / "link").symlink_to(tmp_path / "outside" / "x")
    (root / "config").symlink_to(tmp_path / "outside")
    (root / "variables" / "inside").symlink_to("own")
    (root / "variables" / "gone").symlink_to("nothing")
    (root / "variables" / "loop").symlink_to("loop")
    refused(errors.AccessDenied, lambda: ask(root, "link"), CANARY)
    refused(errors.AccessDenied, lambda: MountedFilesBackend(str(root)).get_config("x"), CANARY)
    assert ask(root, "inside") == "own"
    refused(errors.InvalidSecret, lambda: ask(root, "gone"))
    refused(errors.InvalidSecret, lambda: ask(root, "loop"))
    link = tmp_path / "mounted"
    link.symlink_to(root)
    assert ask(link, "own") == "own", "the directory itself may be a link"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    os.mkfifo(tmp_path / "variables" / "pipe")
    refused(errors.InvalidSecret, lambda: ask(tmp_path, "pipe"))


def test_a_file_that_may_not_be_read_is_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "variables/x", CANARY)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything
        monkeypatch.setattr("framework.backends.mounted_files.os.open", _denied)
    refused(errors.AccessDenied, lambda: ask(tmp_path, "x"), CANARY)
    monkeypatch.setattr("framework.backends.mounted_files.os.open", _broken)
    refused(errors.BackendUnavailable, lambda: ask(tmp_path, "x"), CANARY)


def _denied(path: str, flags: int) -> int:
    raise PermissionError(13, "Permission denied", path)


def _broken(path: str, flags: int) -> int:
    raise OSError(5, "Input/output error", path)


def test_many_at_once_and_lists(tmp_path: Path) -> None:
    write(tmp_path, "variables/a", "1")
    write(tmp_path, "variables/bad", b"\xff")
    backend = MountedFilesBackend(str(tmp_path))
    found = backend.get_many("variable", ["a", "bad", "gone"])
    assert found["a"] == "1"
    assert isinstance(found["bad"], errors.InvalidSecret)
    assert set(found) == {"a", "bad"}
    assert backend.list_names("variable") == ["a", "bad"]
    assert backend.list_names("connection") == []
    assert MountedFilesBackend(str(tmp_path), variables_prefix=None).list_names("variable") == []
    refused(errors.BackendUnavailable, lambda: MountedFilesBackend(str(tmp_path / "no")).list_names("variable"))


def test_threads_and_forks(tmp_path: Path) -> None:
    write(tmp_path, "variables/x", "here")
    backend = MountedFilesBackend(str(tmp_path))
    assert by_threads(lambda: backend.get_variable("x")) == ["here"] * 32
    assert in_a_child(lambda: backend.get_variable("x")) == "here"


def test_versions_are_not_kept(tmp_path: Path) -> None:
    assert not hasattr(MountedFilesBackend(str(tmp_path)), "get_config_version")
