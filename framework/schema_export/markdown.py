"""Writes a schema as tables in Markdown, for the docs of a project."""

from __future__ import annotations

from framework.convert import to_text
from framework.schema_export import MADE_BY
from framework.schema_export.declared import sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.names import Names
    from framework.options.declaration import Option
    from framework.options.schema import Schema

_HEAD = "| option | type | default | description |\n|---|---|---|---|"


def write(schema: Schema, names: Names) -> str:
    parts = [f"# Options of {names.app}", f"<!-- {MADE_BY} markdown -->"]
    for section, options in sections(schema).items():
        parts.append(f"## {_escaped(f'[{section}]')}")
        if text := schema.description(section):
            parts.append(_escaped(text))
        parts.append("\n".join([_HEAD, *(_row(option, names) for option in options)]))
    return "\n\n".join(parts) + "\n"


def _row(option: Option, names: Names) -> str:
    default = "" if option.default is None or option.sensitive else _code(to_text(option.default))
    text = _cell(" ".join(option.description.split()))
    about = " ".join([f"{text}." if text and text[-1] not in ".!?" else text, *_facts(option)]).strip()
    variable = _code(names.option(option.section, option.name))
    cells = (f"{_code(option.name)}<br>{variable}", _type(option), default, about)
    return f"| {' | '.join(cells)} |"


def _type(option: Option) -> str:
    return f"{option.type} of {option.items}" if option.items else option.type


def _facts(option: Option) -> list[str]:
    """What is known besides, a sentence each."""
    facts: list[str] = []
    if option.required is True:
        facts.append("Required.")
    elif option.required:
        facts.append(f"Required in {', '.join(option.required)}.")
    if option.sensitive:
        facts.append("Sensitive.")
    if option.choices:
        facts.append(f"One of {', '.join(map(_code, option.choices))}.")
    facts += [f"{name.replace('_', ' ').capitalize()}: {_code(to_text(limit))}." for name, limit in _limits(option)]
    if option.retired:
        facts.append(f"Deprecated: {_cell(option.deprecation_reason)}." if option.deprecation_reason else "Deprecated.")
    if option.example is not None:
        facts.append(f"Example: {_code(to_text(option.example))}.")
    return facts


def _limits(option: Option) -> list[tuple[str, object]]:
    return [(name, limit) for name, limit in option.constraints.items() if limit is not False]


def _code(text: str) -> str:
    """Text as code in a cell of a table."""
    text = " ".join(text.split()).replace("|", "\\|")
    if not text:
        return ""
    marks = "`" * (max((len(run) for run in _runs(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{marks}{pad}{text}{pad}{marks}"


def _runs(text: str) -> list[str]:
    import re

    return re.findall("`+", text)


def _cell(text: str) -> str:
    """Free text in a cell of a table. Code in it stays as it is."""
    import re

    parts = re.split("(`+[^`]*`+)", text.replace("|", "\\|"))
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def _escaped(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("[", "\\[").replace("<", "&lt;").split())
