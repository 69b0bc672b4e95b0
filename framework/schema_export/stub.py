"""Writes a schema as a protocol with an overload for each option: `conf.value("server", "port")` is then an `int`."""

from __future__ import annotations

from framework.schema_export import MADE_BY
from framework.schema_export.annotations import Annotations, quoted
from framework.schema_export.declared import sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.names import Names
    from framework.options.schema import Schema


def write(schema: Schema, names: Names) -> str:
    annotations = Annotations()
    annotations.used |= {"Literal", "Protocol", "overload"}
    overloads = []
    options = [option for found in sections(schema).values() for option in found]
    for option in options:
        may_be_none = option.default == "" and option.type not in ("string", "list", "array")
        type_ = annotations.plain(option) + (" | None" if may_be_none else "")
        place = f"section: Literal[{quoted(option.section)}], key: Literal[{quoted(option.name)}]"
        overloads.append(f"    @overload\n    def value(self, {place}) -> {type_}: ...")
    if len(overloads) == 1:
        overloads = [overloads[0].removeprefix("    @overload\n")]
        annotations.used.discard("overload")
    imports = [line for line in annotations.imports() if line and not line.startswith("from framework import App")]
    return "\n".join(
        [
            f'"""The options of {names.app}, for type checkers: `options: Options = app.conf`.',
            "",
            f"{MADE_BY} stub",
            '"""',
            "",
            "from __future__ import annotations",
            "",
            *imports,
            "",
            "",
            "class Options(Protocol):",
            f'    """`conf.value` of {names.app}."""',
            "",
            *("\n".join(overloads) if overloads else "    pass").split("\n"),
            "",
        ]
    )
