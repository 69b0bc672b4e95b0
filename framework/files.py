"""Reads configuration files: text, and the tables of TOML, YAML and JSON with the place of every key."""

from __future__ import annotations

import os

from framework.errors import ConfigFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: The endings of typed files.
ENDINGS = (".toml", ".yaml", ".yml", ".json")

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


class Beside:
    """The name of a file to write beside another and put in its place: `with Beside(path) as beside`.

    What is left of it at the end is removed, also at SIGTERM, and so is what a killed process left.
    """

    __slots__ = ("_folder", "_name", "_path", "_before")

    def __init__(self, path: str) -> None:
        self._folder, self._name = os.path.split(path)
        self._path = os.path.join(self._folder, f".{self._name}.{os.getpid()}.new")
        self._before: Any = None

    def __enter__(self) -> str:
        import signal
        import threading

        self._remove_leftovers()
        # A handler of the application's own stays: it ends the process by an exception, or not at all.
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            self._before = signal.signal(signal.SIGTERM, self._stop)
        return self._path

    def __exit__(self, *failure: object) -> None:
        self._remove(self._path)
        if self._before is not None:
            import signal

            signal.signal(signal.SIGTERM, self._before)

    def _stop(self, number: int, frame: object) -> None:
        import signal

        self._remove(self._path)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _remove_leftovers(self) -> None:
        start = f".{self._name}."
        try:
            names = os.listdir(self._folder or ".")
        except OSError:  # who writes will tell
            return
        for name in names:
            number = name.removeprefix(start).removesuffix(".new")
            if name == f"{start}{number}.new" and number.isdecimal() and not _runs(int(number)):
                self._remove(os.path.join(self._folder, name))

    def _remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except OSError:
            return


def _runs(process: int) -> bool:
    """Whether another process has this number; what is left under our own is of a process before us."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return process != os.getpid()


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


def read_table(
    path: str, error: type[ConfigFileError] = ConfigFileError
) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """The top-level table of a TOML, YAML or JSON file, and where its keys stand.

    Args:
        path: the file; its ending says what it is.
        error: the class of the errors.

    Returns:
        The table, and for the trail of each key its place: `path:line`, for JSON `path#/the/key`.

    Raises:
        ConfigFileError: unreadable or malformed, with the line and without a value; a key that is written twice.
    """
    ending = path[path.rfind(".") :].lower()
    if ending not in ENDINGS:
        raise error("the ending is none that can be read", where=path, hint=f"Use one of {', '.join(ENDINGS)}.")
    text = read_text(path)
    if ending == ".toml":
        said, places = _toml(text, path, error), _toml_places(text, path)
    elif ending == ".json":
        said = _json(text, path, error)
        places = {trail: f"{path}#/{'/'.join(trail)}" for trail in _trails(said, ())}
    else:
        said, places = _yaml(text, path, error)
    if said is None:
        said = {}
    if not isinstance(said, dict):
        raise error("the file holds no table of sections", where=f"{path}:1", hint="Write sections with options.")
    return said, places


def _toml(text: str, path: str, error: type[ConfigFileError]) -> Any:
    import tomli

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as fault:
        line, what = fault.lineno, fault.msg
    raise error(f"this is no TOML ({_without_values(what)})", where=f"{path}:{line}", hint="Correct the line.")


def _toml_places(text: str, path: str) -> dict[tuple[str, ...], str]:
    """Lines of keys, by a look at each line: tomli tells none. A line that it misjudges costs a line number only."""
    places: dict[tuple[str, ...], str] = {}
    table: tuple[str, ...] = ()
    quoted = ""
    for number, line in enumerate(text.split("\n"), 1):
        body = line.strip()
        if not quoted:
            if body.startswith("["):
                table = _toml_trail(body.strip("[]").split("#")[0].strip(" ]"))
                places.setdefault(table, f"{path}:{number}")
            elif "=" in body and not body.startswith("#"):
                trail = table + _toml_trail(body.split("=", 1)[0])
                places.setdefault(trail, f"{path}:{number}")
        for mark in ('"""', "'''"):
            if quoted in ("", mark) and body.count(mark) % 2:
                quoted = "" if quoted else mark
    return places


def _toml_trail(text: str) -> tuple[str, ...]:
    parts: list[str] = []
    for piece in text.strip().split("."):
        piece = piece.strip()
        if parts and parts[-1][:1] in "\"'" and parts[-1][:1] != parts[-1][-1:]:
            parts[-1] += "." + piece  # a quoted name that holds a dot
        else:
            parts.append(piece)
    return tuple(part.strip("\"'") for part in parts)


def _json(text: str, path: str, error: type[ConfigFileError]) -> Any:
    import json

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise error(f"{twice!r} is written twice", where=path, hint="Keep one of the two.")
        return table

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as fault:
        line, what = fault.lineno, fault.msg
    except RecursionError:
        line, what = 1, "nested too deep"
    raise error(f"this is no JSON ({what})", where=f"{path}:{line}", hint="Correct the line.")


def _yaml(text: str, path: str, error: type[ConfigFileError]) -> tuple[Any, dict[tuple[str, ...], str]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        places = {} if node is None else dict(_yaml_places(yaml, node, (), path, error))
        return (None if node is None else loader.construct_document(node)), places
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line, what = (mark.line + 1 if mark else 1), getattr(fault, "problem", None) or "it cannot be read"
    except (ValueError, TypeError, AttributeError, RecursionError):  # a date that is none, a list as a name
        line, what = 1, "a value is none of its kind"
    finally:
        loader.dispose()
    raise error(f"this is no YAML ({_without_values(what)})", where=f"{path}:{line}", hint="Correct the line.")


def _yaml_places(
    yaml: Any, node: Any, trail: tuple[str, ...], path: str, error: type[ConfigFileError], depth: int = 0
) -> Iterator[tuple[tuple[str, ...], str]]:
    if not isinstance(node, yaml.MappingNode) or depth > 20:
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in seen and name != "<<":
            raise error(
                f"{name!r} is written twice, first on line {seen[name]}", where=f"{path}:{line}", hint="Keep one."
            )
        seen[name] = line
        yield (*trail, name), f"{path}:{line}"
        yield from _yaml_places(yaml, value, (*trail, name), path, error, depth + 1)


def _trails(value: Any, trail: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*trail, str(key))
            yield from _trails(inner, (*trail, str(key)))


def _without_values(what: str) -> str:
    """A parser's message up to the first thing that it quotes: that may be a piece of a secret."""
    if '"' not in what and all(len(piece) == 1 for piece in what.split("'")[1::2]):
        return what  # it quotes marks such as ',' only
    return what.split("'")[0].split('"')[0].strip() or "a character that cannot stand here"
