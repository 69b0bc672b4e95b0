"""Variables that begin like the application's but have no meaning, with the probable intention."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.options.engine import Engine

#: Common misspellings of the words in names of variables.
_KINDS = {
    "CONN": ("CON", "CONNS", "CONNECT", "CONNECTION", "CONNECTIONS"),
    "VAR": ("VARS", "VARIABLE", "VARIABLES"),
    "SECRET": ("SECRETS",),
}
_OWN = {
    "HOME": ("DIR", "HOMEDIR", "HOME_DIR", "HOME_FOLDER"),
    "CONFIG": ("CFG", "CONF", "CONF_FILE", "CONFIG_FILE", "CONFIG_PATH", "CONFIGURATION"),
    "ENV": ("ENVIRONMENT", "ENV_NAME"),
    "ACCESS_LOG": (),
    "ACCESS_LOG_READS": (),
    "ACCESS_LOG_STRICT": (),
}
#: How alike two names must be, from 0 to 1, for one to be taken for a misspelling of the other.
_ALIKE, _ALIKE_OWN = 0.88, 0.75


class Misspelt:
    """A variable that has no meaning, and the one that was probably intended.

    Attributes:
        name, origin: the variable, and where it is set: the same, or `path:line` of a `.env` file.
        meant: the name that was probably intended.
        option: the option that it sets, or None.
    """

    __slots__ = ("name", "origin", "meant", "option")

    def __init__(self, name: str, origin: str, meant: str, option: tuple[str, str] | None) -> None:
        self.name, self.origin, self.meant, self.option = name, origin, meant, option

    def __str__(self) -> str:
        what = "this variable" if self.name == self.origin else self.name
        return f"{what} is not read by the application; did you mean {self.meant}?"


def misspelt(engine: Engine) -> Iterator[Misspelt]:
    """Every variable of the process and the `.env` files that probably misspells one that the application reads.

    A variable that resembles none of them is ignored: other programs have variables, too.
    """
    start, known = f"{engine.names.prefix}_", _Known(engine)
    for name in engine.environment.names():
        if name.upper().startswith(start) and not _is_of_a_service(engine, name):
            meant, option = known.meant(name.upper()[len(start) :])
            if meant and start + meant != name:
                yield Misspelt(name, engine.environment.find(name)[1], start + meant, option)


def _is_of_a_service(engine: Engine, name: str) -> bool:
    """Whether Kubernetes (or Docker's old links) set it in a pod for a service of such a name: `BILLING_PORT` is
    `tcp://10.0.0.1:80` then, beside `BILLING_SERVICE_HOST` and `BILLING_PORT_80_TCP_ADDR`."""
    for mark in ("_SERVICE_HOST", "_SERVICE_PORT", "_PORT"):
        service, found, _ = name.rpartition(mark)
        if found and (engine.environment.get(f"{service}_PORT") or "").startswith(("tcp://", "udp://", "sctp://")):
            return True
    return False


class _Known:
    """The names that mean something, without the prefix of the application."""

    def __init__(self, engine: Engine) -> None:
        cut = len(engine.names.prefix) + 1
        self._schema = engine.schema
        self._options: dict[str, tuple[str, tuple[str, str]]] = {}  # without separators -> variable and option
        self._keys: dict[str, tuple[str, tuple[str, str]]] = {}
        self._sections: dict[str, tuple[str, tuple[str, str]]] = {}
        self._variables: set[str] = set()
        for option in dict.fromkeys([*((o.section, o.name) for o in engine.schema), *engine.entries_in_files()]):
            variables = [name[cut:] for name in engine.variables(*option)]
            self._variables.update(variables)
            for variable in variables:
                self._options.setdefault(_plain(variable), (variable, option))
            declared = engine.schema.option(*option)
            if declared is None or not declared.own:
                self._keys.setdefault(_plain(option[1]), (variables[0], option))
                self._sections.setdefault(_plain(option[0]), (variables[0], option))
        self._secrets = {engine.names.secret(name)[cut:] for name in engine.referred_secrets()}

    def meant(self, rest: str) -> tuple[str, tuple[str, str] | None]:
        """What a variable means or was probably intended to mean, with its option; empty if unknown."""
        if rest in _OWN or rest in self._secrets:
            return rest, None
        if rest in self._variables or _plain(rest) in self._options:
            return self._options[_plain(rest)] if rest not in self._variables else (rest, None)
        if rest.startswith("_"):
            return self._kind_of_option(rest) or self._key(rest)
        return self._kind(rest) or self._own(rest) or self._key(rest) if rest.count("__") < 2 else ("", None)

    def _kind(self, rest: str) -> tuple[str, None] | None:
        """`CONN_X`, or a common misspelling of it; `CONN__TEAM___X` is Airflow's name for a team's."""
        for word, others in _KINDS.items():
            for written in (word, *others):
                name = rest[len(written) + 1 :]
                if rest.startswith(f"{written}_") and name.strip("_"):
                    return f"{word}_{name if '___' in name else name.lstrip('_')}", None
        return None

    def _kind_of_option(self, rest: str) -> tuple[str, None] | None:
        """`__CONN__X`: a connection that is written like an option, unless there is such a section."""
        section, double, name = rest.lstrip("_").partition("__")
        return (
            None if double and section.lower() in self._schema.sections else self._kind(f"{section}_{name}".strip("_"))
        )

    def _own(self, rest: str) -> tuple[str, None] | None:
        from difflib import get_close_matches

        for word, others in _OWN.items():
            if rest in others:
                return word, None
        near = [word for word in get_close_matches(rest, _OWN, 1, _ALIKE_OWN) if abs(len(word) - len(rest)) < 3]
        return (near[0], None) if near else None

    def _key(self, rest: str) -> tuple[str, tuple[str, str] | None]:
        """An option that goes by this key or a similar name; an option of its own is not taken for another."""
        from difflib import get_close_matches

        if rest.startswith("_") and "__" in rest[1:]:
            return "", None
        if found := self._keys.get(_plain(rest)):
            return found
        if rest.startswith("_") and (found := self._sections.get(_plain(rest))):
            return found  # a whole section, as pydantic-settings takes it in JSON: each option has its own variable
        near = get_close_matches(_plain(rest), self._options, 1, _ALIKE)
        return self._options[near[0]] if near else ("", None)


def _plain(name: str) -> str:
    return name.replace("_", "").replace(".", "").upper()
