"""Writes a schema as a schema file in TOML."""

from __future__ import annotations

from framework.layers.writers import comment, toml_key, toml_value
from framework.schema_export import MADE_BY
from framework.schema_export.declared import option_fields, section_fields, sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from framework.names import Names
    from framework.options.schema import Schema


def write(schema: Schema, names: Names) -> str:
    lines = [f"# The schema of {names.app}.", f"# {MADE_BY} toml"]
    for section, options in sections(schema).items():
        if fields := section_fields(schema, section):
            lines += ["", f"[{toml_key(section)}]", *_fields(fields)]
        for option in options:
            header = f"[{toml_key(section)}.options.{toml_key(option.name)}]"
            fields = option_fields(option)
            lines += ["", header, *_fields(fields)]
            if "default" not in fields and option.default is not None:
                lines.append(f"{comment(f'default = {option.default}')} (it would be expanded here)")
    return "\n".join(lines) + "\n"


def _fields(fields: Mapping[str, object]) -> Iterator[str]:
    for name, value in fields.items():
        text = toml_value(list(value) if isinstance(value, tuple) else value)
        yield f"{name} = {text}" if text is not None else f"# {name} cannot be written in TOML"
