"""The known options of an application: the packaged ones, and those of installed packages.

The packaged options are a module of texts, one for each section; a section is split when it is first needed. Installed
packages win: the packaged facts of a distribution count if exactly that release is installed, or if the application is
not installed at all.
"""

from __future__ import annotations

import os

from framework.errors import ConfigError
from framework.files.trust import Found
from framework.schemas import PACKAGED, folder_of, schema_in
from framework.schemas.installed import distributions, fallback_defaults, provider_sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from framework.parsing import Table
    from framework.schemas.installed import Sections

    Options = Mapping[str, Table]


class Facts:
    """The options of one application, section by section.

    Args:
        data: its packaged module, see docs/decisions/0025-packaged-facts.md.
        folder: the folder of the installed package of its name, or None.
        is_given: whether a schema was given to the application. Then nothing else is declared: the facts are still
            known, but have no defaults and are not listed.
    """

    def __init__(self, data: ModuleType, folder: str | None, *, is_given: bool = False) -> None:
        self.data, self._folder, self._is_given = data, folder, is_given
        self.origin: str = getattr(data, "__file__", None) or data.__name__  # there may be no file
        self._split: dict[str, dict[str, dict[str, object]]] = {}
        self._others: Sections | None = None
        #: Whether a schema declares the application's own options: a given one, or that of another release.
        self.is_described = is_given or not self._holds(data.CORE)
        #: Whether the installed release is older than the facts, so that it does not know the newest names.
        self.is_older = self.is_described and folder is not None and self._is_older(folder)

    def section(self, section: str) -> Options:
        """The declared options of a section; empty if it is not declared."""
        owner, text = self.data.SECTIONS.get(section, ("", ""))
        if self._is_given or (owner == self.data.CORE and self.is_described):
            return {}
        if text and self._holds(owner):
            return self._packaged(section)
        return self._installed().get(section, {}).get("options", {})

    def sections(self) -> Iterable[str]:
        """Every section that may have options, in order."""
        return () if self._is_given else dict.fromkeys([*self.data.SECTIONS, *self._installed()])

    def known(self, section: str, key: str) -> Mapping[str, object] | None:
        """The facts about an option that is not declared now, without a default; or None."""
        more = None if self.is_older else self.supplement(section).get(key)
        packaged = self._packaged(section).get(key)
        if packaged is not None:
            return {**packaged, **(more or {}), "default": None}
        flags, last = self._older(section, key)
        if not last:
            return more
        reason = f"{self.data.NAME} {self.data.RELEASE} does not read it, {last} is the last release known to do so"
        return {"sensitive": flags == "s", "deprecation_reason": reason, **(more or {})}

    def was_sensitive(self, section: str, key: str) -> bool:
        """Whether the option is sensitive in any release: then it stays hidden, whatever the installed one declares."""
        if self._is_given:
            return False
        packaged = self._packaged(section).get(key)
        return (packaged is not None and bool(packaged["sensitive"])) or self._older(section, key)[0] == "s"

    def _older(self, section: str, key: str) -> tuple[str, str]:
        """The flags of an option of older releases, and the last release that had it; both empty if none had."""
        text = self.data.OLDER.get(section, "")
        at = f";{text}".find(f";{key}|")
        if at < 0:
            return "", ""
        _, flags, last = text[at:].split(";", 1)[0].split("|")
        return flags, last

    def supplement(self, section: str) -> Options:
        """Older names, choices and outdated values, which no schema file states."""
        options: Options = self.data.SUPPLEMENT.get(section, {}).get("options", {})
        if self.is_older:
            names = {key: fields.get("renamed_from") for key, fields in options.items()}
            return {key: {"renamed_from": renamed} for key, renamed in names.items() if renamed is not None}
        return options

    def described(self) -> Mapping[str, Table]:
        """The installed sections with the texts that are not packaged: descriptions and examples."""
        if self._folder is None:
            return {}
        from framework.files.tables import read_table

        core = {} if self.is_described else read_table(schema_in(self._folder))[0]
        return {**self._installed(), **core}

    def _packaged(self, section: str) -> dict[str, dict[str, object]]:
        options = self._split.get(section)
        if options is None:
            text = self.data.SECTIONS.get(section, ("", ""))[1]
            options = self._split[section] = dict(map(_option, text.split("\n")[:-1]))
        return options

    def _holds(self, owner: str) -> bool:
        """Whether the packaged options of a distribution count here."""
        if self._folder is None:
            return True
        site = os.path.dirname(self._folder)
        return bool(owner) and os.path.isdir(os.path.join(site, f"{owner}.dist-info"))

    def _is_older(self, folder: str) -> bool:
        infos = distributions([os.path.dirname(folder)])
        return any(os.path.basename(info).startswith(self.data.OLDER_CORES) for info in infos)

    def _installed(self) -> Sections:
        """The options of other packages that are installed with the application, and its defaults for them."""
        if self._others is None:
            self._others = {} if self._folder is None else self._read(self._folder)
        return self._others

    def _read(self, folder: str) -> Sections:
        sections, unread = provider_sections(distributions([os.path.dirname(folder)]), self.data.ENTRY_POINTS)
        for info in unread:
            _debug(f"the options of {info} are computed, and cannot be read without importing it")
            name = os.path.basename(info).removesuffix(".dist-info").rpartition("-")[0]
            for section, (owner, _) in self.data.SECTIONS.items():
                if name and owner.rpartition("-")[0] == name:
                    sections.setdefault(section, {"options": self._packaged(section)})
        path = os.path.join(os.path.dirname(schema_in(folder)), self.data.FALLBACK)
        for section, defaults in fallback_defaults(path).items() if os.path.exists(path) else ():
            content = sections.setdefault(section, {"options": {}})
            content["options"] = merged(content["options"], defaults)
        return sections


def merged(options: Options, defaults: Options) -> dict[str, dict[str, object]]:
    """Options with defaults from elsewhere, which only fill what is missing."""
    result = {key: dict(fields) for key, fields in options.items()}
    for key, fields in defaults.items():
        option = result.setdefault(key, {})
        if option.get("default") is None:
            option["default"] = fields["default"]
        option.setdefault("sensitive", fields["sensitive"])
    return result


def of(name: str, *, is_given: bool) -> Facts:
    """The packaged facts of an application.

    Args:
        name: the application's name, one of `PACKAGED`.
        is_given: whether a schema was given to it.

    Raises:
        ConfigError: the packaged file is missing.
    """
    from importlib import import_module

    try:
        data = import_module(f"framework.schemas.{name}")
    except ImportError:
        data = None
    if data is None:
        raise _incomplete(f"framework.schemas.{name}")
    folder = None if is_given else folder_of(name)
    if isinstance(folder, Found):  # any user may have installed the packages beside it
        folder = None
    return Facts(data, folder, is_given=is_given)


def table(name: str, what: str) -> tuple[Table, str]:
    """A packaged table of an application, and its file; both empty if there is none.

    Raises:
        ConfigError: the packaged file is missing.
    """
    if what not in PACKAGED.get(name, ()):
        return {}, ""
    from importlib.resources import files

    from framework.files.tables import read_table

    file = f"{name}.{what}.yml"
    try:
        text = files("framework.schemas").joinpath(file).read_text("utf-8")
    except (OSError, ImportError):
        text = ""
    if not text:
        raise _incomplete(f"framework/schemas/{file}")
    return read_table(f"framework/schemas/{file}", text=text)[0], file


def _incomplete(part: str) -> ConfigError:
    what = "a part of framework itself is missing"
    return ConfigError(what, where=part, hint="Install it again; an archive or a frozen application must hold it, too.")


def _option(line: str) -> tuple[str, dict[str, object]]:
    """A line of the packaged table, as an option of a schema."""
    key, type_, flags, added, deprecated, *default = line.split("|", 5)
    return key, {
        "type": type_,
        "sensitive": "s" in flags,
        "version_added": added or None,
        "version_deprecated": deprecated or None,
        "deprecation_reason": f"since {deprecated}" if deprecated else "",
        "default": default[0].replace("\v", "\n") if default else None,
    }


def _debug(message: str) -> None:
    import logging

    logging.getLogger("framework").debug(message)
