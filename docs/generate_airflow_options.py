"""Writes framework/schemas/airflow.py from an installed Airflow and from the wheels of older releases.

    pip install apache-airflow==3.3.2                         # into a virtual environment
    pip install --no-deps --target providers apache-airflow-providers-celery …  # every provider that declares options
    pip download --no-deps -d wheels apache-airflow==2.11.0   # and every older release whose homes are to be known
    <its python> docs/generate_airflow_options.py --providers providers --older wheels

Names, types, defaults, flags and versions are taken; no text of Airflow's documentation is.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
import zipfile
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from framework.schemas.facts import merged  # noqa: E402
from framework.schemas.installed import distributions, fallback_defaults, provider_sections  # noqa: E402

MODULE = ROOT / "framework" / "schemas" / "airflow.py"
ENTRY_POINTS, FALLBACK = "apache_airflow_provider", "provider_config_fallback_defaults.cfg"

#: What Airflow does to a value in a function, and not by its table of outdated values.
_POSTGRES = {"pattern": r"^postgres(\+psycopg2)?://", "replacement": "postgresql://", "since": "3.0"}

#: What Airflow's code reads as whole sections, whatever is in them; the last five up to 1.10.
_OPEN = (
    *("celery_broker_transport_options", "celery_result_backend_transport_options"),
    *("elasticsearch_configs", "opensearch_configs"),
    *("kubernetes_environment_variables", "kubernetes_secrets", "kubernetes_labels"),
    *("kubernetes_annotations", "kubernetes_node_selectors"),
)

_HEAD = '''\
"""The options of Apache Airflow {release} and its providers: facts for `framework.schemas.facts`.

Made by docs/generate_airflow_options.py: do not edit. One option a line: name|type|flags|added|deprecated|default,
without the last field if there is no default. A section is split when it is first asked for.
"""

# fmt: off
# ruff: noqa: E501

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME, RELEASE = 'Airflow', {release!r}
#: Who declares the core sections: if this release is installed beside us, its file says what stands here.
CORE = {core!r}
#: How the distributions of older releases begin: what is outdated today is not yet so beside one of them.
OLDER_CORES = ('apache_airflow-1.', 'apache_airflow-2.')
#: Where the options of other packages are found, and the defaults that hold where no package declares them.
ENTRY_POINTS = {group!r}
FALLBACK = {fallback!r}
#: Sections that are read whole, so that they may hold options that nobody declares.
OPEN = {opened!r}
'''

Options = dict[str, dict[str, dict[str, Any]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--providers", required=True, help="the folder in which the providers are installed")
    parser.add_argument("--older", required=True, help="the folder with wheels of older releases")
    args = parser.parse_args()

    os.environ["_AIRFLOW__AS_LIBRARY"] = "1"
    import airflow
    from airflow.configuration import AirflowConfigParser, retrieve_configuration_description

    templates = Path(sys.modules["airflow.configuration"].__file__ or "").parent / "config_templates"
    core = {
        section: content["options"]
        for section, content in retrieve_configuration_description(include_providers=False).items()
    }
    fallback = fallback_defaults(str(templates / FALLBACK))
    owned: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
        section: (f"apache_airflow_core-{airflow.__version__}", options) for section, options in core.items()
    }
    for distribution in distributions([args.providers]):
        declared, unread = provider_sections([distribution], ENTRY_POINTS)
        assert not unread, unread
        for section, content in declared.items():
            assert section not in owned, f"[{section}] is declared twice"
            owned[section] = (os.path.basename(distribution).removesuffix(".dist-info"), content["options"])
    for section, defaults in fallback.items():
        owner, options = owned.get(section, ("", {}))
        owned[section] = (owner, merged(options, defaults))
    now = {section: options for section, (_, options) in owned.items()}
    lines = [
        _HEAD.format(
            release=airflow.__version__, core=owned["core"][0], group=ENTRY_POINTS, fallback=FALLBACK, opened=_OPEN
        )
    ]
    lines += [
        "#: Section -> (the distribution that declares it, empty where only a default is known; its options).",
        "SECTIONS: dict[str, tuple[str, str]] = {",
    ]
    for section, (owner, options) in owned.items():
        lines += [f"    {section!r}: ({owner!r},"]
        lines += [f"        {line(name, declaration)!r}" for name, declaration in options.items()]
        lines += ["    ),"]
    lines += [
        "}",
        "",
        "#: What Airflow keeps in code: older names that it still reads, choices, outdated values.",
        "SUPPLEMENT: dict[str, dict[str, Any]] = {",
    ]
    for section, more in supplement(AirflowConfigParser, now).items():
        lines += [f"    {section!r}: {{'options': {{"]
        lines += [f"        {name!r}: {declaration!r}," for name, declaration in more.items()]
        lines += ["    }},"]
    lines += [
        "}",
        "",
        "#: Options of older releases that this one has no more: name|flags|the last release that had it.",
        "OLDER: dict[str, str] = {",
    ]
    for section, old in older(sorted(Path(args.older).glob("*.whl"), key=release_of), now).items():
        lines += [f"    {section!r}:"]
        lines += [f"        {f'{name}|{flags}|{last};'!r}" for name, (flags, last) in old.items()]
        lines[-1] += ","
    lines += ["}", ""]
    MODULE.write_text("\n".join(lines), encoding="utf-8")


def line(name: str, declaration: dict[str, Any]) -> str:
    """One option as a line of the table."""
    deprecated = str(declaration.get("version_deprecated") or ("yes" if declaration.get("deprecation_reason") else ""))
    flags = "s" if declaration.get("sensitive") else ""
    fields = [
        name.lower(),
        declaration.get("type") or "string",
        flags,
        str(declaration.get("version_added") or ""),
        deprecated,
    ]
    if declaration.get("default") is not None:
        fields.append(str(declaration["default"]).replace("\n", "\v"))
    return "|".join(fields) + "\n"


def supplement(parser: Any, now: Options) -> Options:
    """Renamed options, choices and outdated values, as Airflow's own parser has them."""
    result: Options = {}

    def declaration(section: str, name: str) -> dict[str, Any]:
        return result.setdefault(section, {}).setdefault(name, {})

    for (section, name), (old_section, old_name, since) in parser.deprecated_options.items():
        renamed = declaration(section, name).setdefault("renamed_from", [])
        renamed.append({"section": old_section, "key": old_name, "since": since})
    for (section, name), choices in parser.enums_options.items():
        declaration(section, name)["choices"] = [getattr(choice, "value", choice) for choice in choices]
    for section, names in parser.deprecated_values.items():
        for name, (pattern, replacement) in names.items():
            if "XX" in replacement:  # Airflow puts its default there when it starts
                replacement = now[section][name]["default"].replace("%%", "%")
            outdated = {"pattern": pattern.pattern, "replacement": replacement.replace("\\", r"\\"), "since": "3.0"}
            declaration(section, name)["deprecated_values"] = [outdated]
    declaration("database", "sql_alchemy_conn")["deprecated_values"] = [_POSTGRES]
    return result


# Older releases


def release_of(wheel: Path) -> tuple[int, ...]:
    return tuple(map(int, wheel.name.split("-")[1].split(".")))


def older(wheels: list[Path], now: Options) -> dict[str, dict[str, tuple[str, str]]]:
    """Section -> name -> (flags, the last release that had it), of what is no option today."""
    result: dict[str, dict[str, tuple[str, str]]] = {}
    for wheel in wheels:
        declared, sensitive = declared_by(wheel)
        for section, name in sorted(declared | sensitive):
            if name in now.get(section, {}) and (
                (section, name) not in sensitive or now[section][name].get("sensitive")
            ):
                continue
            was = result.get(section, {}).get(name, ("", ""))[0]
            flags = "s" if was or (section, name) in sensitive or name.endswith(("password", "default_secret")) else ""
            result.setdefault(section, {})[name] = flags, ".".join(map(str, release_of(wheel)))
    return dict(sorted(result.items()))


def declared_by(wheel: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The options that a release declares or reads by an older name, and those of them that are sensitive."""
    import yaml

    declared, sensitive = set[tuple[str, str]](), set[tuple[str, str]]()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for path in (
            name for name in names if re.fullmatch(r"airflow/config_templates/(config\.yml|.*defaults?.*\.cfg)", name)
        ):
            text = archive.read(path).decode("utf-8")
            if path.endswith(".cfg"):
                if path.endswith(("default_test.cfg", "unit_tests.cfg")):
                    continue
                cfg = RawConfigParser(strict=False)
                cfg.read_string(text)
                declared |= {(section, name) for section in cfg.sections() for name in cfg[section]}
                continue
            for section, options in sections_of(yaml.safe_load(text)):
                for name, declaration in options:
                    declared.add((section, name))
                    if declaration.get("sensitive"):
                        sensitive.add((section, name))
        for path in ("airflow/configuration.py", "airflow/_shared/configuration/parser.py"):
            if path in names:
                kept, renamed = kept_in_code(archive.read(path).decode("utf-8"))
                sensitive |= kept
                declared |= renamed
    return declared, sensitive


def sections_of(declaration: Any) -> Any:
    """Sections with their options, as a mapping (since 2.6) or as a list of named ones."""
    named = (
        declaration.items()
        if isinstance(declaration, dict)
        else ((section["name"], section) for section in declaration)
    )
    for section, content in named:
        options = content.get("options") or {}
        pairs = options.items() if isinstance(options, dict) else ((option["name"], option) for option in options)
        yield section.lower(), [(name.lower(), option) for name, option in pairs]


def kept_in_code(text: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Sensitive options and older names that are in a release's Python."""
    sensitive, renamed = set[tuple[str, str]](), set[tuple[str, str]]()
    for node in ast.walk(ast.parse(text)):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        name = targets[0].id if targets and isinstance(targets[0], ast.Name) else ""
        if name not in ("sensitive_config_values", "deprecated_options"):
            continue
        try:
            value = ast.literal_eval(node.value)  # type: ignore[attr-defined]
        except (ValueError, TypeError):
            continue
        if name == "sensitive_config_values":
            sensitive |= {(section, key) for section, key in value}
        else:
            for new, old in value.items():
                if isinstance(new, tuple):
                    renamed.add((old[0], old[1]))
                else:  # 1.10: section -> new name -> old name
                    renamed |= {(new, key) for key in old.values()}
    return sensitive, renamed


if __name__ == "__main__":
    main()
