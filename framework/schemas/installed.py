"""The options that installed packages declare, read from their files without importing them."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypedDict

    from framework.parsing import Table

    class Section(TypedDict, total=False):
        """A section as in a schema."""

        description: str
        options: dict[str, dict[str, Any]]

    Sections = dict[str, Section]


def distributions(folders: Iterable[str]) -> list[str]:
    """The `.dist-info` folders in these folders, by name."""
    found: list[str] = []
    for folder in folders:
        try:
            found += [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".dist-info")]
        except OSError:
            continue
    return sorted(found, key=os.path.basename)


def provider_sections(infos: Iterable[str], group: str) -> tuple[Sections, list[str]]:
    """The sections that distributions declare through an entry point whose function returns one literal.

    Args:
        infos: their `.dist-info` folders; if two declare the same section, the later one counts.
        group: the entry point group.

    Returns:
        The sections, and the distributions that cannot be read this way.
    """
    sections: Sections = {}
    unread: list[str] = []
    for info in infos:
        for target in _entry_points(os.path.join(info, "entry_points.txt"), group):
            try:
                config = _config(os.path.dirname(info), target)
                found = {str(section).lower(): _section(content) for section, content in config.items()}
            except (OSError, ValueError, TypeError, SyntaxError, AttributeError, RecursionError, MemoryError):
                unread.append(info)
            else:
                sections.update(found)
    return sections, unread


def _entry_points(path: str, group: str) -> list[str]:
    """The `package.module:function` of each entry point of a group."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(1 << 20)
    except (OSError, ValueError):
        return []
    start = text.find(f"[{group}]")
    if start < 0:
        return []
    lines = text[start:].split("\n[", 1)[0].splitlines()[1:]
    return [line.partition("=")[2].partition("[")[0].strip() for line in lines if "=" in line]


def _config(site: str, target: str) -> Table:
    """The literal under "config" in the value that the function returns; empty without one."""
    import ast

    module, _, function = target.partition(":")
    path = os.path.join(site, *module.split("."))
    with open(f"{path}.py" if os.path.isfile(f"{path}.py") else os.path.join(path, "__init__.py"), "rb") as file:
        tree = ast.parse(file.read(1 << 22))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            returned = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return)]
            if len(returned) != 1 or not isinstance(returned[0], ast.Dict):
                break
            for name, value in zip(returned[0].keys, returned[0].values, strict=True):
                if isinstance(name, ast.Constant) and name.value == "config":
                    return dict(ast.literal_eval(value))
            return {}
    raise ValueError("no function that returns one literal")


def _section(content: Table) -> Section:
    options = {str(key).lower(): dict(fields or {}) for key, fields in (content.get("options") or {}).items()}
    return {"description": content.get("description") or "", "options": options}


def fallback_defaults(path: str) -> dict[str, dict[str, dict[str, object]]]:
    """The options of a cfg file of defaults: section -> key -> its default. The name decides whether it is sensitive,
    as in Airflow."""
    from framework.files.text import read_text
    from framework.layers.cfg import parse

    return {
        section.lower(): {
            key.lower(): {"default": text, "sensitive": key.lower().endswith(("password", "secret"))}
            for key, text in options.items()
        }
        for section, options in parse(read_text(path), path)[0].items()
    }
