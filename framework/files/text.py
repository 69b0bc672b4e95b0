"""Opens a file and decodes its text, and says who else could have written it."""

from __future__ import annotations

import os

from framework.errors import ConfigFileError

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: str, *, universal: bool = True) -> str:
    """The text of a file.

    Args:
        path: the file; a device such as `/dev/null` or a named pipe will do.
        universal: whether every kind of line end becomes a newline.

    Returns:
        The text, decoded as UTF-8 whatever the locale says.

    Raises:
        ConfigFileError: the file is missing, unreadable, a directory, or no UTF-8 text without a byte order mark
            (which is refused as Airflow refuses it, but by its name).
    """
    text = _decode(_read(path), path)
    return text.replace("\r\n", "\n").replace("\r", "\n") if universal else text


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        fault = ConfigFileError("the file does not exist", where=path, hint="Create it, or correct the path.")
    except IsADirectoryError:
        fault = ConfigFileError("this is a directory", where=path, hint="Name the file inside it.")
    except PermissionError:
        fault = ConfigFileError(
            "this process may not read the file", where=path, hint="Give its user the permission to read it."
        )
    except (OSError, ValueError) as error:  # ValueError: a path that holds a NUL
        reason = getattr(error, "strerror", None) or "the path holds a character that no path can hold"
        fault = ConfigFileError(f"the file cannot be read ({reason})", where=repr(path)[1:-1], hint="Correct the path.")
    raise fault from None


def _decode(data: bytes, path: str) -> str:
    if data.startswith(_UTF16) or b"\0" in data[:2]:
        raise ConfigFileError("the text is UTF-16 or binary", where=f"{path}:1", hint="Save the file as UTF-8.")
    if data.startswith(b"\xef\xbb\xbf"):
        raise ConfigFileError(
            "the file begins with a byte order mark",
            where=f"{path}:1",
            hint="Save it as UTF-8 without a byte order mark (BOM).",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
    # Raised out here: the decoder's error carries the whole file, secrets included.
    head = data[:at]
    line = 1 + head.count(b"\n") + head.count(b"\r") - head.count(b"\r\n")
    raise ConfigFileError(
        f"the byte at offset {at} (0x{data[at]:02x}) is no UTF-8",
        where=f"{path}:{line}",
        hint="Save the file as UTF-8.",
    )


def others_can_write(path: str) -> bool:
    """Whether anybody but the owner and root can write a file. A group that is the owner's own, as the usual umask 002
    goes with, is nobody else."""
    status = os.stat(path)
    if not status.st_mode & 0o020 or status.st_mode & 0o002:
        return bool(status.st_mode & 0o022)
    import grp
    import pwd

    try:
        owner, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid)
    except KeyError:
        return True
    return group.gr_name != owner or not set(group.gr_mem) <= {owner}
