"""`check` reports values that are probably not intended, with their place and how to write them."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import World

SCHEMA = """
[mail.options]
host = {}
password = {sensitive = true}
sender = {}
[server.options.port]
type = "integer"
[server.options.wait]
type = "duration"
[server.options.debug]
type = "boolean"
[server.options.origins]
type = "list"
[server.options.limits]
type = "json"
[server.options.answer]
choices = ["on", "off"]
[server.options.key]
type = "path"
sensitive = true
[server.options.rate]
type = "decimal"
[release.options.ver]
"""

CFG_PLACE, YAML_PLACE = "billing.cfg:2", "more.yaml:2"


def checked(world: World, *, project: dict[str, Any] | None = None, schema: str = SCHEMA, strict: bool = True) -> Any:
    world.write("schema.toml", schema)
    world.project(schema="schema.toml", **(project or {}))
    status, out, err = world.run("check", *(["--strict"] if strict else []))
    assert "Traceback" not in err
    return status, out.splitlines()


def of_cfg(world: World, section: str, line: str) -> Any:
    world.write("billing.cfg", f"[{section}]\n{line}\n")
    return checked(world)


def of_file(world: World, name: str, text: str) -> Any:
    world.write(name, text)
    return checked(world, project={"config_files": [name]})


def of_variable(world: World, **variables: str) -> Any:
    world.set(**variables)
    return checked(world)


COMMENT = "is part of the value: a comment needs a line of its own in a cfg file."
IN_CFG = [
    ("mail", "host = h # web", f"[mail] host: what follows '#' {COMMENT}"),
    ("mail", "host = h ; web", f"[mail] host: what follows ';' {COMMENT}"),
    ("mail", "host = h\t# web", f"[mail] host: what follows '#' {COMMENT}"),
    ("mail", "password = zebracanary # web", f"[mail] password: what follows '#' {COMMENT}"),
    ("server", "origins = a, b # web", f"[server] origins: what follows '#' {COMMENT}"),
    ("mail", 'host = "h"', '[mail] host: the quotes (") are part of the value: write it without them.'),
    (
        "mail",
        "password = 'zebracanary'",
        "[mail] password: the quotes (') are part of the value: write it without them.",
    ),
    ("server", "origins = a, b,", "[server] origins: an extra comma makes an empty item: remove it."),
    ("server", "origins = a,, b", "[server] origins: an extra comma makes an empty item: remove it."),
    (
        "server",
        "origins = ['a', 'b']",
        '[server] origins: the brackets become part of the items, because it is not JSON: write a, b or ["a", "b"].',
    ),
    ("mail", "host = h\u200b", "[mail] host: the value holds an invisible character (U+200B): remove it."),
    ("mail", "host = h\u00a0x", "[mail] host: the value holds an invisible character (U+00A0): remove it."),
]


@pytest.mark.parametrize(("section", "line", "message"), IN_CFG, ids=[line for _, line, _ in IN_CFG])
def test_in_a_cfg_file(world: World, section: str, line: str, message: str) -> None:
    assert of_cfg(world, section, line) == (1, [f"warning: {CFG_PLACE}: {message}"])


BASE = "because it is a number in base 8 or 60 in YAML: write a plain one, or use quotes."
BLANK = "the value begins or ends with white space: remove it, unless you want it."
IN_YAML = [
    ("release", "ver: 1.10", '1.10 is read as 1.1: put it in quotes, ver: "1.10".'),
    ("mail", "host: 0123456", '0123456 is read as 42798: put it in quotes, host: "0123456".'),
    ("mail", "host: yes", 'yes is read as true: put it in quotes, host: "yes".'),
    ("mail", "host: off", 'off is read as false: put it in quotes, host: "off".'),
    ("mail", "host: True", 'True is read as true: put it in quotes, host: "True".'),
    ("mail", "host: 0x10", '0x10 is read as 16: put it in quotes, host: "0x10".'),
    ("mail", "host: 1.0e+3", '1.0e+3 is read as 1000.0: put it in quotes, host: "1.0e+3".'),
    ("mail", "host: 12:30:45", '12:30:45 is read as 45045: put it in quotes, host: "12:30:45".'),
    ("mail", "host: 1_000", '1_000 is read as 1000: put it in quotes, host: "1_000".'),
    (
        "mail",
        "host: 2024-05-01 10:00:00",
        '2024-05-01 10:00:00 is read as 2024-05-01T10:00:00: put it in quotes, host: "2024-05-01 10:00:00".',
    ),
    ("mail", "password: 0123456", "YAML does not read the value as the text that is written: put it in quotes."),
    (
        "server",
        "port: 010",
        f"010 is read as 8, {BASE}",
    ),
    (
        "server",
        "wait: 1:30",
        f"1:30 is read as 90, {BASE}",
    ),
]


@pytest.mark.parametrize(("section", "line", "message"), IN_YAML, ids=[line for _, line, _ in IN_YAML])
@pytest.mark.parametrize("ending", ["yaml", "yml"])
def test_in_yaml(world: World, section: str, line: str, message: str, ending: str) -> None:
    key = line.partition(":")[0]
    status, out = of_file(world, f"more.{ending}", f"{section}:\n  {line}\n")
    assert (status, out) == (1, [f"warning: more.{ending}:2: [{section}] {key}: {message}"])
    assert "0123456" not in "".join(out) or key != "password"


def test_what_an_option_of_choices_is_read_as(world: World) -> None:
    _, out = of_file(world, "more.yaml", "server:\n  answer: on\n")
    assert 'more.yaml:2: [server] answer: on is read as true: put it in quotes, answer: "on".' in out[0]


def test_null_in_yaml_is_reported_as_a_note(world: World) -> None:
    status, out = of_file(world, "more.yaml", "mail:\n  sender: Null\n  host:\n")
    what = "Null means that it is not set here: put it in quotes if you mean the text."
    assert (status, out) == (0, [f"note: more.yaml:2: [mail] sender: {what}"])


OTHERS = [
    (
        "more.toml",
        "[release]\nver = 1.10 # the release\n",
        "more.toml:2",
        '1.10 is read as 1.1: put it in quotes, ver = "1.10".',
    ),
    ("more.toml", "[release]\nver = 0x10\n", "more.toml:2", '0x10 is read as 16: put it in quotes, ver = "0x10".'),
    ("more.toml", "[release]\nver = 1e3\n", "more.toml:2", '1e3 is read as 1000.0: put it in quotes, ver = "1e3".'),
    (
        "more.json",
        '{"release": {"ver": 1.10}}',
        "more.json#/release/ver",
        '1.10 is read as 1.1: put it in quotes, ver: "1.10".',
    ),
    (
        "more.json",
        '{"release": {"ver": 1e3}}',
        "more.json#/release/ver",
        '1e3 is read as 1000.0: put it in quotes, ver: "1e3".',
    ),
]


@pytest.mark.parametrize(("name", "text", "place", "message"), OTHERS, ids=[text for _, text, _, _ in OTHERS])
def test_in_toml_and_json(world: World, name: str, text: str, place: str, message: str) -> None:
    assert of_file(world, name, text) == (1, [f"warning: {place}: [release] ver: {message}"])


@pytest.mark.parametrize("value", ["pa$WORD-x", "~root", "a${BRACES}b$WORD", "$WORD$WORD"])
def test_a_secret_that_is_changed_by_expansion(world: World, value: str) -> None:
    world.set(WORD="zebracanary", BRACES="x")
    world.write("billing.cfg", f"[mail]\npassword = {value}\n")
    status, out = checked(world)
    assert status == 1 and out == [
        "warning: billing.cfg:2: [mail] password: a $NAME or ~ in the text was replaced, so the value is not what is "
        "written. Nothing is expanded in TOML, YAML and JSON files, nor behind a pointer (password_file or "
        "password_secret): put the value there, or write ${NAME} if you mean the variable."
    ]
    assert value not in out[0] and "WORD" not in out[0] and "zebracanary" not in out[0]


def test_a_variable_that_is_changed_by_expansion(world: World) -> None:
    status, out = of_variable(world, WORD="x", BILLING__MAIL__PASSWORD="pa$WORD-zebracanary")
    assert status == 1 and out[0].startswith("warning: BILLING__MAIL__PASSWORD: [mail] password: a $NAME or ~")
    assert "zebracanary" not in out[0]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MAIL__HOST", '"h"', 'the quotes (") are part of the value: write it without them.'),
        (
            "MAIL__PASSWORD",
            "zebracanary ",
            "the value begins or ends with white space: remove it, unless you want it.",
        ),
        (
            "MAIL__PASSWORD",
            "zebracanary\n",
            "the value begins or ends with white space: remove it, unless you want it.",
        ),
        (
            "MAIL__HOST",
            "h\r",
            "the value ends with a carriage return (\\r), as in Windows line endings: save the file that sets it with "
            "\\n.",
        ),
        ("MAIL__PASSWORD", "\ufeffx", "the value holds an invisible character (U+FEFF): remove it."),
    ],
)
def test_in_a_variable(world: World, name: str, value: str, message: str) -> None:
    status, out = of_variable(world, **{f"BILLING__{name}": value})
    section, key = name.lower().split("__")
    assert (status, out) == (1, [f"warning: BILLING__{name}: [{section}] {key}: {message}"])


def test_a_secret_of_a_dotenv_file_that_is_cut(world: World) -> None:
    world.write(
        ".env",
        "BILLING__MAIL__PASSWORD=pa #zebracanary\nBILLING__MAIL__HOST=h # a comment\nBILLING_CONN_A=x://u:p@h # too\n"
        'BILLING_SECRET_B="x #y"\n',
    )
    status, out = checked(world, project={"dotenv": [".env"]})
    what = "what follows ' #' is a comment and not part of the value: put the value in quotes if it is."
    assert (status, out) == (
        1,
        [f"warning: .env:1: BILLING__MAIL__PASSWORD: {what}", f"warning: .env:3: BILLING_CONN_A: {what}"],
    )


def test_a_required_option_that_is_empty(world: World) -> None:
    world.write("billing.cfg", "[mail]\nhost =\n")
    schema = "[mail.options.host]\nrequired = true\n"
    message = "warning: billing.cfg:2: [mail] host: it is required, and set to an empty text."
    assert checked(world, schema=schema) == (1, [message])


PLAIN = {
    "billing.cfg": """
[mail]
host = db-1.example#fragment
sender = "A" <a@example.com>, "B" <b@example.com>
password = ${DATABASE_PASSWORD}
[server]
port = 8080
debug = True # because
origins = ["https://a", "https://b"]
limits = {"a": " # "}
key = ~/key
""",
    "more.yaml": """
mail:
  sender: "0123"
  host: 10.0.0.1
server:
  port: 80
  wait: 30
  rate: 9.5
  debug: yes
release:
  ver: 2024-05-01
""",
    "more.toml": "[release]\nver = '1.10'\n[server]\nrate = 1.5\n",
    "more.json": '{"release": {"ver": 110}, "mail": {"host": true, "sender": null}}',
}


@pytest.mark.parametrize("name", PLAIN)
def test_values_that_are_not_surprising(world: World, name: str) -> None:
    world.set(DATABASE_PASSWORD="zebracanary")
    world.write(name, PLAIN[name])
    assert checked(world, project={"config_files": [name]} if name != "billing.cfg" else {}) == (0, [])


def test_a_password_that_is_a_variable_or_holds_a_dollar(world: World) -> None:
    for value in ("$WORD", "a$$b", "a$UNSET-b", "${WORD}x", "x://u:${WORD}@h", "x://u:$WORD@h/$WORD?a=$WORD"):
        world.set(WORD="x", BILLING__MAIL__PASSWORD=value)
        assert checked(world) == (0, []), value


def test_shadowed_values_are_not_reported_as_surprises(world: World) -> None:
    world.set(BILLING__MAIL__HOST="h")
    assert of_cfg(world, "mail", "host = h # web") == (0, [])


def test_without_a_schema(world: World) -> None:
    world.write("more.yaml", "mail:\n  password: 0123456\n  number: 0123456\n")
    world.project(config_files=["more.yaml"])
    _, out, _ = world.run("check")
    what = "YAML does not read the value as the text that is written: put it in quotes."
    assert out == f"warning: more.yaml:2: [mail] password: {what}\n"


@pytest.mark.parametrize("text", ['["https://a", "https://b"]', ' ["https://a","https://b"] ', "https://a, https://b"])
def test_a_list_in_json_form(world: World, text: str) -> None:
    world.set(BILLING__SERVER__ORIGINS=text)
    assert checked(world) == (0, [])
    conf = world.app().conf
    assert conf.value("server", "origins") == conf.getlist("server", "origins") == ["https://a", "https://b"]
    assert conf.getlist("server", "origins", delimiter=";")[0].startswith(text.strip()[:1]) is ("[" not in text)


@pytest.mark.parametrize(
    ("command", "mark"),
    [
        ("echo x | cat", "|"),
        ("echo x|cat", "|"),
        ("cat a && cat b", "&&"),
        ("cat a; cat b", None),  # `a;` may be a file
        ("cat a ; cat b", ";"),
        ("pass mail 2>/dev/null", "2>/dev/null"),
        ("echo $(pass mail)", "$("),
        ("echo `pass mail`", "`"),
        ("sh -c 'pass mail | head -1'", None),
        ('sh -c "pass mail | head -1"', None),
        (r"find . -exec cat {} \;", None),
        ("curl https://x.example/?a=1&b=2", None),
        ("grep -h '|' file", None),
        ("echo 'open", None),
    ],
)
def test_a_mark_of_a_shell_in_a_command(world: World, command: str, mark: str | None) -> None:
    world.write("billing.cfg", f"[mail]\npassword_cmd = {command}\n")
    _, out, err = world.run("check", "--offline")
    what = f"no shell runs the command, so {mark} is one of its words: write sh -c '…' if you need a shell."
    warned = [line for line in (out + err).splitlines() if line.startswith("warning: ")]
    assert warned == ([f"warning: {CFG_PLACE}: [mail] password_cmd: {what}"] if mark else [])


def test_a_boolean_for_a_number(world: World) -> None:
    world.write("schema.toml", '[server.options.port]\ntype = "integer"\ndefault = 1\n')
    world.write("more.toml", "[server]\nport = true\n")
    world.project(schema="schema.toml", config_files=["more.toml"])
    what = "true is read as 1, because the option is a number: write a number."
    assert world.run("check")[:2] == (0, f"warning: more.toml:2: [server] port: {what}\n")
