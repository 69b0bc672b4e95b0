"""Writes a schema as an example of a `.env` file, in which every line is a comment."""

from __future__ import annotations

from framework.convert import to_text
from framework.layers.writers import comment, env_line
from framework.schema_export import MADE_BY
from framework.schema_export.declared import is_expanded, sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.names import Names
    from framework.options.declaration import Option
    from framework.options.schema import Schema


def write(schema: Schema, names: Names) -> str:
    lines = [
        f"# Variables of {names.app}. Copy it to .env, and remove the # in front of what you set.",
        f"# {MADE_BY} env-example",
    ]
    for section, options in sections(schema).items():
        text = " ".join(schema.description(section).split())
        lines += ["", comment(f"--- [{section}] {text}")]
        for option in options:
            lines += ["", *_option(option, names)]
    return "\n".join(lines) + "\n"


def _option(option: Option, names: Names) -> Iterator[str]:
    if option.description:
        yield from (comment(line) for line in option.description.split("\n"))
    facts = [option.type]
    if isinstance(option.required, tuple):
        facts.append(f"required in {', '.join(option.required)}")
    elif option.required:
        facts.append("required")
    if option.choices:
        facts.append(f"one of {', '.join(option.choices)}")
    facts += [f"{name.replace('_', ' ')} {to_text(limit)}" for name, limit in option.constraints.items()]
    facts += ["deprecated"] if option.retired else []
    facts += [f"default {option.default}"] if is_expanded(option) and not option.sensitive else []
    yield comment(f"({'; '.join(facts)})")
    name = names.option(option.section, option.name)
    value = option.default if option.default is not None and not is_expanded(option) else option.example
    text = "" if value is None else to_text(value)
    if option.sensitive:
        yield f"# {name}="
        yield comment(f"or where it is: {names.option(option.section, option.name, 'secret')}=NAME, …_CMD, …_FILE")
    else:
        line = env_line(name, text) if text and text.isprintable() else None
        yield f"# {line or f'{name}='}"
