"""A directory with one file per secret: mounts of Docker and Kubernetes, and systemd's credentials.

The directory is read at each look-up, so what an orchestrator replaces there is seen at once.
"""

from __future__ import annotations

import os
import stat

from framework import given
from framework.backends.base import KindsBackend
from framework.errors import AccessDenied, BackendError, BackendUnavailable, InvalidSecret
from framework.files.text import content
from framework.files.trust import Untrusted, check, inside, like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_STORE = "mounted files"

#: Errors of the system that mean: there is no such file. A name that no file can have is nobody's.
_ABSENT = (FileNotFoundError, NotADirectoryError)

#: How a file is opened: a pipe does not wait, and the last step is not link.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))


class MountedFilesBackend(KindsBackend):
    """Connections, variables and config secrets from the files of a directory; ours, Airflow has no such class.

    A file's path is `path`, the kind's prefix, `sep` and the id: `/run/secrets/variables/vat`. With `sep` = `_` it is
    `/run/secrets/variables_vat`, as systemd names what it loads from a folder. One newline at the end is no part of the
    value. A link may not lead out of `path`.

    Args:
        path: the directory; by default what `$CREDENTIALS_DIRECTORY` names, which systemd sets. A relative one starts
            at the folder of the file that names it.
        connections_prefix, variables_prefix, config_prefix: where the files of a kind are; None: never asked for that
            kind; empty: the bare id.
        sep: between prefix and id.

    Raises:
        BackendError: there is no `path` and no `$CREDENTIALS_DIRECTORY`.
    """

    remote = False
    switches = {"connection": "connections_prefix", "variable": "variables_prefix", "config": "config_prefix"}

    def __init__(
        self,
        path: str | None = None,
        connections_prefix: str | None = "connections",
        variables_prefix: str | None = "variables",
        config_prefix: str | None = "config",
        sep: str = "/",
    ) -> None:
        path = path or os.environ.get("CREDENTIALS_DIRECTORY")
        if not path:
            raise BackendError("no directory is given", where=_STORE, hint='Give {"path": "/run/secrets"}.')
        self._path = given.expanded(path, "path")
        self._prefixes = {"connection": connections_prefix, "variable": variables_prefix, "config": config_prefix}
        self._sep = sep

    def asks_for(self, kind: str, name: str) -> bool:
        return self._prefixes[kind] is not None

    def places(self, kind: str, name: str) -> list[str]:
        return [os.path.join(self.directory, self._path, f"{self._head(kind)}{name}")]

    def list_names(self, kind: str) -> list[str]:
        """The ids of one kind: files, but none of the folders in which Kubernetes keeps its own copies."""
        head = self._head(kind)
        if head is None:
            return []
        root = self._root()
        folder, _, start = head.rpartition("/")
        where = os.path.join(root, folder)

        def files() -> list[str]:
            with os.scandir(where) as entries:
                return [entry.name for entry in entries if entry.is_file()]

        names = _told(files, where) or []
        return sorted(name[len(start) :] for name in names if name.startswith(start) and name != start)

    def _head(self, kind: str) -> str | None:
        """What the path of each file of a kind begins with, below the directory."""
        prefix = self._prefixes[kind]
        return f"{prefix.removesuffix(self._sep)}{self._sep}" if prefix else prefix

    def _root(self) -> str:
        """The directory, without links. Raises BackendUnavailable if it is none: it may not be mounted yet."""
        named = inside(self.directory, self._path)
        root = os.path.realpath(named)
        if not os.path.isdir(root):
            what = "this is not a directory" if os.path.lexists(root) else "the directory does not exist"
            raise BackendUnavailable(what, where=root, hint="Mount it, or correct path.")
        _told(lambda: check(named), root)
        return like(named, root)

    def _get(self, kind: str, secret_id: str) -> str | None:
        head = self._head(kind)
        name = f"{head}{secret_id}"
        if head is None or not secret_id or "\0" in name or ".." in name.split("/"):
            return None
        root = self._root()
        path = like(root, f"{root}/{name}")
        # An orchestrator replaces a whole folder at once: a file that went away meanwhile is looked for anew.
        for _ in range(20):  # a mount is replaced link by link, and a reader may look in between
            real = os.path.realpath(path)
            if os.path.commonpath([root, real]) != root:
                raise AccessDenied(
                    "the link leads out of the directory",
                    where=path,
                    hint="Put the file itself there, or correct path.",
                )
            if os.path.isdir(real):
                return None
            data = _told(lambda real=real: _content(path, real), path)  # type: ignore[misc]
            if data is not None:
                return _text(data, path)
            if not os.path.lexists(path):
                return None
        raise InvalidSecret("this is a link that leads nowhere", where=path, hint="Remove it, or mount its target.")


def _told(read: Callable[[], Any], where: str) -> Any:
    """What was read, None if there is no such file; any other failure as it is called here."""
    denied, reason = False, ""
    refusal = None
    try:
        return read()
    except Untrusted as doubt:
        refusal = BackendError(doubt.what, where=where, hint=doubt.hint)
    except _ABSENT:
        return None
    except PermissionError:
        denied = True
    except OSError as fault:
        import errno

        if fault.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            return None
        reason = fault.strerror or "no reason given"
    if denied:
        raise AccessDenied("this process may not read it", where=where, hint="Let its user read it.")
    if refusal is not None:
        raise refusal
    raise BackendUnavailable(f"it cannot be read ({reason})", where=where, hint="Look at the mount.")


def _content(path: str, real: str) -> bytes:
    check(path)
    file = os.open(real, _FLAGS)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise InvalidSecret("this is not a regular file", where=path, hint="Write the secret into a file.")
    with open(file, "rb", buffering=0) as opened:
        return content(opened)[0]


def _text(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        hint = "Store text; bytes need an encoding."
        raise InvalidSecret("the content is not UTF-8 text", where=path, hint=hint) from None
