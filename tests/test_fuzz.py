"""Every reader and every command with arbitrary input: only FrameworkError, and no secret in any message.

The examples are the same in every run; FRAMEWORK_FUZZ_EXAMPLES asks for more, and for others each time. What never
ends is ended by a watchdog of five minutes an example, which shows where.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hostile import usual
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework import App, Connection, convert, errors
from framework.cli.commands import COMMANDS
from framework.cli.main import main
from framework.convert import expand
from framework.files.entries import read_entries
from framework.files.secrets import SecretsFile
from framework.files.tables import read_table
from framework.layers.cfg import CfgLayer
from framework.layers.environment import Environment
from framework.masking import Masker
from framework.options.references import part_of
from framework.parsing import Malformed, read_json, read_toml

CANARY = "s3cretPw77canary"
MANY = int(os.environ.get("FRAMEWORK_FUZZ_EXAMPLES", "0"))


def examples(number: int) -> Callable[[Any], Any]:
    """Settings of a test: this many examples, always the same, or others in the number that is asked for."""
    return settings(
        max_examples=MANY or usual(number),
        derandomize=not MANY,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    faulthandler.dump_traceback_later(max(300, MANY), exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def pieces(*marks: str) -> st.SearchStrategy[str]:
    """Texts made of the marks of a format, of words, and of arbitrary characters."""
    words = ["core", "k", "a", "password", "mail", CANARY, "x" * 50, "9" * 400, "1", "-1", "1e999", "0x1F", "ü", "\x85"]
    anything = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
    piece = st.one_of(st.sampled_from([*marks, *marks, *words]), anything)
    repeated = st.tuples(piece, st.sampled_from([1, 1, 1, 2, 3, 200])).map(lambda pair: pair[0] * pair[1])
    return st.lists(repeated, max_size=25).map("".join)


SPACED = (" ", "\n", "\t", "  ", ": ", "- ")
CFG = pieces(*"[ ] = : # ; % %( )s %(k)s %% $ ${ } ~ _cmd=".split(), *SPACED, "[core]\n")
TOML = pieces(*r"""[ ] [[ ]] = . , { } " ' ''' # \ true inf 1979-05-27 07:32:00 0o7 _ \u00e9""".split(), *SPACED, '"""')
TAGS = [f"!!{tag} " for tag in ("bool", "int", "float", "timestamp", "binary", "set", "omap", "str", "python/name:os")]
YAML = pieces(
    *r"{ } [ ] , *a | > ' # % 2024-02-30 .inf 190:20:30 yes null ~ \ @ ` ! .".split(),
    *(*SPACED, *TAGS, '"', "core:\n", "? ", "&a ", "<<: ", "---\n", "...\n"),
)
JSON = pieces(*r'{ } [ ] " : , \ \u00 \ud800 null true NaN Infinity {"core":{"k": "a":'.split(), *SPACED)
ENV = pieces(*r"= ' # \ $ ${ } BILLING__CORE__K= A= \n".split(), *SPACED, '"', "export ", "\r")
URI = pieces(*"postgres:// :// / ? & = @ : # % %41 %ff [ ] ::1 __extra__= { } 65536 v1.".split(), '"')
ANY = st.one_of(CFG, TOML, YAML, JSON, ENV, URI)
#: Nearly right files, so that what comes after the parsers is reached as well.
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10), st.just(CANARY)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def text_of(error: BaseException) -> str:
    """All that a traceback shows of an exception: its text and those of what it was raised from."""
    return "".join(traceback.format_exception_only(error)) + (
        text_of(error.__cause__) if error.__cause__ is not None else ""
    )


def tried(call: Callable[[], Any], *allowed: type[BaseException], secret: bool = True) -> None:
    """Run it: it may return or raise a FrameworkError, without the canary in it."""
    try:
        call()
    except (errors.FrameworkError, *allowed) as error:
        text = text_of(error)
        assert not secret or CANARY not in text, text
        assert len(text) < 50_000


ENDINGS = {"toml": TOML, "yaml": YAML, "json": JSON}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def _written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    return str(folder / name)


@pytest.mark.parametrize("ending", ENDINGS)
def test_typed_files(ending: str, folder: Path) -> None:
    @examples(300)
    @given(text=ENDINGS[ending])
    def fuzz(text: str) -> None:
        path = _written(folder, f"x.{ending}", text)
        tried(lambda: read_table(path), secret=False)  # a name may be shown, and the canary may be one
        tried(lambda: App("billing", home=str(folder), config_files=[path]).conf.as_dict(), secret=False)

    fuzz()


@pytest.mark.parametrize("ending", ["toml", "yaml", "json"])
def test_a_password_in_a_typed_file(ending: str, folder: Path) -> None:
    """The canary is the value of a sensitive option, in any surroundings."""
    head = {"toml": "[mail]\npassword = ", "yaml": "mail:\n  password: ", "json": '{"mail": {"password": '}[ending]

    @examples(300)
    @given(mark=pieces(*"[]{}!\"'&*|>%@#,: ", "!!bool ", "!!int ", "!!timestamp ", "- "), text=ENDINGS[ending])
    def fuzz(mark: str, text: str) -> None:
        text = f"{head}{mark.replace(CANARY, '').replace(chr(10), '')}{CANARY}{text.replace(CANARY, '')}"
        path = _written(folder, f"p.{ending}", text)
        tried(lambda: read_table(path))
        tried(lambda: App("billing", home=str(folder), config_files=[path]).conf.as_dict())

    fuzz()


@pytest.mark.parametrize("ending", ["json", "yaml", "env"])
def test_secrets_files(ending: str, folder: Path) -> None:
    @examples(300)
    @given(
        text=st.one_of(
            {"json": JSON, "yaml": YAML, "env": ENV}[ending], st.binary(max_size=60).map(lambda b: b.decode("latin-1"))
        )
    )
    def fuzz(text: str) -> None:
        path = _written(folder, f"s.{ending}", text)

        def look_up() -> None:
            for entry in SecretsFile(path).entries().values():
                tried(lambda entry=entry: entry.only(errors.NotUnique))

        def stream() -> None:
            with open(path, "rb") as file:
                for entry in read_entries(file, path, ending):
                    tried(lambda entry=entry: entry.only(errors.NotUnique))

        tried(look_up)
        tried(stream)

    fuzz()


@examples(300)
@given(
    text=CFG,
    environ=st.dictionaries(st.sampled_from(["A", "k", "core", "HOME"]), ENV.map(lambda t: t.replace("\0", ""))),
)
def test_cfg_files(folder: Path, text: str, environ: dict[str, str]) -> None:
    path = _written(folder, "billing.cfg", text)

    def read() -> None:
        layer = CfgLayer("main cfg", path)
        for section, key in layer.entries():
            raw, where = layer.find(section, key) or ("", "")
            tried(partial(layer.read, raw, section, key, where, environ.get))

    tried(read, secret=False)


@examples(300)
@given(text=ENV)
def test_dotenv_files(folder: Path, text: str) -> None:
    path = _written(folder, ".env", text)

    def read() -> None:
        environment = Environment({}, [path])
        for name in environment.names():
            expand(environment.get(name), environment.get)

    tried(read)


@examples(200)
@given(text=st.one_of(TOML, VALUES.map(lambda value: f"[core.options.k]\ndefault = {value!r}\n")))
def test_project_files(folder: Path, text: str) -> None:
    _written(folder, "pyproject.toml", f"[tool.framework]\n{text}")
    from framework import project

    tried(lambda: project.find(str(folder), named=True), secret=False)


@examples(300)
@given(written=VALUES)
def test_schemas(written: Any) -> None:
    tried(
        lambda: App("billing", home="/nonexistent", environ={}, schema={"core": {"options": {"k": written}}}),
        secret=False,
    )
    tried(lambda: App("billing", home="/nonexistent", environ={}, schema={"core": written}), secret=False)


@examples(400)
@given(text=st.one_of(URI, JSON))
def test_connections(text: str) -> None:
    def use(connection: Connection) -> None:
        repr(connection), connection.extra_dejson, connection.as_json()
        tried(connection.get_uri)

    tried(lambda: use(Connection.from_uri(text)))
    tried(lambda: use(Connection.from_json(text)))
    tried(lambda: use(Connection("c", "postgres", extra=text)))


@examples(300)
@given(text=st.one_of(JSON, VALUES.map(repr)), pointer=pieces("/", "~0", "~1", "~", "0", "-"))
def test_texts_of_json_and_their_parts(text: str, pointer: str) -> None:
    for call in (lambda: read_json(text), lambda: part_of(text, pointer), lambda: read_toml(text)):
        tried(call, ValueError)
    try:
        read_json(text)
    except Malformed as error:
        assert error.__context__ is None


class Colour(Enum):
    red = 1


@examples(400)
@given(value=st.one_of(ANY, VALUES))
def test_converters(value: Any) -> None:
    for name in ("text", "bool", "int", "float", "list", "json", "timedelta"):
        tried(lambda name=name: getattr(convert, f"to_{name}")(value), ValueError)
    tried(lambda: convert.to_enum(value, Colour), ValueError)
    tried(lambda: convert.to_enumlist(value, Colour), ValueError)
    if not isinstance(value, str) or CANARY not in value:  # a path may be shown
        tried(lambda: convert.to_import(value), ValueError)


@examples(300)
@given(value=ANY.map(lambda text: text.replace("\0", "")), form=st.sampled_from(["", "_SECRET"]))
def test_getters(value: str, form: str) -> None:
    app = App("billing", home="/nonexistent", environ={f"BILLING__MAIL__PASSWORD{form}": value})
    conf = app.conf
    for getter in (
        conf.get,
        conf.getboolean,
        conf.getint,
        conf.getfloat,
        conf.getlist,
        conf.getjson,
        conf.gettimedelta,
    ):
        tried(lambda getter=getter: getter("mail", "password"), secret=not form)
    tried(lambda: conf.getenum("mail", "password", Colour), secret=not form)
    tried(lambda: app.explain("mail", "password") if hasattr(app, "explain") else None)
    tried(lambda: conf.as_dict(display_sensitive=False))


@examples(300)
@given(value=st.one_of(VALUES, ANY), text=ANY)
def test_the_masker(value: Any, text: str) -> None:
    masker = Masker()
    masker.add_mask(value)
    masker.add_mask(value, "password")
    masker.add_mask(CANARY)
    assert CANARY not in masker.redact_text(text)
    assert CANARY not in repr(masker.redact(value))
    masker.merge(masker.redact(value), value)


# --- commands ------------------------------------------------------------------------------------------------------

SUB = "get list set add delete import export test get-value lint update unset check migrate".split()
FLAGS = """
--json --output --format json yaml table --dry-run --section --key --option -h --show-values --conn-uri --conn-type
--plan --connection --variable --color --file-format --overwrite --no-such
""".split()
#: Left out: `init` and `completion` write into the working folder or ask for a terminal, `backend-test` needs a store,
#: `exec` becomes another program, and `explore` serves until it is stopped.
COMMAND_NAMES = [name for name in COMMANDS if name not in ("init", "backend-test", "completion", "exec", "explore")]
WORD = st.one_of(
    st.sampled_from([*SUB, *FLAGS, "core", "k", "mail", "password", "s.json", "s.yaml", "s.env", "none.json"]),
    pieces("-", "--", "=", "/", "://", ".", "@").filter(lambda word: CANARY not in word),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "billing.cfg").write_text(f"[core]\nk = 1\n[mail]\npassword = {CANARY}\nhost = a%(b\n")
    (folder / "s.json").write_text(f'{{"a": "{CANARY}", "b": {{"c": [}}')
    (folder / "s.yaml").write_text(f"a: !!bool {CANARY}\nb: [1\n")
    (folder / "s.env").write_text(f"A={CANARY}\nno equals {CANARY}\n")
    return folder


@examples(150)
@given(command=st.sampled_from(COMMAND_NAMES), words=st.lists(WORD, max_size=6))
def test_commands(home: Path, command: str, words: list[str]) -> None:
    if {"export", "--include-secrets"} & set(words) or (command == "config" and words[:1] == ["get-value"]):
        return  # they show or write values, as they are asked to
    if "get" in words or "--show-values" in words or "-" in words:
        return
    out, err = io.StringIO(), io.StringIO()
    before, folder = dict(os.environ), os.getcwd()
    os.environ["BILLING_HOME"] = str(home)
    os.chdir(home)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status: Any = main(["--name", "billing", command, *words])
            except SystemExit as stop:  # argparse's
                status = stop.code
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)
    assert status in (0, 1, 2, 3), (status, err.getvalue())
    assert "Traceback" not in err.getvalue()
    assert CANARY not in out.getvalue() + err.getvalue()
