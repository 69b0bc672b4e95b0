"""Secrets as files in memory, for as long as a program runs, so that none is in its environment."""

from __future__ import annotations

import os
import stat

from framework.delivery.selection import Item
from framework.delivery.values import Faults
from framework.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.app import App

_IN_MEMORY = ("tmpfs", "ramfs")


class SecretFiles:
    """A fresh folder with one file for each secret: `with SecretFiles(…) as files`, then `files.write(items)`.

    Args:
        parent: the folder that it is made in.
        name: how its name begins.
        allow_disk: whether the folder may be on a disk, where a deleted file leaves its bytes.

    Raises:
        ConfigError: the parent is not a folder in memory, or cannot be written.
    """

    __slots__ = ("folder", "_parent", "_name", "_written")

    def __init__(self, parent: str, name: str, *, allow_disk: bool = False) -> None:
        self._parent, self._name = os.path.abspath(parent), name
        self._written: dict[str, str] = {}
        kind = _file_system(self._parent)
        if kind not in _IN_MEMORY and not allow_disk:
            hint = "Choose a folder on a tmpfs, such as /dev/shm or /run, or pass --allow-disk."
            raise ConfigError(f"the folder is not in memory ({kind})", where=parent, hint=hint)

    def __enter__(self) -> SecretFiles:
        from tempfile import mkdtemp

        try:
            self.folder = mkdtemp(prefix=f"{self._name}-", dir=self._parent)  # mode 0700
        except OSError as fault:
            raise ConfigError(f"no folder can be created ({fault.strerror})", where=self._parent) from None
        return self

    def write(self, items: list[Item]) -> list[Item]:
        """Write the secrets, those that changed each in one step; and what goes into the environment instead.

        Raises:
            Faults: a secret cannot be written, or its file has no valid name.
        """
        passed, faults = list[Item](), []
        names = {item.name for item in items}
        for item in items:
            if not item.sensitive:
                passed.append(item)
                continue
            try:
                if "/" in item.name or item.name.startswith("."):
                    raise OSError(22, "a file cannot have this name")
                if f"{item.name}_FILE" in names:
                    raise OSError(17, f"{item.name}_FILE is the name of another value")
                path = self._write(item)
            except OSError as fault:
                what = f"{item.source} cannot be written to the file {item.name} ({fault.strerror})"
                faults.append((("", item.source.text), ConfigError(what, hint="Give it another name: --map.")))
                continue
            passed.append(Item(f"{item.name}_FILE", item.source, path, False))
        if faults:
            raise Faults(faults)
        return passed

    def _write(self, item: Item) -> str:
        path = os.path.join(self.folder, item.name)
        if self._written.get(path) != item.text:
            new = os.path.join(self.folder, f".{item.name}.new")
            number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(number, "wb") as file:
                file.write(item.text.encode("utf-8", "surrogateescape"))
            os.replace(new, path)
            self._written[path] = item.text
        return path

    def __exit__(self, *_: object) -> None:
        try:
            for name in os.listdir(self.folder):
                os.unlink(os.path.join(self.folder, name))
            os.rmdir(self.folder)
        except OSError as fault:
            from framework.errors import warn

            warn(f"{self.folder}: the files of secrets cannot be removed ({fault.strerror})")


def own_variables(app: App, items: list[Item]) -> Iterator[str]:
    """The variables of this process that secrets came from, which the program must not inherit."""
    for item in items:
        name = item.source.name
        if item.sensitive and item.source.kind == "option":
            yield from app.engine.variables(*name)
        elif item.sensitive:
            spell = {"connection": app.names.connection, "variable": app.names.variable, "config": app.names.secret}
            yield spell[item.source.kind](name[0])


def _file_system(folder: str) -> str:
    """The kind of the file system that a folder is on, such as `tmpfs`."""
    try:
        status = os.stat(folder)
        if not stat.S_ISDIR(status.st_mode):
            raise ConfigError("this is not a folder", where=folder, hint="For example /dev/shm.")
        with open("/proc/self/mountinfo", "rb") as file:
            lines = file.read().split(b"\n")
    except OSError as fault:
        if not os.path.isdir(folder):
            raise ConfigError(f"the folder cannot be used ({fault.strerror})", where=folder) from None
        return "unknown"
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}".encode()
    for line in lines:
        fields = line.split(b" ")
        if len(fields) > 2 and fields[2] == device and b"-" in fields:
            return os.fsdecode(fields[fields.index(b"-") + 1])
    return "unknown"
