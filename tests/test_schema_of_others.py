"""Schemas of other tools: JSON Schema, and varlock's `.env.schema`. What maps is read; what does not is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import SchemaError
from framework.options.schema import Schema, load
from framework.schemas.env_spec import from_env_spec

ENV_SCHEMA = """\
# Header
# @defaultSensitive=false @defaultRequired=infer
# @currentEnv=$APP_ENV
# @generateTypes(lang=ts, path=./env.d.ts)
# @import(./.env.shared, pick=[
#   DATABASE_URL,
# ])
# ---

# our environment flag
# @type=enum(dev, staging, prod)
APP_ENV=dev

# API port
# @type=port(min=1024) @example=3000 # a comment with @ignored=x
API_PORT=8080
# @required @sensitive @type=string(startsWith=sk-, minLength=10)
# @docs("Guide", https://x.example/z)
OPENAI_API_KEY=exec('op read "op://api-prod/x"')
# @type=url
API_URL="http://localhost:${API_PORT}"
# @type=array(url, minLength=1, unique=true)
SERVER__ORIGINS=[https://a.example, https://b.example]
# @required=forEnv(prod, staging) @type=string(matches=regex("^a,b [0-9]+$", "i"))
BILLING__SERVER__TOKEN=
# @type=string(matches=/^x[0-9]$/)
SLASHED=x1
# not attached

MULTI="
a
"
COUNT=12
ZEROS=007
FLAG=true
QUOTED="123" # post-value @not
# @type=if(eq($A, b), url, string)
DYNAMIC=x
RECORD={us=100, eu=50}
JSON={"a": 1}
# @type=number(isInt=true, max=10, coerceToMinMaxRange=true) @deprecated="use COUNT"
OLD=
# @type=duration(max="1h")
WAIT=30s
A__B__C=1
BAD
"""


@pytest.fixture
def variables() -> Any:
    return from_env_spec(ENV_SCHEMA, ".env.schema", "BILLING")


def test_variables_with_two_words_are_section_and_key_the_others_are_in_env(variables: Any) -> None:
    assert list(variables) == ["env", "server"]
    assert list(variables["server"]["options"]) == ["origins", "token"]
    assert "app_env" in variables["env"]["options"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("app_env", {"type": "string", "choices": ["dev", "staging", "prod"], "default": "dev", "sensitive": False}),
        ("api_port", {"type": "integer", "minimum": 1024, "maximum": 65535, "default": "8080", "example": 3000}),
        (
            "openai_api_key",
            {"type": "string", "pattern": r"^sk\-", "min_length": 10, "required": True, "sensitive": True},
        ),
        ("api_url", {"type": "url"}),
        ("slashed", {"type": "string", "pattern": "^x[0-9]$", "default": "x1"}),
        ("count", {"type": "integer", "default": "12"}),
        ("zeros", {"type": "string", "default": "007"}),
        ("flag", {"type": "boolean", "default": "true"}),
        ("quoted", {"type": "string", "default": "123"}),
        ("record", {"type": "object", "default": {"us": 100, "eu": 50}}),
        ("json", {"type": "string", "default": '{"a": 1}'}),
        ("old", {"type": "integer", "maximum": 10, "deprecated": True, "deprecation_reason": "use COUNT"}),
        ("wait", {"type": "duration", "maximum": "1h", "default": "30s"}),
        ("multi", {"type": "string", "default": "\na\n"}),
    ],
)
def test_what_maps(variables: Any, key: str, expected: dict[str, Any]) -> None:
    found = variables["env"]["options"][key]
    assert {name: found.get(name) for name in expected} == expected
    assert ("default" in found) == ("default" in expected)


def test_lists_environments_and_descriptions(variables: Any) -> None:
    origins = variables["server"]["options"]["origins"]
    assert origins == {
        "type": "list",
        "items": "url",
        "min_length": 1,
        "unique_items": True,
        "sensitive": False,
        "default": ["https://a.example", "https://b.example"],
    }
    token = variables["server"]["options"]["token"]
    assert token == {
        "type": "string",
        "pattern": "(?i)^a,b [0-9]+$",
        "required": ["prod", "staging"],
        "sensitive": False,
    }
    assert variables["env"]["options"]["app_env"]["description"] == "our environment flag"
    assert variables["env"]["options"]["openai_api_key"]["description"] == "See Guide: https://x.example/z."
    assert "description" not in variables["env"]["options"]["multi"]


def test_what_does_not_map_is_named_with_its_line(variables: Any) -> None:
    lines = ENV_SCHEMA.split("\n")
    named = [(lines[int(place.partition(":")[2]) - 1], what) for place, what in variables.unmapped]
    expected = {
        "# @currentEnv=$APP_ENV": "@currentEnv",
        "# @import(./.env.shared, pick=[": "@import",
        "OPENAI_API_KEY=exec('op read \"op://api-prod/x\"')": "is computed by exec()",
        'API_URL="http://localhost:${API_PORT}"': "is made of other variables",
        "# @type=if(eq($A, b), url, string)": "the type if",
        '# @type=number(isInt=true, max=10, coerceToMinMaxRange=true) @deprecated="use COUNT"': "coerceToMinMaxRange",
        "A__B__C=1": "is neither SECTION__KEY",
        "BAD": "there is no '='",
    }
    assert len(named) == len(expected)
    for line, what in named:
        assert expected[line] in what


def test_everything_is_sensitive_unless_the_file_says_otherwise() -> None:
    def sensitive(text: str) -> dict[str, bool]:
        options = from_env_spec(text, "x")["env"]["options"]
        return {key: option["sensitive"] for key, option in options.items()}

    assert sensitive("A=\n# @public\nB=\n# @sensitive=false\nC=\n") == {"a": True, "b": False, "c": False}
    assert sensitive("# @defaultSensitive=inferFromPrefix(PUBLIC_)\n# ---\nPUBLIC_A=\nB=\n") == {
        "public_a": False,
        "b": True,
    }
    assert sensitive("# @defaultSensitive=false\n# ---\nA=\n# @sensitive={preventLeaks=false}\nB=\n") == {
        "a": False,
        "b": True,
    }


def test_an_application_reads_an_env_schema(world: Any) -> None:
    world.write(".env.schema", ENV_SCHEMA)
    world.project(schema=".env.schema")
    assert world.run("config", "get-value", "env", "api_port") == (0, "8080\n", "")
    world.set(BILLING__ENV__API_PORT="80")
    status, out, _ = world.run("check")
    assert status == 1
    assert "BILLING__ENV__API_PORT: [env] api_port: expected at least 1024, not '80'." in out
    assert "note: .env.schema:5: @import has no counterpart." in out
    status, out, err = world.run("schema", "export", "--format", "toml")
    assert status == 0
    assert "[env.options.api_port]" in out
    assert "note: .env.schema:5: @import has no counterpart" in err


def test_a_default_is_not_expanded(world: Any) -> None:
    world.write(".env.schema", "# @defaultSensitive=false\n# ---\nA='100% of $HOME'\n")
    world.project(schema=".env.schema")
    assert world.run("config", "get-value", "env", "a") == (0, "100% of $HOME\n", "")


def test_a_default_that_does_not_fit_is_left_out_with_a_note(tmp_path: Any) -> None:
    (tmp_path / ".env.schema").write_text(
        "# @type=number(precision=0)\nA=123.45\n# @type=port\nB=70000\n# @type=enum(x, y)\nC=z\n"
        "# @type=string(minLength=9, maxLength=2)\nD=d\nE=1\nE=2\n"
    )
    schema = load(str(tmp_path / ".env.schema"))
    assert [place.rpartition(":")[2] for place, _ in schema.unmapped] == ["1", "10", "4", "6", "8", "8"]
    assert [getattr(schema.option("env", key), "default", "") for key in "abcde"] == ["123.45", None, None, None, "1"]


def test_a_required_property_with_a_default_is_not_required(tmp_path: Any) -> None:
    (tmp_path / "s.yaml").write_text(
        "type: object\nproperties: {a: {required: [k, m], properties: {k: {type: integer, default: 1}, m: {}}}}"
    )
    schema = load(str(tmp_path / "s.yaml"))
    assert [getattr(schema.option("a", key), "required", "") for key in "km"] == [False, True]


def test_what_is_not_closed_costs_one_variable_only() -> None:
    text = 'A=\'x\nB=fn(\n  a\nC=[1,\nD=1\n# @type=string(\nE=2\nF="""\n'
    found = from_env_spec(text, "x")
    assert list(found["env"]["options"]) == ["d", "e"]
    assert [place for place, _ in found.unmapped] == ["x:1", "x:2", "x:3", "x:4", "x:6", "x:8"]


@given(text=st.text(st.sampled_from("AB_=@#'\"`()[]{},$\\\n -/1t"), max_size=80))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    found = from_env_spec(f"# @type={text}\nA={text}\n{text}", "x", "P")
    Schema(found, "x", places=found.places)


@pytest.mark.parametrize("text", ["A=" + "[" * 100_000, "# @type=" + "f(" * 100_000 + "\nA=", "A='" + "x\n" * 100_000])
def test_endless_values_end(text: str) -> None:
    assert from_env_spec(text, "x").unmapped


def test_references_that_multiply_end(tmp_path: Any) -> None:
    import json

    both = {f"n{n}": {"properties": {x: {"$ref": f"#/$defs/n{n + 1}"} for x in "ab"}} for n in range(60)}
    (tmp_path / "schema.json").write_text(json.dumps({"type": "object", "$defs": both, **both["n0"]}))
    assert any("too many sections" in what for _, what in load(str(tmp_path / "schema.json")).unmapped)


# --- JSON Schema

JSON_SCHEMA = """\
$schema: https://json-schema.org/draft/2020-12/schema
type: object
$defs:
  Port: {type: integer, minimum: 1, exclusiveMaximum: 65536, description: A port.}
  Tls:
    type: object
    properties:
      cert: {type: string, format: path}
properties:
  version: {const: 1}
  server:
    type: object
    description: The HTTP service.
    required: [host]
    minProperties: 1
    properties:
      host: {type: string, minLength: 1}
      port: {$ref: "#/$defs/Port", default: 8000}
      level: {enum: [debug, info], default: info, examples: [debug]}
      retries: {anyOf: [{type: integer, multipleOf: 2}, {type: "null"}], default: null}
      origins: {type: array, items: {type: string, format: uri}, minItems: 1, uniqueItems: true}
      token: {type: string, writeOnly: true}
      mail: {type: string, format: email}
      since: {type: string, format: date-time, deprecated: true}
      ratio: {type: number, maximum: 1}
      flag: {type: [boolean, "null"]}
      mixed: {type: [string, integer]}
      peers: {type: array, items: {type: object}}
      words: {type: object, additionalProperties: {type: string}}
      named: {type: string, pattern: "(?<x>a"}
      lost: {$ref: "other.json#/x"}
      percent: {type: string, default: "100%"}
      a.b: {type: string}
      tls: {$ref: "#/$defs/Tls"}
"""


@pytest.fixture
def translated(tmp_path: Any) -> Any:
    (tmp_path / "schema.yaml").write_text(JSON_SCHEMA)
    return load(str(tmp_path / "schema.yaml"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("host", {"type": "string", "required": True, "constraints": {"min_length": 1}}),
        (
            "port",
            {
                "type": "integer",
                "default": 8000,
                "description": "A port.",
                "constraints": {"minimum": 1, "exclusive_maximum": 65536},
            },
        ),
        ("level", {"type": "string", "choices": ["debug", "info"], "default": "info", "example": "debug"}),
        ("retries", {"type": "integer", "constraints": {"multiple_of": 2}, "default": None}),
        ("origins", {"type": "list", "items": "url", "constraints": {"min_length": 1, "unique_items": True}}),
        ("token", {"sensitive": True}),
        ("mail", {"type": "string"}),
        ("since", {"type": "datetime", "deprecated": True}),
        ("ratio", {"type": "float", "constraints": {"maximum": 1}}),
        ("flag", {"type": "boolean"}),
        ("mixed", {"type": "json"}),
        ("peers", {"type": "json"}),
        ("words", {"type": "object"}),
        ("percent", {"default": "100%"}),
    ],
)
def test_what_maps_of_a_json_schema(translated: Any, name: str, expected: dict[str, Any]) -> None:
    option = translated.option("server", name)
    assert {key: getattr(option, key) for key in expected} == expected


def test_objects_in_objects_are_sections(translated: Any) -> None:
    assert translated.option("server.tls", "cert").type == "path"
    assert translated.description("server") == "The HTTP service."
    assert translated.option("server", "tls") is None


def test_what_has_no_counterpart_in_a_json_schema_is_named_with_its_line(translated: Any) -> None:
    lines = JSON_SCHEMA.split("\n")
    found = {
        (lines[int(place.rpartition(":")[2]) - 1].split(":")[0].strip(), what) for place, what in translated.unmapped
    }
    assert found == {
        ("version", "'version' belongs to no section: put it into the properties of an object"),
        ("minProperties", "[server]: minProperties has no counterpart"),
        ("mail", "[server] mail: the format 'email' is not checked"),
        ("mixed", "[server] mixed has the type string or integer: it is read as JSON or text"),
        ("peers", "[server] peers: the items are tables or lists, which are read and not checked"),
        ("named", "[server] named: pattern has no counterpart for the type string"),
        ("lost", "the $ref 'other.json#/x' leads to no place in this file"),
        ("lost", "[server] lost has no type: it is read as JSON or text"),
        ("a.b", "[server] a.b cannot be the name of an option"),
    }


def test_the_json_schema_of_a_pydantic_model_is_a_schema(tmp_path: Any) -> None:
    import json
    from datetime import timedelta
    from pathlib import Path

    from pydantic import BaseModel, Field, SecretStr

    class Db(BaseModel):
        password: SecretStr
        pool: int = Field(5, ge=1, description="Connections.")

    class Server(BaseModel):
        port: int | None = None
        timeout: timedelta = timedelta(seconds=30)
        root: Path = Path("/srv")

    class Settings(BaseModel):
        server: Server
        db: Db

    (tmp_path / "schema.json").write_text(json.dumps(Settings.model_json_schema()))
    schema = load(str(tmp_path / "schema.json"))
    assert schema.unmapped == []
    assert schema.option("db", "password").sensitive  # type: ignore[union-attr]
    assert schema.option("db", "password").required is True  # type: ignore[union-attr]
    pool = schema.option("db", "pool")
    assert pool is not None
    assert (pool.default, pool.constraints, pool.description) == (5, {"minimum": 1}, "Connections.")
    assert {key: schema.option("server", key).type for key in ("port", "timeout", "root")} == {  # type: ignore[union-attr]
        "port": "integer",
        "timeout": "duration",
        "root": "path",
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "object", "properties": {"a": {"$ref": "#"}}}',
        '{"type": "object", "$defs": {"x": {"$ref": "#/$defs/x"}}, "properties": {"a": {"$ref": "#/$defs/x"}}}',
        '{"type": "object", "$defs": {"x": {"properties": {"y": {"$ref": "#/$defs/x"}}}},'
        ' "properties": {"a": {"$ref": "#/$defs/x"}}}',
        '{"type": "object", "properties": []}',
        '{"type": "object", "properties": {"a": {"type": "object", "properties": {"b": 5}}}}',
    ],
)
def test_references_in_a_circle_and_odd_shapes_end(tmp_path: Any, text: str) -> None:
    (tmp_path / "schema.json").write_text(text)
    load(str(tmp_path / "schema.json"))


def test_a_malformed_file_is_an_error_with_its_line(tmp_path: Any) -> None:
    (tmp_path / "schema.json").write_text('{"type": "object",\n"properties": {}')
    with pytest.raises(SchemaError, match=r"schema.json:2: this is not valid JSON"):
        load(str(tmp_path / "schema.json"))


@pytest.mark.parametrize(
    "option",
    [{"enum": []}, {"anyOf": 1.0}, {"enum": [[1]]}, {"minimum": "x"}, {"pattern": "("}, {"examples": [None]}],
    ids=str,
)
def test_an_odd_word_is_left_out(tmp_path: Any, option: dict[str, Any]) -> None:
    import json

    table = {"type": "object", "properties": {"s": {"properties": {"k": {"type": "integer", **option}}}}}
    (tmp_path / "schema.json").write_text(json.dumps(table))
    found = load(str(tmp_path / "schema.json")).option("s", "k")
    assert found is not None
    assert (found.choices, found.constraints) == (None, {})
