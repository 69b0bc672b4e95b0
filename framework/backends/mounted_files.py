"""A directory with one file per secret: mounts of Docker and Kubernetes, and systemd's credentials.

The directory is read at each lookup, so that changes by an orchestrator are seen at once.
"""

from __future__ import annotations

import errno
import os
import stat
from functools import partial

from framework import given
from framework.backends.base import KindsBackend
from framework.errors import AccessDenied, BackendError, BackendUnavailable, InvalidSecret
from framework.files.text import content
from framework.files.trust import Untrusted, check, inside, with_trust_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from framework.errors import FrameworkError

    Result = TypeVar("Result")

_STORE = "mounted files"

#: How a file is opened: a pipe does not block, and the last part of the path is not a link.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))


class MountedFilesBackend(KindsBackend):
    """Connections, variables and config secrets from the files of a directory. Airflow has no such class.

    A file's path is `path`, the kind's prefix, `sep` and the id: `/run/secrets/variables/vat`. With `sep` = `_` it is
    `/run/secrets/variables_vat`, as systemd names what it loads from a folder. One newline at the end is not part of
    the value. A link may not lead out of `path`.

    Args:
        path: the directory; by default `$CREDENTIALS_DIRECTORY`, which systemd sets. A relative path starts at the
            folder of the file that names it.
        connections_prefix, variables_prefix, config_prefix: where the files of a kind are; None: there are none; empty:
            the bare id.
        sep: between prefix and id.

    Raises:
        BackendError: neither `path` nor `$CREDENTIALS_DIRECTORY` is set.
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
        """The ids of one kind: files, without the folders in which Kubernetes keeps its own copies."""
        head = self._head(kind)
        if head is None:
            return []
        root = self._root()
        folder, _, start = head.rpartition("/")
        where = os.path.join(root, folder)

        def files() -> list[str]:
            with os.scandir(where) as entries:
                return [entry.name for entry in entries if entry.is_file()]

        names = _attempted(files, where) or []
        return sorted(name[len(start) :] for name in names if name.startswith(start) and name != start)

    def _head(self, kind: str) -> str | None:
        """The start of each path of a kind, below the directory."""
        prefix = self._prefixes[kind]
        return f"{prefix.removesuffix(self._sep)}{self._sep}" if prefix else prefix

    def _root(self) -> str:
        """The directory, without links. Raises BackendUnavailable: it does not exist, or is not mounted yet."""
        named = inside(self.directory, self._path)
        root = os.path.realpath(named)
        if not os.path.isdir(root):
            what = "this is not a directory" if os.path.lexists(root) else "the directory does not exist"
            raise BackendUnavailable(what, where=root, hint="Mount it, or correct path.")
        _attempted(lambda: check(named), root)
        return with_trust_of(named, root)

    def _get(self, kind: str, secret_id: str) -> str | None:
        head = self._head(kind)
        name = f"{head}{secret_id}"
        if head is None or not secret_id or "\0" in name or ".." in name.split("/"):
            return None
        root = self._root()
        path = with_trust_of(root, f"{root}/{name}")
        for _ in range(20):  # an orchestrator replaces a mount link by link, and this may happen in between
            real = os.path.realpath(path)
            if os.path.commonpath([root, real]) != root:
                hint = "Put the file itself there, or correct path."
                raise AccessDenied("the link leads out of the directory", where=path, hint=hint)
            if os.path.isdir(real):
                return None
            data = _attempted(partial(_content, path, real), path)
            if data is not None:
                return _text(data, path)
            if not os.path.lexists(path):
                return None
        raise InvalidSecret(
            "the target of this link does not exist", where=path, hint="Remove it, or mount its target."
        )


def _attempted(read: Callable[[], Result], where: str) -> Result | None:
    """The result of reading, None if there is no such file; other errors of the system are translated."""
    try:
        return read()
    except Untrusted as doubt:
        failure: FrameworkError = BackendError(doubt.what, where=where, hint=doubt.hint)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        failure = AccessDenied("this process may not read it", where=where, hint="Give its user read permission.")
    except OSError as fault:
        if fault.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            return None
        what = f"it cannot be read ({fault.strerror or 'no reason given'})"
        failure = BackendUnavailable(what, where=where, hint="Check the mount.")
    raise failure


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
        hint = "Store text; encode bytes, as base64 for example."
        raise InvalidSecret("the content is not UTF-8 text", where=path, hint=hint) from None
