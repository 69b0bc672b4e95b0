"""Writes a schema in other formats: for type checkers, editors and documentation."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.names import Names
    from framework.options.schema import Schema

#: Format -> the module that writes it.
FORMATS = ("python", "json-schema", "toml", "markdown", "env-example", "stub")

#: What the first lines of a written file hold, so that `schema check` knows how it was made.
MADE_BY = "Made by: python -m framework schema export --format"


def export(schema: Schema, names: Names, file_format: str) -> str:
    """The schema as the text of a file.

    Args:
        schema: with its descriptions, see `Schema.describe`.
        names: those of the application.
        file_format: one of `FORMATS`.
    """
    module = __import__(f"framework.schema_export.{file_format.replace('-', '_')}", fromlist=("write",))
    return str(module.write(schema, names))


def format_of(text: str) -> str | None:
    """The format of a file that was written by `export`, or None."""
    for line in text.split("\n", 12)[:12]:
        _, found, rest = line.partition(MADE_BY)
        word = rest.split('"')[0].strip(" `>-")
        if found and word in FORMATS:
            return word
    return None
