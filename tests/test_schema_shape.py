"""A schema is checked before it is used; each mistake is reported with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import World
from hypothesis import given, settings
from hypothesis import strategies as st

from framework import App
from framework.errors import InvalidArgument, SchemaError
from framework.options.schema import Schema, load
from framework.options.shape import OPTION, SECTION


def message_of(text: str, tmp_path: Path, name: str = "s.yaml") -> str:
    """The error message about a schema file."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SchemaError) as caught:
        load(str(path))
    return str(caught.value).replace(f"{tmp_path}/", "")


def of_option(text: str) -> str:
    return f"server:\n  options:\n    port: {text}\n"


#: Fields of an option on line 3, and the error message about them.
OF_OPTIONS = {
    "{sensitve: true}": "unknown field 'sensitve'. Did you mean sensitive?",
    "{defalt: 5}": "unknown field 'defalt'. Did you mean default?",
    "{requird: true}": "unknown field 'requird'. Did you mean required?",
    "{minLength: 5}": "unknown field 'minLength'. Did you mean min_length?",
    "{enum: [a]}": "unknown field 'enum'. Did you mean choices?",
    "{colour: red}": "unknown field 'colour'. Use one of type, default, required, ",
    "{5: red}": "the field 5 is not text",
    "{type: integr}": "unknown type 'integr'. Did you mean integer? Use one of string, integer, ",
    "{type: int}": "unknown type 'int'. Did you mean integer?",
    "{type: [integer]}": "type must be one of the types",
    "{type: 5}": "type must be one of the types",
    "{description: 5}": "description must be text. Write it in quotes.",
    "{deprecation_reason: [a]}": "deprecation_reason must be text",
    "{version_added: {}}": "version_added must be a version",
    "{sensitive: 'yes'}": "sensitive must be true or false",
    "{deprecated: 1}": "deprecated must be true or false",
    "{required: 'yes'}": "required must be true, false or a list of environments",
    "{required: []}": "required must be true, false or a list of environments",
    "{required: [1]}": "required must be true, false or a list of environments",
    "{required: true, default: x}": "an option that is always required has no use for a default",
    "{choices: red}": "choices must be a list of one or more values",
    "{choices: []}": "choices must be a list of one or more values",
    "{choices: [[a]]}": "choices must be a list of one or more values",
    "{choices: {a: 1}}": "choices must be a list of one or more values",
    "{type: integer, choices: [1, two]}": "the choice 'two' does not fit: expected a whole number",
    "{choices: [a, b], default: c}": "the default does not fit: expected one of 'a', 'b'",
    "{type: integer, default: ten}": "the default does not fit: expected a whole number",
    "{type: boolean, default: 'yes'}": "the default does not fit: expected a boolean",
    "{type: integer, minimum: 5, default: 4}": "the default does not fit: expected at least 5",
    "{type: json, default: '{'}": None,  # a brace may be a placeholder
    "{type: json, default: '[1'}": "the default does not fit: expected JSON",
    "{default: [a]}": "the default does not fit: expected text. Use type: list or json.",
    "{default: !!binary aGk=}": "default must be text, a number",
    "{example: !!binary aGk=}": "example must be text, a number",
    "{renamed_from: old}": "renamed_from must be a list of tables",
    "{renamed_from: 5}": "renamed_from must be a list of tables",
    "{renamed_from: {key: x}}": "renamed_from must be a list of tables",
    "{renamed_from: [x]}": "renamed_from must be a list of tables",
    "{renamed_from: [null]}": "renamed_from must be a list of tables",
    "{renamed_from: [{}]}": "an entry of renamed_from names neither section nor key",
    "{renamed_from: [{since: '2'}]}": "an entry of renamed_from names neither section nor key",
    "{renamed_from: [{key: 5}]}": "key must be a name",
    "{renamed_from: [{key: ' '}]}": "key must be a name",
    "{renamed_from: [{key: x, sinse: '2'}]}": "unknown field 'sinse'. Did you mean since?",
    "{renamed_from: [{key: x, since: [2]}]}": "since must be a version",
    "{renamed_from: [{key: port}]}": "the renames lead back to the name itself",
    "{deprecated_values: 5}": "deprecated_values must be a list of tables",
    "{deprecated_values: [{pattern: '('}]}": "an entry of deprecated_values lacks replacement",
    "{deprecated_values: [{replacement: a}]}": "an entry of deprecated_values lacks pattern",
    "{deprecated_values: [{pattern: '(', replacement: a}]}": "pattern: expected a regular expression: missing )",
    "{deprecated_values: [{pattern: a, replacement: '\\2'}]}": "deprecated_values: the replacement names a group",
    "{deprecated_values: [{pattern: 5, replacement: a}]}": "pattern must be text",
    "{pattern: '('}": "pattern: expected a regular expression: missing )",
    "{pattern: '*'}": "pattern: expected a regular expression: nothing to repeat at character 1",
    "{pattern: '(a+)+$'}": "pattern: a repetition of a repetition",
    "{pattern: 5}": "pattern must be text",
    "{type: integer, pattern: a}": "pattern does not apply to the type integer, only to string, path, url",
    "{type: integer, min_length: 5}": "min_length does not apply to the type integer, only to string, list, array, ",
    "{type: boolean, max_length: 5}": "max_length does not apply to the type boolean",
    "{min_length: 1.5}": "min_length must be a whole number, 0 or more",
    "{max_length: -1}": "max_length must be a whole number, 0 or more",
    "{min_length: true}": "min_length must be a whole number, 0 or more",
    "{min_length: 5, max_length: 4}": "no value is within min_length and max_length",
    "{minimum: 5}": "minimum does not apply to the type string, only to integer, float, ",
    "{type: list, maximum: 5}": "maximum does not apply to the type list",
    "{type: integer, minimum: true}": "minimum must be a number",
    "{type: integer, minimum: [1]}": "minimum must be a number",
    "{type: integer, minimum: one}": "minimum: expected a whole number",
    "{type: duration, minimum: 1x}": "minimum: expected a duration",
    "{type: float, maximum: .nan}": "maximum: expected a number",
    "{type: integer, minimum: 5, maximum: 4}": "no value is within minimum and maximum",
    "{type: float, exclusive_minimum: 5, maximum: 5}": "no value is within exclusive_minimum and maximum",
    "{type: integer, items: string}": "items does not apply to the type integer, only to list and array",
    "{type: list, items: strin}": "unknown type 'strin'. Did you mean string?",
    "{type: list, items: list}": "the items of a list cannot be lists",
    "{type: integer, unique_items: true}": "unique_items does not apply to the type integer, only to list, array",
    "{type: list, unique_items: 1}": "unique_items must be true or false",
    "{type: list, unique_items: true, default: 'a, a'}": "the default does not fit: expected a list without duplicates",
    "{type: list, items: integer, default: '1, b'}": "the default does not fit: item 2: expected a whole number",
    "integer": "must be a table of fields. For example {type: integer, default: 8000}.",
    "5": "must be a table of fields",
    "[type]": "must be a table of fields",
}


@pytest.mark.parametrize(("fields", "expected"), OF_OPTIONS.items(), ids=list(OF_OPTIONS))
def test_what_a_schema_may_declare_of_an_option(fields: str, expected: str | None, tmp_path: Path) -> None:
    if expected is None:
        assert list(Schema(yaml.safe_load(of_option(fields))))
        return
    message = message_of(of_option(fields), tmp_path)
    assert message.startswith(f"s.yaml:3: [server] port: {expected}"), message


#: A whole schema, and the error message about it.
OF_SCHEMAS = {
    "server: 5\n": "s.yaml:1: [server]: must be a table.",
    "server: [options]\n": "s.yaml:1: [server]: must be a table.",
    "server:\n  description: 5\n": "s.yaml:2: [server]: description must be text.",
    "server:\n  options: [port]\n": "s.yaml:2: [server]: options must be a table of options.",
    "server:\n  option: {port: {}}\n": "s.yaml:2: [server]: unknown field 'option'. Did you mean options?",
    "server:\n  port: {type: integer}\n": "s.yaml:2: [server]: unknown field 'port'. Options go under options: "
    "[server.options.port].",
    "db:\n  pool:\n    options: {}\n": "s.yaml:2: [db]: unknown field 'pool'. A section with a dot in its name is "
    'written in quotes: ["db.pool"].',
    "server: {renamed: {x: 1}}\n": "s.yaml:1: [server]: an entry of renamed lacks previous_name.",
    "server: {renamed: 5}\n": "s.yaml:1: [server]: renamed must be a table.",
    "server: {renamed: {previous_name: 5}}\n": "s.yaml:1: [server]: previous_name must be a name.",
    "server:\n  renamed_from: [{key: x}]\n": "s.yaml:2: [server]: an entry of renamed_from lacks section.",
    "server:\n  renamed_from: [{section: server}]\n": "s.yaml:2: [server]: the renames lead back to the name itself.",
    "a: {renamed_from: [{section: b}]}\nb: {renamed_from: [{section: a}]}\n": "s.yaml:1: [a]: the renames lead back to "
    "the name itself.",
    "a:\n  options:\n    b: {renamed_from: [{key: c}]}\n    c: {renamed_from: [{key: d}]}\n"
    "    d: {renamed_from: [{key: b}]}\n": "s.yaml:3: [a] b: the renames lead back to the name itself.",
    "5: {}\n": "s.yaml:1: [5]: the name 5 is not text. Write it in quotes.",
    "a:\n  options:\n    5: {}\n": "s.yaml:3: [a] 5: the name 5 is not text.",
    "a:\n  options:\n    p__q: {}\n": "s.yaml:3: [a] p__q: a name cannot hold '__'",
    "a__b: {}\n": "s.yaml:1: [a__b]: a name cannot hold '__'",
    "a:\n  options:\n    p q: {}\n": "s.yaml:3: [a] p q: the name of an option can hold letters, digits and - _ "
    "only: 'p q'",
    'a:\n  options:\n    "": {}\n': "s.yaml:3: [a]: the name of an option can hold",
    'a:\n  options:\n    "p\\nq": {}\n': "s.yaml:3: [a] p\\nq: the name of an option can hold",
    "a:\n  options:\n    p.q: {}\n": "s.yaml:3: [a] p.q: the name of an option can hold letters, digits and - _ only: "
    "'p.q'. Dots are for sections: [a.p] q.",
    "a..b: {}\n": "s.yaml:1: [a..b]: the name of a section can hold",
    "'a]b': {}\n": "s.yaml:1: [a]b]: the name of a section can hold",
    "a:\n  options:\n    port: {}\n    Port: {}\n": "s.yaml:4: [a] Port: declared twice, first as [a] port",
    "a: {}\nA: {}\n": "s.yaml:2: [A]: declared twice, first as [a]",
    "a.b: {options: {c: {}}}\na_b: {options: {c: {}}}\n": "s.yaml:2: [a_b] c: declared twice, first as [a.b] c",
    "- a\n": "s.yaml:1: the file holds a list, and no sections",
}


@pytest.mark.parametrize(("text", "expected"), OF_SCHEMAS.items())
def test_what_a_schema_says(text: str, expected: str, tmp_path: Path) -> None:
    assert message_of(text, tmp_path).startswith(expected)


def test_toml_and_json_name_the_place_as_well(tmp_path: Path) -> None:
    toml = '[server]\ndescription = "x"\n\n[server.options.port]\ntype = "integer"\nsensitve = true\n'
    assert message_of(toml, tmp_path, "s.toml").startswith("s.toml:6: [server] port: unknown field 'sensitve'.")
    assert message_of('[db.pool]\ntype = "integer"\n', tmp_path, "s.toml").startswith(
        "s.toml:1: [db]: unknown field 'pool'. Options go under options: [db.options.pool]."
    )
    schema = {"server": {"options": {"port": {"defalt": 5}}}}
    assert message_of(json.dumps(schema), tmp_path, "s.json").startswith(
        "s.json#/server/options/port/defalt: [server] port: unknown field 'defalt'."
    )


def test_a_mapping_is_held_against_the_same() -> None:
    with pytest.raises(SchemaError, match=r"schema: \[a\] b: unknown field 'defalt'\. Did you mean default\?"):
        App("billing", schema={"a": {"options": {"b": {"defalt": 1}}}})
    for field in ("default", "minimum", "choices", "version_added", "example"):
        huge = 10**5000 if field != "choices" else [10**5000]
        with pytest.raises(SchemaError, match=rf"\[a\] b: {field} must be"):
            App("billing", schema={"a": {"options": {"b": {"type": "integer", field: huge}}}})
    for wrong in (5, b"x", ["a"]):
        with pytest.raises(InvalidArgument, match="schema: expected a path, a mapping of sections or a class"):
            App("billing", schema=wrong)  # type: ignore[arg-type]


def test_every_other_mistake_is_counted_with_its_place(tmp_path: Path) -> None:
    text = "a:\n  options:\n    b: {typ: x}\n    c: {descripton: x}\n    d: 5\n"
    assert message_of(text, tmp_path).endswith("2 more: s.yaml:4, s.yaml:5.")


def test_what_is_empty_or_left_to_others_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "x-common: &c {type: integer}\n.more: 5\nserver:\nmail: {options: }\n"
        "web:\n  x-owner: me\n  options:\n    port: {<<: *c, x-note: [1], default: ~, choices: ~}\n    host:\n"
    )
    schema = load(path)
    assert schema.sections[:3] == ["server", "mail", "web"]
    assert [(o.name, o.type) for o in schema if o.section == "web"] == [("port", "integer"), ("host", "string")]


def test_the_schema_of_airflow_has_no_unknown_field(airflow_schemas: list[Any]) -> None:
    for section in airflow_schemas:
        assert set(section) <= set(SECTION), section
        for option in (section.get("options") or {}).values():
            assert set(option) <= set(OPTION), option


@pytest.fixture
def airflow_schemas() -> list[Any]:
    import os
    import subprocess

    python = os.environ.get("FRAMEWORK_AIRFLOW_PYTHON")
    if not python:
        pytest.skip("FRAMEWORK_AIRFLOW_PYTHON names no Python with Airflow")
    code = "import importlib.util as u, os; print(os.path.dirname(u.find_spec('airflow').origin))"
    folder = Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    core = yaml.safe_load((folder / "config_templates" / "config.yml").read_text())
    providers: dict[str, Any] = {}
    for file in folder.glob("providers/**/get_provider_info.py"):
        space: dict[str, Any] = {}
        exec(file.read_text(), space)
        providers.update(space["get_provider_info"]().get("config") or {})
    assert len(core) > 20
    Schema(core), Schema(providers)
    return [*core.values(), *providers.values()]


def test_a_command_shows_the_mistake_and_no_traceback(world: World) -> None:
    world.write("schema.yaml", "server:\n  options:\n    token: {sensitve: true}\n")
    world.project(schema="schema.yaml")
    for command in (("check",), ("dump",), ("config", "get-value", "server", "token")):
        status, out, err = world.run(*command)
        assert status and not out
        assert "schema.yaml:3: [server] token: unknown field 'sensitve'. Did you mean sensitive?" in err


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=2) | st.dates()
)
FIELDS = st.sampled_from([*OPTION, *SECTION, "section", "key", "replacement", "previous_name", "x-y", "zzz"])
ANYTHING = st.recursive(
    PLAIN | st.sampled_from(["integer", "list", "json", "duration", "(", "(a|", "\\1", "30s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | PLAIN, inner, max_size=4),
    max_leaves=12,
)
FEW = st.sampled_from(["a", "b", "a.b"])
NEARLY = st.dictionaries(
    FEW, st.fixed_dictionaries({"options": st.dictionaries(FEW, st.dictionaries(FIELDS, ANYTHING))})
)


@settings(max_examples=300, deadline=None)
@given(written=ANYTHING | NEARLY | st.dictionaries(FEW, ANYTHING))
def test_any_schema_is_read_or_refused(written: Any) -> None:
    if written is None:
        return
    try:
        schema = Schema(written)
    except SchemaError:
        return
    for option in schema:
        assert option.limits is not None
        assert schema.old_names(option.section, option.name) is not None
