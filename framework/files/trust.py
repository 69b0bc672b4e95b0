"""The rule of trust: whose files are used. Everything that opens a file asks here.

A path that a person named is a plain `str`, and is trusted. One that is used because of the working directory or the
home is `Found`: the file, and every folder and symbolic link that leads to it from `/` down, must belong to the caller
or root, and others must not be able to write them. The walk holds the folders open, and the file is judged after it was
opened, so nothing can be exchanged between the check and the use.
"""

from __future__ import annotations

import errno
import os
import stat

from framework.errors import ConfigFileError
from framework.limits import LINKS

#: To hold a folder open, for which the permission to list it is not needed where the system knows `O_PATH`.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: A named pipe is not waited for.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class Found(str):
    """A path that was only found, not named by a person. It is checked when it is opened.

    Attributes:
        way_out: how a person can trust it explicitly.
    """

    way_out = "pass --project DIR, or set FRAMEWORK_PROJECT=DIR in the environment of the process"


class Vouched(str):
    """A path in a project that was named explicitly: commands in its files are run, whatever their owner."""


class Typed(str):
    """A path on the command line: it may be a pipe."""


class Untrusted(PermissionError):
    """A found file is not used.

    Attributes:
        what, where, hint: as in our errors.
    """

    def __init__(self, what: str, where: str, hint: str) -> None:
        super().__init__(1, what, where)
        self.what, self.where, self.hint = what, where, hint


def found(path: str, way_out: str = "") -> Found:
    """A path that was only found, made absolute.

    Raises:
        ConfigFileError: it starts in a working directory that is gone.
    """
    try:
        path = os.path.abspath(path)
    except FileNotFoundError:
        path = ""
    if not path:
        raise ConfigFileError("the working directory was removed", where=os.curdir, hint="Go to another one.")
    made = Found(path)
    if way_out:
        made.way_out = way_out
    return made


def with_trust_of(base: str, path: str) -> str:
    """`path`, trusted as `base` is, because `base` leads to it."""
    if isinstance(base, Found):
        return found(path, base.way_out)
    return Vouched(path) if isinstance(base, Vouched) else path


def folder_of(file: str) -> str:
    """The folder at which the relative paths in a file start, trusted as it is.

    Args:
        file: empty for the environment, whose relative paths start at the working directory.
    """
    return with_trust_of(file, os.path.dirname(os.path.abspath(file))) if file else Found()


def inside(folder: str, path: str) -> str:
    """A path that starts at a folder if it is relative, and is trusted as that is. An absolute one is named."""
    if os.path.isabs(path):
        return Vouched(path) if isinstance(folder, Vouched) else path
    return with_trust_of(folder, os.path.join(folder, path))


def opened(path: str, *, pipes: bool = False) -> int:
    """The descriptor of a file that is opened for reading; one that is `Found` is checked.

    Args:
        path: the file.
        pipes: whether a pipe or a device will do; `/dev/null` always does.

    Raises:
        Untrusted: it was only found, and others may have made it what it is.
        OSError: it cannot be opened, or is not a regular file.
    """
    if not isinstance(path, Found):
        _refuse_irregular(os.stat(path), path, pipes)
        return _regular(os.open(path, _FILE), path, pipes)
    number, doubt = look(path, pipes=pipes)
    if doubt is not None:
        os.close(number)
        raise doubt
    return number


def look(path: str, *, pipes: bool = False) -> tuple[int, Untrusted | None]:
    """The descriptor of a found file, and why it is not to be trusted.

    Raises:
        OSError: it cannot be opened, or is not a regular file (Untrusted if it is not to be trusted either).
    """
    walk = _Walk(path)
    try:
        try:
            _refuse_irregular(os.lstat(walk.name, dir_fd=walk.folder), path, pipes)
            number = os.open(walk.name, _FILE | os.O_NOFOLLOW, dir_fd=walk.folder)
            _regular(number, path, pipes)
        except FileNotFoundError:
            raise
        except OSError as fault:
            status = os.lstat(walk.name, dir_fd=walk.folder)
            if stat.S_ISREG(status.st_mode) or not _is_ours(status):
                walk.judge(status)
            raise (walk.refusal() if walk.doubt else fault)
        walk.judge(os.fstat(number))
        return number, walk.refusal() if walk.doubt else None
    finally:
        os.close(walk.folder)


def names_in(folder: str) -> list[str]:
    """The names in a folder; one that is `Found` is checked as the folder of a file is.

    Raises:
        Untrusted: it was only found, and others decide what is in it.
        OSError: it cannot be listed.
    """
    if not isinstance(folder, Found):
        return os.listdir(folder)
    walk = _Walk(with_trust_of(folder, os.path.join(folder, ".*")))
    try:
        walk.path = folder
        if walk.doubt:
            raise walk.refusal()
        number = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=walk.folder)
        try:
            return os.listdir(number)
        finally:
            os.close(number)
    finally:
        os.close(walk.folder)


def check(path: str) -> str:
    """A path that other code opens or runs: a certificate, a program. A file of our own user cannot be exchanged later.

    Raises: as `opened`, for it must be there.
    """
    if isinstance(path, Found):
        walk = _Walk(path)
        try:
            walk.judge(os.lstat(walk.name, dir_fd=walk.folder))
        finally:
            os.close(walk.folder)
        if walk.doubt:
            raise walk.refusal()
    return path


def check_database(path: str) -> None:
    """Refuse a database that is not a regular file, and a found one that others could exchange, or plant a journal for.

    It is not opened: closing it would drop the locks that SQLite holds in this process. Nothing can be exchanged after
    the check, for no other user can write the folder; so here a sticky folder will not do.

    Raises:
        Untrusted: it was only found, and is not to be trusted.
        OSError: it is a pipe or a device.
    """
    try:
        if not isinstance(path, Found):
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                raise OSError(22, f"it is {kind(status)}, and only a regular file is used")
            return
        walk = _Walk(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # SQLite reports it, or the file will be created
        return
    try:
        if walk.is_shared:
            walk.doubt = f"others can write the folder {walk.place}, and plant a journal next to it"
        for name in (walk.name, *(f"{walk.name}-{ending}" for ending in ("journal", "wal", "shm"))):
            try:
                status = os.lstat(name, dir_fd=walk.folder)
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
                raise OSError(22, f"{name} is {kind(status)}, and only a regular file is used")
            walk.judge(status, "" if name == walk.name else os.path.join(walk.place, name))
        if walk.doubt:
            raise walk.refusal()
    finally:
        os.close(walk.folder)


def way_to(path: str) -> tuple[int, str, str]:
    """The way to a file that is to be written, past the links that lead to it.

    Returns:
        The descriptor of the last folder, its path without links, and what the file is called in it.

    Raises:
        Untrusted: a link of another user leads there.
        OSError: a folder on the way is missing, or may not be entered.
    """
    path = os.path.abspath(path)
    walk = _Walk(path)
    if walk.foreign_link:
        os.close(walk.folder)
        raise Untrusted(walk.foreign_link, path, "Name the file itself.")
    return walk.folder, walk.place, walk.name


def why_no_command(status: os.stat_result, path: str) -> tuple[str, str]:
    """Why a command in a file is not run, and what to do; empty if it is run.

    Args:
        status: of the file as it was opened.
        path: the file.
    """
    if not _is_ours(status) and not isinstance(path, Vouched):
        return f"a command is not run from a file of another user ({owner(status)})", f"chown it, or {Found.way_out}."
    if others_can_write(status):
        mode = status.st_mode & 0o777
        return f"a command is not run from a file that others can write (mode {mode:o})", f"chmod go-w {path}"
    return "", ""


def others_can_write(status: os.stat_result) -> bool:
    """Whether others than the owner and root can write a file. A user-private group, as umask 002 implies, is not
    counted as others."""
    if not status.st_mode & 0o020 or status.st_mode & 0o002:
        return bool(status.st_mode & 0o022)
    import grp
    import pwd

    try:
        owner, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid)
    except KeyError:
        return True
    return group.gr_name != owner or not set(group.gr_mem) <= {owner}


class _Walk:
    """From `/` down to a file's last folder, through every link.

    Attributes:
        folder: the descriptor of the last folder.
        place: its path, without links.
        name: what the file is called in it.
        is_shared: whether everybody may put files into it, as into /tmp.
        doubt: the first thing that is not to be trusted, as a clause; empty if it is trusted.
        foreign_link: the same, for links alone.
    """

    __slots__ = ("path", "folder", "place", "name", "is_shared", "doubt", "foreign_link")

    def __init__(self, path: str) -> None:
        self.path, self.place, self.name, self.doubt, self.is_shared = path, "/", ".", "", False
        self.foreign_link = ""
        self.folder = os.open("/", _FOLDER)
        try:
            self._enter(self.folder, "/")
            self._go(path.split("/")[::-1])
        except BaseException:
            os.close(self.folder)
            raise

    def _go(self, steps: list[str]) -> None:
        links = 0
        while steps:
            name = steps.pop()
            if name in ("", "."):
                continue
            while steps and steps[-1] in ("", "."):
                steps.pop()
            try:
                if steps and name != "..":  # most are folders: one call less for these
                    self._enter(os.open(name, _FOLDER, dir_fd=self.folder), os.path.join(self.place, name))
                    continue
            except OSError as error:  # a link, or a file instead of a folder
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
            try:
                status = os.lstat(name, dir_fd=self.folder)
            except FileNotFoundError:
                if steps:
                    raise
                self.name = name
                return
            place = os.path.normpath(os.path.join(self.place, name))
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > LINKS:
                    raise OSError(40, "too many symbolic links")
                if not _is_ours(status):
                    self.foreign_link = (
                        f"the link {place}, which leads to it, belongs to another user ({owner(status)})"
                    )
                    self._doubt(self.foreign_link)
                target = os.readlink(name, dir_fd=self.folder)
                if target.startswith("/"):
                    self._enter(os.open("/", _FOLDER), "/")
                steps += target.split("/")[::-1]
            elif steps:
                self._enter(os.open(name, _FOLDER, dir_fd=self.folder), place)
            else:
                self.name = name

    def _enter(self, number: int, place: str) -> None:
        if number != self.folder:
            os.close(self.folder)
        self.folder, self.place = number, place
        status = os.fstat(number)
        self.is_shared = others_can_write(status)
        if not _is_ours(status):
            self._doubt(f"the folder {place}, which leads to it, belongs to another user ({owner(status)})")
        elif self.is_shared and not status.st_mode & stat.S_ISVTX:
            mode = f"mode {status.st_mode & 0o7777:o}, owner {owner(status)}"
            self._doubt(f"others can write the folder {place}, which leads to it ({mode})")

    def judge(self, status: os.stat_result, beside: str = "") -> None:
        """Look at the file itself, or at one beside it that takes part with it."""
        it = beside or "it"
        if not _is_ours(status):
            self._doubt(f"{it} belongs to another user ({owner(status)})")
        elif others_can_write(status):
            self._doubt(f"others can write {it} (mode {status.st_mode & 0o777:o}, owner {owner(status)})")
        elif status.st_nlink > 1 and self.is_shared and stat.S_ISREG(status.st_mode):
            self._doubt(f"{it} is a hard link in a folder that everybody can write (owner {owner(status)})")

    def _doubt(self, clause: str) -> None:
        self.doubt = self.doubt or clause

    def refusal(self) -> Untrusted:
        assert isinstance(self.path, Found)
        what = f"a file that was not named explicitly is not used when {self.doubt}"
        return Untrusted(what, self.path, f"Correct that, or, if you trust it, {self.path.way_out}.")


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid in (0, os.geteuid())


def owner(status: os.stat_result) -> str:
    """The owner of a file: `mallory, uid 12345`."""
    import pwd

    try:
        return f"{pwd.getpwuid(status.st_uid).pw_name}, uid {status.st_uid}"
    except KeyError:
        return f"uid {status.st_uid}"


def kind(status: os.stat_result) -> str:
    """The kind of a file that is not a regular one: `a named pipe`."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "not a regular file")


def _refuse_irregular(status: os.stat_result, path: str, pipes: bool) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "it is a directory", path)
    is_null = stat.S_ISCHR(mode) and status.st_rdev == os.stat(os.devnull).st_rdev
    if not is_null and not (pipes and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))):
        raise OSError(22, f"it is {kind(status)}, and only regular files are read", path)


def _regular(number: int, path: str, pipes: bool) -> int:
    """The descriptor, unless what was opened is another thing than what was looked at."""
    try:
        _refuse_irregular(os.fstat(number), path, pipes)
    except OSError:
        os.close(number)
        raise
    return number
