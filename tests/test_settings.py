"""Settings as a class in an application: defaults, secrets, the current settings, reload, `check` and the project."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
import pickle
import subprocess
import sys
import threading
import traceback
import typing
import uuid
from typing import Annotated, Any, NamedTuple

import annotated_types as at
import attrs
import msgspec
import pydantic
import pydantic_settings
import pytest
from conftest import World
from patience import GUARD

from framework import App, Secret, Sensitive, conf, masking
from framework.errors import ConfigError, FrameworkError, InvalidArgument, OptionNotFound, SchemaError, SettingsError
from framework.testing import isolated

HIDDEN = "hunter22-correct-horse"


def application(schema: Any = None, /, **environ: str) -> App:
    variables = {f"BILLING__{name}": text for name, text in environ.items()}
    return App("billing", schema=schema, home="/nonexistent", environ=variables)


def section(cls: type) -> type:
    """Settings with one section, `server`."""
    return dataclasses.make_dataclass("Settings", [("server", cls)])


def reported(app: App, cls: type) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        app.bind(cls)
    return [str(fault) for fault in caught.value.faults]


# Defaults


@dataclasses.dataclass
class Defaults:
    share: str = "50%"
    marks: str = "%(x)s $HOME ~ {BILLING_HOME} {{"
    flag: bool = True
    ratio: float = 0.5
    wait: datetime.timedelta = datetime.timedelta(milliseconds=1500, microseconds=1)
    names: list[str] = dataclasses.field(default_factory=lambda: ["a", "b"])
    maybe: int | None = None
    words: str | None = None
    secret: Secret = Secret("")
    peers: dict[str, int] = dataclasses.field(default_factory=dict)


def test_a_default_of_a_class_is_used_as_it_is() -> None:
    app = application(section(Defaults), HOME="/home")
    server = app.bind(section(Defaults)).server
    assert server == Defaults()
    for name in ("share", "marks"):
        assert app.conf.get("server", name) == app.conf.value("server", name) == getattr(server, name)
    assert app.conf.value("server", "wait") == server.wait
    assert app.conf.getlist("server", "names") == ["a", "b"]
    assert app.conf.get("server", "flag") == "true"
    assert app.conf.value("server", "maybe") is None
    assert app.conf.getint("server", "maybe", fallback=None) is None
    assert app.conf.get("server", "words", fallback="none") == "none"


def test_what_files_write_is_expanded_as_ever(world: World) -> None:
    world.set(NAME="x")
    world.write("billing.cfg", "[server]\nshare = 50%%\nmarks = $NAME\n")
    app = App("billing", schema=section(Defaults), home=world.home)
    assert (app.bind(section(Defaults)).server.share, app.conf.get("server", "marks")) == ("50%", "x")


def test_a_default_that_is_made_again_is_not_declared() -> None:
    cls = dataclasses.make_dataclass("Server", [("id", uuid.UUID, dataclasses.field(default_factory=uuid.uuid4))])
    app = application(section(cls))
    first, second = app.bind(section(cls)), app.bind(section(cls))
    assert first.server.id != second.server.id
    assert not app.conf.has_option("server", "id")


def test_the_default_of_a_section_is_an_object() -> None:
    class Server(pydantic.BaseModel):
        host: str = "a"
        port: int = 80
        names: list[str] = pydantic.Field(default_factory=list)

    class Settings(pydantic.BaseModel):
        server: Server = Server(port=90, names=["x"])

    app = application(Settings)
    assert app.conf.getint("server", "port") == 90
    assert app.bind(Settings).server == Server(port=90, names=["x"])
    assert app.conf.getlist("server", "names") == ["x"]
    app = application(Settings, SERVER__HOST="b")
    made = app.bind(Settings).server
    assert made == Server(host="b", port=90, names=["x"])
    made.names.append("y")
    assert app.bind(Settings).server.names == ["x"]


def test_a_schema_file_and_a_class_beside_each_other() -> None:
    schema = {"server": {"options": {"port": {"type": "integer", "default": "9000"}}}}

    @dataclasses.dataclass
    class Server:
        port: int = 8000
        host: str = "h"
        token: Annotated[str, Sensitive] = "t"

    Server.__annotations__ = typing.get_type_hints(Server, localns=locals(), include_extras=True)
    app = application(schema)
    assert app.conf.get("server", "host", fallback="none") == "none"
    assert app.bind(Server, "server") == Server(9000, "h")  # whoever declares an option gives its default
    assert app.conf.get("server", "host") == "h"  # known from now on
    assert app.engine.is_sensitive("server", "token")


def test_a_class_makes_an_option_sensitive_that_a_schema_declares() -> None:
    app = application({"db": {"options": {"url": {}}}}, DB__URL_CMD="printf x")
    assert app.conf.get("db", "url", fallback="none") == "none"
    cls = dataclasses.make_dataclass("Db", [("url", Secret)])
    assert app.bind(cls, "db").url == "x"
    assert app.conf.get("db", "url") == "x"


# Secrets


@pytest.mark.parametrize(
    "annotation",
    [
        Secret,
        Secret | None,
        list[Secret],
        Annotated[str, Sensitive],
        Annotated[str, Sensitive()],
        Annotated[int, Sensitive],
        pydantic.SecretStr,
        pydantic.SecretBytes,
        pydantic.Secret[str],
        pydantic.PostgresDsn,
        pydantic.RedisDsn | None,
        dict[str, Secret],
        list[dataclasses.make_dataclass("Peer", [("password", Secret)])],
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["dataclass", "pydantic"])
def test_what_is_sensitive(annotation: Any, kind: str) -> None:
    if kind == "pydantic":
        cls: type = pydantic.create_model("Server", it=(annotation, ...))
    else:
        cls = dataclasses.make_dataclass("Server", [("it", annotation)])
    app = application(section(cls), SERVER__IT=f"{HIDDEN} [{{ 7")
    assert app.engine.is_sensitive("server", "it")
    if annotation in (Secret, Secret | None, pydantic.SecretStr, pydantic.SecretBytes, pydantic.Secret[str]):
        made = app.bind(section(cls))
        assert HIDDEN not in repr(made) + str(made)
    elif annotation is not Annotated[str, Sensitive] and "list[framework" not in str(annotation):
        try:
            app.bind(section(cls))
        except SettingsError as error:
            assert HIDDEN not in str(error) + repr(error) + "".join(traceback.format_exception(error))
            assert HIDDEN.encode() not in pickle.dumps(error)


def test_sensitive_false_says_that_a_name_only_looks_so() -> None:
    cls = dataclasses.make_dataclass("Server", [("token", Annotated[str, Sensitive(False)], "x")])
    app = application(section(cls))
    option = app.schema.option("server", "token")
    assert option is not None and option.sensitivity is False


def test_a_secret_is_text_that_shows_itself_nowhere() -> None:
    secret = Secret(HIDDEN)
    assert secret == HIDDEN and isinstance(secret, str) and len(secret) == len(HIDDEN)
    assert type(secret.get_secret_value()) is str and secret.get_secret_value() == HIDDEN
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r:>30}", "%s" % secret, "{}".format(secret)):  # noqa: UP031, UP032
        assert HIDDEN not in shown and "***" in shown
    assert masking.redact_text(f"password {HIDDEN}") == "password ***"
    assert "".join([secret]) == secret + "" == HIDDEN
    for again in (copy.copy(secret), copy.deepcopy(secret), pickle.loads(pickle.dumps(secret)), Secret(secret)):
        assert type(again) is Secret and again.get_secret_value() == HIDDEN
    assert Secret(pydantic.SecretStr(HIDDEN)) == HIDDEN
    assert repr(Secret("")) == "Secret('')"


def test_a_model_holds_a_secret() -> None:
    class Db(pydantic.BaseModel):
        password: Secret

    made = application(section(Db), SERVER__PASSWORD=HIDDEN).bind(section(Db)).server
    assert type(made.password) is Secret
    assert HIDDEN not in made.model_dump_json() + repr(made)
    assert made.model_dump()["password"] == HIDDEN


def test_pointers_of_a_class_are_followed(world: World) -> None:
    world.write("password", f"{HIDDEN}\n")
    cls = dataclasses.make_dataclass("Db", [("password", Secret), ("user", str, "u")])
    app = application(section(cls), SERVER__PASSWORD_FILE=str(world.home / "password"))
    assert app.bind(section(cls)).server.password.get_secret_value() == HIDDEN
    assert HIDDEN not in str(app.conf.explain("server", "password"))


def test_pointers_are_fetched_at_once_and_each_failure_is_reported() -> None:
    cls = dataclasses.make_dataclass("Db", [(name, Secret) for name in ("one", "two", "three")])
    settings = section(cls)
    names = {("server", f"{name}_secret"): name for name in ("one", "two", "three")}
    with isolated("billing", names, configs={"one": HIDDEN}, schema=settings) as app:
        with pytest.raises(SettingsError) as caught:
            app.bind(settings)
        assert [type(fault).__name__ for fault in caught.value.faults] == ["PointerError", "PointerError"]
        assert len([call for call in app.memory.calls if call[1] == "two"]) == 1


# What is refused


def test_a_class_in_a_function_under_postponed_annotations() -> None:
    @dataclasses.dataclass
    class Hidden:
        cert: str

    @dataclasses.dataclass
    class Server:
        tls: Hidden

    with pytest.raises(SchemaError) as caught:
        application().bind(Server, "server")
    assert caught.value.what == "the annotation names Hidden, which is not defined"
    assert caught.value.where.endswith("<locals>.Server.tls")
    assert "move the classes out of the function" in caught.value.hint


NOWHERE: Any = {"tls": "Nowhere"}


@pytest.mark.parametrize("make", ["attrs", "pydantic", "NamedTuple", "TypedDict", "msgspec"])
def test_the_same_of_other_kinds(make: str) -> None:
    bases: dict[str, Any] = {"pydantic": pydantic.BaseModel, "msgspec": msgspec.Struct}

    def body(namespace: dict[str, Any]) -> None:
        namespace["__annotations__"] = NOWHERE
        namespace["__module__"] = __name__

    import types

    if make == "attrs":
        cls: Any = attrs.define(types.new_class("Server", (), {}, body))
    elif make == "NamedTuple":
        cls = NamedTuple("Server", NOWHERE.items())
    elif make == "TypedDict":
        cls = typing.TypedDict("Server", NOWHERE)
    else:
        cls = types.new_class("Server", (bases[make],), {}, body)
    with pytest.raises(SchemaError, match="names Nowhere, which is not defined"):
        application().bind(cls, "server")


class Plain:
    port: int = 8000


class FromEnvironment(pydantic_settings.BaseSettings):
    port: int = 8000


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (Plain, "is not a class of settings"),
        (int, "builtins.int is not a class of settings"),
        (5, "an object of the type int is not a class of settings"),
        ({}, "an object of the type dict is not a class of settings"),
        (Defaults(), "an object of the type Defaults is not a class of settings"),
        (list[Defaults], "is not a class of settings"),
        (
            FromEnvironment,
            "a BaseSettings class reads the environment itself: derive it from pydantic.BaseModel",
        ),
        (pydantic.RootModel[int], "is not a class of settings"),
    ],
    ids=str,
)
def test_what_is_not_a_class_of_settings(cls: Any, expected: str) -> None:
    with pytest.raises(SchemaError) as caught:
        application().bind(cls, "server")
    assert expected in caught.value.what
    if isinstance(cls, type):
        with pytest.raises(SchemaError):
            App("billing", schema=cls, home="/nonexistent")


def test_a_scalar_needs_a_section() -> None:
    @dataclasses.dataclass
    class Server:
        port: int = 8000

    with pytest.raises(SchemaError) as caught:
        application().bind(Server)
    assert caught.value.what == "the option port has no section"
    assert caught.value.hint.endswith('call app.bind(Server, "section").')
    assert application().bind(Server, "server").port == 8000
    with pytest.raises(InvalidArgument, match="^section: "):
        application().bind(Server, 5)  # type: ignore[arg-type]


@dataclasses.dataclass
class Circle:
    name: str
    inner: Circle | None = None


def test_a_section_inside_of_itself() -> None:
    with pytest.raises(SchemaError, match="the class is a section inside itself"):
        application().bind(Circle, "server")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("port", Annotated[int, at.Ge(1)], 0)], "the default does not fit: expected at least 1"),
        ([("a__b", int)], "a name cannot hold '__'"),
        ([("_x", int), ("x", int)], "_x and x are the same option, x"),
        ([("Port", int), ("port", int)], "Port and port are the same option, port"),
        ([("port", Annotated[int, at.Ge(5), at.Le(1)])], "no value is within minimum and maximum"),
    ],
    ids=str,
)
def test_a_class_that_cannot_be(fields: Any, expected: str) -> None:
    cls = dataclasses.make_dataclass("Server", fields)
    for attempt in (lambda: App("billing", schema=section(cls)), lambda: application().bind(cls, "server")):
        with pytest.raises(SchemaError) as caught:
            attempt()
        assert expected in caught.value.what


# Names


def test_the_alias_of_pydantic_does_not_rename_the_option() -> None:
    class Server(pydantic.BaseModel):
        port: int = pydantic.Field(alias="PORT_NUMBER")
        host: str = pydantic.Field(validation_alias=pydantic.AliasChoices("h", "hostname"), default="a")
        below: pydantic.PositiveInt = pydantic.Field(alias="b", default=1)

    cls = section(Server)
    made = application(cls, SERVER__PORT="5", SERVER__HOST="b", SERVER__BELOW="2").bind(cls).server
    assert (made.port, made.host, made.below) == (5, "b", 2)
    (fault,) = reported(application(cls, SERVER__PORT_NUMBER="5"), cls)
    assert fault.startswith("[server] port: the option is not set")


def test_private_names_of_attrs_and_init_false() -> None:
    @attrs.define
    class Server:
        _port: int
        names: list = attrs.field(init=False, factory=list)
        host: str = attrs.field(alias="hostname", default="h")

    Server.__annotations__ = {"_port": int, "names": list, "host": str}
    made = application(SERVER__PORT="5", SERVER__HOST="x").bind(Server, "server")
    assert (made._port, made.names, made.host) == (5, [], "x")


@dataclasses.dataclass
class Pseudo:
    port: int
    extra: dataclasses.InitVar[int]
    known: typing.ClassVar[int] = 5
    made: int = dataclasses.field(init=False, default=1)
    last: int = dataclasses.field(kw_only=True, default=2)

    def __post_init__(self, extra: int) -> None:
        self.made = extra


def test_fields_that_are_not_options() -> None:
    app = application(SERVER__PORT="1", SERVER__EXTRA="7")
    assert app.bind(Pseudo, "server") == Pseudo(1, 7)
    assert app.bind(Pseudo, "server").made == 7
    assert app.schema.options("server") == ["port", "extra", "last"]


class Partial(typing.TypedDict, total=False):
    port: int
    host: typing.Required[str] if sys.version_info >= (3, 11) else str  # type: ignore[valid-type]


class Inherited(Partial):
    name: str


def test_a_typed_dict_that_is_not_total() -> None:
    assert application(SERVER__HOST="h", SERVER__NAME="n").bind(Inherited, "server") == {"host": "h", "name": "n"}
    assert len(reported(application(), section(Inherited))) == (2 if sys.version_info >= (3, 11) else 1)


# What the code of a class says


@dataclasses.dataclass
class Pool:
    size: int = 5
    most: int = 10
    password: Secret = Secret("")

    def __post_init__(self) -> None:
        if self.size > self.most:
            raise ValueError(f"size {self.size} is over {self.most}, password {self.password.get_secret_value()}")


def test_what_a_class_raises_is_not_shown_but_its_place_is() -> None:
    (fault,) = reported(application(SERVER__SIZE="50", SERVER__PASSWORD="x1x2x"), section(Pool))
    line = Pool.__post_init__.__code__.co_firstlineno + 2
    assert fault == f"[server]: Pool refuses the values (ValueError at {__file__}:{line})"


@attrs.define
class Validated:
    port: int = attrs.field(validator=attrs.validators.ge(1))


def test_what_a_validator_of_attrs_raises() -> None:
    (fault,) = reported(application(SERVER__PORT="0"), section(Validated))
    assert fault == "BILLING__SERVER__PORT: [server] port: expected at least 1, not '0'"


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", validate_default=True)

    email: Annotated[str, pydantic.AfterValidator(lambda text: text)] = "a"
    size: int = 5
    most: int = 10
    token: pydantic.SecretStr = pydantic.SecretStr("")

    @pydantic.field_validator("size")
    @classmethod
    def _even(cls, size: int) -> int:
        if size % 2 and size != 5:
            raise ValueError(f"{size} is odd")
        return size

    @pydantic.field_validator("most", mode="before")
    @classmethod
    def _doubled(cls, most: Any) -> Any:
        return most.removesuffix("!") if isinstance(most, str) else most

    @pydantic.field_validator("token")
    @classmethod
    def _long(cls, token: pydantic.SecretStr) -> pydantic.SecretStr:
        if len(token.get_secret_value()) == 3:
            raise ValueError(f"{token.get_secret_value()} is short")
        return token

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Model:
        if self.size > self.most:
            raise ValueError(f"{self.size} is over {self.most}")
        return self


def test_validators_of_pydantic() -> None:
    cls = section(Model)
    assert application(cls, SERVER__MOST="7!").bind(cls).server.most == 7
    first, second = reported(application(cls, SERVER__SIZE="7", SERVER__TOKEN="abc", SERVER__MOST="8"), cls)
    assert first.startswith(f"BILLING__SERVER__SIZE: [server] size: a validator refuses it (ValueError at {__file__}:")
    assert second.startswith("BILLING__SERVER__TOKEN: [server] token: a validator refuses it (ValueError at ")
    (fault,) = reported(application(cls, SERVER__SIZE="70"), cls)
    assert fault.startswith(f"[server]: a validator refuses it (ValueError at {__file__}:")
    first, second = reported(application(cls, SERVER__SIZE="7", SERVER__MOST="x"), cls)
    assert "[server] size: a validator refuses it" in first
    assert second == (
        "BILLING__SERVER__MOST: [server] most: Input should be a valid integer, unable to parse string as an integer"
    )


def test_a_fault_holds_nothing_but_its_message() -> None:
    cls = section(Model)
    app = application(cls, SERVER__SIZE="7", SERVER__TOKEN=HIDDEN[:3])
    with pytest.raises(SettingsError) as caught:
        app.bind(cls)
    for error in (caught.value, *caught.value.faults):
        assert error.__context__ is None and error.__cause__ is None
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is SettingsError and str(again) == str(caught.value)
    assert str(caught.value).splitlines()[0] == "Settings: 2 faults"


class Store(pydantic.BaseModel):
    kind: typing.Literal["s3"]
    bucket: str


class Disk(pydantic.BaseModel):
    kind: typing.Literal["disk"]
    path: str


class App_(pydantic.BaseModel):  # noqa: N801
    store: Store | Disk = pydantic.Field(discriminator="kind")
    stores: list[Annotated[Store | Disk, pydantic.Field(discriminator="kind")]] = []


def test_which_of_several_models_is_meant_pydantic_knows() -> None:
    cls = section(App_)
    text = '{"kind": "disk", "path": "/x"}'
    made = application(cls, SERVER__STORE=text, SERVER__STORES=f"[{text}]").bind(cls).server
    assert (made.store, made.stores) == (Disk(kind="disk", path="/x"), [Disk(kind="disk", path="/x")])
    (fault,) = reported(application(cls, SERVER__STORE='{"kind": "disk"}'), cls)
    assert fault == "BILLING__SERVER__STORE: [server] store.disk.path: Field required"


# Files


@dataclasses.dataclass
class Peer:
    host: str
    port: int = 80
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Tls:
    cert: str = "none"


@dataclasses.dataclass
class Server:
    port: int = 8000
    peers: list[Peer] = dataclasses.field(default_factory=list)
    zones: dict[str, Peer] = dataclasses.field(default_factory=dict)
    tls: Tls = dataclasses.field(default_factory=Tls)
    started: datetime.date | None = None


@dataclasses.dataclass
class Db:
    password: Secret = Secret("")


@dataclasses.dataclass
class Settings:
    """The settings of billing."""

    server: Server
    db: Db


TOML = """
[server]
port = 9000
started = 2024-05-01
[server.tls]
cert = "c"
[[server.peers]]
host = "a"
tags = ["x"]
[[server.peers]]
host = "b"
port = 5
[server.zones.north]
host = "n"
"""


@pytest.mark.parametrize("ending", ["toml", "yaml", "json"])
def test_typed_files(world: World, ending: str) -> None:
    tables = {
        "port": 9000,
        "started": "2024-05-01",
        "tls": {"cert": "c"},
        "peers": [{"host": "a", "tags": ["x"]}, {"host": "b", "port": 5}],
        "zones": {"north": {"host": "n"}},
    }
    world.write(f"a.{ending}", TOML if ending == "toml" else json.dumps({"server": tables}))
    world.project(config_files=[f"a.{ending}"], schema="our_settings:Settings")
    world.write("our_settings.py", "from test_settings import Settings\n")
    app = world.app()
    assert app.settings.server == Server(
        9000, [Peer("a", 80, ["x"]), Peer("b", 5)], {"north": Peer("n")}, Tls("c"), datetime.date(2024, 5, 1)
    )
    assert world.run("check")[:2] == (0, "")


def test_a_fault_in_a_table_names_its_path_and_line(world: World) -> None:
    world.write("a.toml", '[server]\npeers = [{host = "a"}, {host = "b", port = "x", tags = 5, prot = 1}, {}]\n')
    app = App("billing", schema=Settings, home=world.home, config_files=["a.toml"])
    assert [world.shown(fault) for fault in reported(app, Settings)] == [
        "HOME/a.toml:2: [server] peers[1].port: expected a whole number, such as 8080, not 'x'",
        "HOME/a.toml:2: [server] peers[1].tags: expected a list, with ',' between its items, not that",
        "HOME/a.toml:2: [server] peers[1].prot: there is no such key; did you mean port?",
        "HOME/a.toml:2: [server] peers[2].host: a value is required",
    ]


# The current settings


def test_the_current_settings(world: World) -> None:
    world.write("billing.cfg", "[server]\nport = 1\n")
    app = App("billing", schema=Settings, home=world.home)
    first = app.settings
    assert app.settings is first and first.server.port == 1
    world.write("billing.cfg", "[server]\nport = 2\n")
    assert app.settings is first
    app.reload()
    assert (app.settings.server.port, first.server.port) == (2, 1)
    assert app.settings is app.settings


def test_a_fault_keeps_the_last_good_settings(world: World) -> None:
    world.write("billing.cfg", "[server]\nport = 1\n")
    app = App("billing", schema=Settings, home=world.home)
    first = app.settings
    world.write("billing.cfg", "[server]\nport = x\n")
    for _ in range(2):
        with pytest.raises(SettingsError, match="port: expected a whole number"):
            app.reload()
        assert app.settings is first
        assert app.conf.getint("server", "port") == 1  # nothing has changed
    world.write("billing.cfg", "[server]\nport = [\n[")
    with pytest.raises(FrameworkError):
        app.reload()
    assert app.settings is first
    world.write("billing.cfg", "[server]\nport = 3\n")
    app.reload()
    assert app.settings.server.port == app.conf.getint("server", "port") == 3


def test_settings_that_were_not_asked_for_do_not_stop_a_reload(world: World) -> None:
    app = App("billing", schema=Settings, home=world.home)
    world.write("billing.cfg", "[server]\nport = x\n")
    app.reload()
    assert app.conf.get("server", "port") == "x"
    with pytest.raises(SettingsError):
        _ = app.settings


def test_a_reload_asks_for_each_secret_once(world: World) -> None:
    world.write("store.py", STORE)
    world.write("billing.cfg", "[secrets]\nbackend = store.Store\n[db]\npassword_secret = it\n")
    app = App("billing", schema=Settings, home=world.home)
    assert app.settings.db.password.get_secret_value() == "value-1"
    app.reload()
    assert app.settings.db.password.get_secret_value() == app.conf.get("db", "password") == "value-2"
    import store  # type: ignore[import-not-found]

    assert store.asked == 2
    app.get_variable("nothing", default=None)  # the chain was made anew, and answers
    app.reload()
    assert app.conf.get("db", "password") == "value-3"


STORE = """
from framework import BaseSecretsBackend

asked = 0

class Store(BaseSecretsBackend):
    def get_config(self, key):
        global asked
        asked += 1
        return f"value-{asked}"
    def get_variable(self, key):
        return None
    def get_conn_value(self, conn_id):
        return None
"""


def test_what_is_set_meanwhile_is_in_the_next_settings(world: World) -> None:
    world.write(".env", "NAME=one\n")
    world.write("billing.cfg", "[server.tls]\ncert = $NAME\n")
    app = App("billing", schema=Settings, home=world.home, dotenv=[".env"])
    assert app.settings.server.tls.cert == "one"
    world.write(".env", "NAME=two\n")
    world.set(BILLING__SERVER__PORT="7")
    app.reload()
    assert (app.settings.server.tls.cert, app.settings.server.port) == ("two", 7)
    assert app.conf.get("server.tls", "cert") == "two"


def test_overrides_hold_in_their_context_alone() -> None:
    app = application(Settings)
    before = app.settings
    with app.conf.override({("server", "port"): "5"}):
        assert app.settings.server.port == 5
        seen: list[int] = []
        thread = threading.Thread(target=lambda: seen.append(app.settings.server.port))
        thread.start()
        thread.join()
        assert seen == [8000]
        app.reload()
        assert app.settings.server.port == 5
    assert app.settings.server.port == 8000
    with app.conf.override({("server", "port"): "x"}), pytest.raises(SettingsError):
        app.reload()
    assert app.settings == before


def test_an_isolated_application_has_settings() -> None:
    with isolated("billing", {("server", "port"): "5", ("db", "password"): HIDDEN}, schema=Settings) as app:
        assert app.settings.server.port == conf.getint("server", "port") == 5
        app.reload()
        assert app.settings.db.password.get_secret_value() == HIDDEN


def test_an_application_without_a_class_has_none() -> None:
    with pytest.raises(ConfigError, match="the schema is not a class"):
        _ = application().settings
    with pytest.raises(OptionNotFound):
        application(Settings).conf.get("server", "nothing")


# The project


PROJECT = """
from __future__ import annotations
from dataclasses import dataclass
from framework import Secret

@dataclass
class Server:
    '''Where it listens.'''
    port: int = 8000
    '''The port.'''
    workers: int = 2
    most: int = 4

    def __post_init__(self):
        if self.workers > self.most:
            raise ValueError("workers")

@dataclass
class Db:
    password: Secret
    pool: list[int]

@dataclass
class Settings:
    server: Server
    db: Db
"""


def test_check_checks_the_class_of_the_project(world: World) -> None:
    world.project(schema="billing_settings:Settings")
    world.write("billing_settings.py", PROJECT)
    world.write("billing.cfg", "[server]\nport = x\nworkers = 9\n[db]\npool = 1, y\n")
    status, out, err = world.run("check")
    assert (status, err) == (1, "3 errors, 0 warnings\n")
    assert out.splitlines() == [
        "error: billing_settings.Db.password: [db] password is required and not set. Set BILLING__DB__PASSWORD, or "
        "write `password_secret = NAME` under [db] in billing.cfg.",
        "error: billing.cfg:2: [server] port: expected a whole number, such as 8080, not 'x'.",
        "error: billing.cfg:5: [db] pool: item 2: expected a whole number, such as 8080, not '1, y'.",
    ]
    world.write("billing.cfg", "[server]\nworkers = 9\n[db]\npool = 1\npassword_secret = nothing\n")
    status, err, _ = world.run("check")
    assert status == 1
    assert "error: [server]: Server refuses the values (ValueError at billing_settings.py:" in err
    assert err.count("nothing") == 1  # the pointer is reported once
    status, err, _ = world.run("check", "--offline")
    assert status == 1 and "nothing" not in err and "Server refuses the values" in err


def test_the_commands_know_the_class(world: World) -> None:
    world.project(schema="billing_settings:Settings")
    world.write("billing_settings.py", PROJECT)
    world.write("billing.cfg", "[db]\npool = 1\npassword = " + HIDDEN + "\n")
    status, out, _ = world.run("dump")
    assert status == 0 and "port = 8000" in out and HIDDEN not in out
    out = world.run("explain", "server", "port")[1]
    assert "The port." in out
    out = world.run("config", "list", "--include-descriptions")[1]
    assert "Where it listens." in out and "The port." in out


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("nowhere:Settings", "schema = nowhere:Settings: the class cannot be imported: there is no module nowhere"),
        (
            "billing_settings:Nothing",
            "schema = billing_settings:Nothing: there is no Nothing in the module billing_settings",
        ),
        ("billing_settings:Secret", "framework.binding.secret.Secret is not a class of settings"),
        (
            "broken_settings:Settings",
            "the class cannot be imported: its module fails with ZeroDivisionError when imported",
        ),
        (
            "needy_settings:Settings",
            "the class cannot be imported: its module needs one that is not installed: not_installed_here",
        ),
    ],
)
def test_a_class_that_is_not_there(world: World, schema: str, expected: str) -> None:
    world.project(schema=schema)
    world.write("billing_settings.py", PROJECT)
    world.write("broken_settings.py", "1 / 0\n")
    world.write("needy_settings.py", "import not_installed_here\n")
    status, _, err = world.run("check")
    assert status != 0 and expected in err and "Traceback" not in err


def test_a_file_may_be_called_like_a_class(world: World) -> None:
    world.write("a:b", "")
    with pytest.raises(SchemaError, match="schema = a:b: "):
        App("billing", schema="a:b", home=world.home)
    with pytest.raises(SchemaError, match="unsupported file extension"):
        App("billing", schema="./a:b", home=world.home)


def test_nothing_is_loaded_before_a_class_is_there(world: World) -> None:
    code = (
        "import sys; from framework import App; app = App('billing', home='/x'); app.conf.get('a', 'b', fallback='');"
        "print(*[m for m in sys.modules if m.startswith('framework.binding')], 'typing' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
    code = (
        "import dataclasses, sys; from framework import App; app = App('billing', home='/x', environ={});"
        "S = dataclasses.make_dataclass('S', [('port', int, 5)]); print(app.bind(S, 'server'));"
        "print(*[m for m in ('pydantic', 'attrs', 'msgspec', 'annotated_types') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["S(port=5)"]


# Whatever the code of others does


class Odd:
    """A default that cannot be compared, copied or shown."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError(HIDDEN)

    __hash__ = None  # type: ignore[assignment]

    def isoformat(self) -> str:
        raise RuntimeError(HIDDEN)


def test_a_default_that_does_odd_things_is_left_to_the_class() -> None:
    fields = [
        ("a", str, dataclasses.field(default_factory=Odd)),
        ("b", int, dataclasses.field(default_factory=lambda: 1 // 0)),
        ("c", int, 5),
    ]
    cls = dataclasses.make_dataclass("Server", fields)
    app = application(section(cls), SERVER__B="1")
    assert isinstance(app.bind(section(cls)).server.a, Odd)
    (fault,) = reported(application(section(cls)), section(cls))
    assert fault.startswith(f"[server]: Server refuses the values (ZeroDivisionError at {__file__}:")


def shouts(text: Any) -> Any:
    raise KeyError(f"no {text}")


@pytest.mark.parametrize("kind", ["dataclass", "pydantic"])
@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[str, at.Predicate(shouts)],
        Annotated[str, pydantic.AfterValidator(shouts)],
        Annotated[str, pydantic.BeforeValidator(shouts)],
    ],
    ids=["predicate", "after", "before"],
)
def test_what_a_validator_raises_is_a_fault_without_its_words(annotation: Any, kind: str) -> None:
    cls: type = (
        pydantic.create_model("Server", it=(annotation, ...), other=(int, ...))
        if kind == "pydantic"
        else dataclasses.make_dataclass("Server", [("it", annotation), ("other", int)])
    )
    app = application(section(cls), SERVER__IT=HIDDEN, SERVER__OTHER="x")
    with pytest.raises(SettingsError) as caught:
        app.bind(section(cls))
    assert "no hunter" not in "".join(traceback.format_exception(caught.value))
    assert "[server] other: expected a whole number" in str(caught.value)


def test_a_type_that_pydantic_cannot_build() -> None:
    class Broken:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            raise RuntimeError(HIDDEN)

    cls = dataclasses.make_dataclass("Server", [("it", Broken)])
    with pytest.raises(SchemaError, match=r"Server\.it: pydantic cannot read this type \(RuntimeError\)$"):
        App("billing", schema=section(cls), home="/nonexistent")


def test_a_strict_model_gets_what_it_wants() -> None:
    class Server(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(strict=True, frozen=True)

        port: int
        share: pydantic.StrictFloat
        names: frozenset[str]
        day: datetime.date
        id: uuid.UUID
        key: pydantic.SecretStr

    text = "12345678-1234-5678-1234-567812345678"
    app = application(
        SERVER__PORT="5",
        SERVER__SHARE="1",
        SERVER__NAMES="a",
        SERVER__DAY="2024-05-01",
        SERVER__ID=text,
        SERVER__KEY="k",
    )
    made = app.bind(Server, "server")
    assert (made.port, made.share, made.names, made.id) == (5, 1.0, frozenset("a"), uuid.UUID(text))


def test_a_model_that_takes_other_keys() -> None:
    class Open(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")

        host: str

    cls = dataclasses.make_dataclass("Server", [("it", list[Open])])
    (made,) = application(SERVER__IT='[{"host": "a", "Other": 1}]').bind(cls, "server").it
    assert made.model_extra == {"Other": 1}


@pytest.mark.parametrize("annotation", ["Path", "UUID", "Colour", "date", "float", "HttpUrl", "dict", "bool"])
def test_empty_text_is_none_if_it_is_no_value_of_the_type(annotation: str) -> None:
    import enum
    import pathlib

    kinds: dict[str, Any] = {
        "Path": pathlib.Path,
        "UUID": uuid.UUID,
        "Colour": enum.Enum("Colour", "red"),
        "date": datetime.date,
        "float": float,
        "HttpUrl": pydantic.HttpUrl,
        "dict": dict[str, int],
        "bool": bool,
    }
    cls = dataclasses.make_dataclass("Server", [("it", kinds[annotation] | None, None), ("other", str | None, None)])
    model = pydantic.create_model("Server", it=(kinds[annotation] | None, None), other=(str | None, None))
    for kind in (cls, model):
        made = application(SERVER__IT="", SERVER__OTHER="").bind(kind, "server")
        assert (made.it, made.other) == (None, "")
        made = application(section(kind)).bind(section(kind)).server
        assert (made.it, made.other) == (None, None)


def test_descriptions_come_from_where_they_are_written() -> None:
    import typing_extensions

    described = Annotated[int, pydantic.Field(description="a"), at.Ge(1)]
    fields: list[Any] = [
        ("a", described, 1),
        ("b", Annotated[int, msgspec.Meta(description="b")], 1),
        ("c", Annotated[int, typing_extensions.Doc("c")], 1),
        ("d", int, dataclasses.field(default=1, metadata={"help": "d"})),
    ]
    cls = dataclasses.make_dataclass("Server", fields)
    app = application(section(cls))
    assert [option.description for option in app.schema if option.section == "server"] == ["a", "b", "c", "d"]
    model = pydantic.create_model("Server", a=(described, 1), b=(int, pydantic.Field(1, description="b")))
    app = application(section(model))
    assert [option.description for option in app.schema if option.section == "server"] == ["a", "b"]


def test_offline_nothing_is_followed(world: World) -> None:
    world.project(schema="billing_settings:Settings")
    world.write("billing_settings.py", PROJECT)
    world.write("billing.cfg", "[db]\npool = 1\npassword_cmd = touch HOME/followed\n".replace("HOME", str(world.home)))
    assert world.run("check", "--offline")[:2] == (0, "")
    assert not (world.home / "followed").exists()


def test_a_name_that_looks_like_a_secret_is_reported_in_the_words_of_a_class(world: World) -> None:
    world.project(schema="ours:Settings")
    world.write(
        "ours.py",
        "from dataclasses import dataclass\n"
        "@dataclass\nclass Mail:\n    api_key: str = ''\n@dataclass\nclass Settings:\n    mail: Mail\n",
    )
    out = world.run("check")[1]
    assert "ours.Mail.api_key: [mail] api_key looks like a secret" in out and "make it a Secret" in out


def test_settings_that_are_made_during_a_reload_are_not_kept() -> None:
    """What was read before a reload, and is ready after it, is kept where nobody looks any more."""
    environ = {"BILLING__SERVER__PORT": "1"}
    app = App("billing", schema=Settings, home="/nonexistent", environ=environ)
    bind = app.bind

    def slow(cls: type) -> Any:
        made = bind(cls)
        environ["BILLING__SERVER__PORT"] = "2"
        app.reload()
        return made

    app.bind = slow  # type: ignore[assignment, method-assign]
    assert app.settings.server.port == 1
    app.bind = bind  # type: ignore[method-assign]
    assert app.settings.server.port == 2


@dataclasses.dataclass
class Outer:
    tls: Tls
    tls_2: int = 0


def test_two_options_that_are_one_variable() -> None:
    cls = dataclasses.make_dataclass("Settings", [("server", Outer), ("server_tls", Tls)])
    with pytest.raises(SchemaError, match="one variable would write both"):
        App("billing", schema=cls, home="/nonexistent")


def test_a_command_shows_each_fault_in_a_line(world: World) -> None:
    world.write(
        "ours.py",
        "from framework import App\nfrom test_settings import Settings\n"
        "environ = {'BILLING__SERVER__PORT': 'x', 'BILLING__SERVER__STARTED': 'y'}\n"
        "app = App('billing', schema=Settings, environ=environ)\n"
        "app.bind(Settings)\n",
    )
    status, out, err = world.run("--app", "ours:app", "dump")
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        "error: BILLING__SERVER__PORT: [server] port: expected a whole number, such as 8080, not 'x'",
        "error: BILLING__SERVER__STARTED: [server] started: expected a date, such as 2024-05-01, not 'y'",
    ]


def test_a_section_that_is_written_as_one_text_is_a_fault(world: World) -> None:
    """As pydantic-settings takes it. Here each option has its own variable, and its own origin."""
    app = application(Settings, SERVER__TLS='{"cert": "x"}')
    assert reported(app, Settings) == [
        "BILLING__SERVER__TLS: [server] tls: [server.tls] is a section, and each of its options is set by itself: "
        "BILLING__SERVER_TLS__CERT"
    ]
    world.project(schema="our_settings:Settings")
    world.write("our_settings.py", "from test_settings import Settings\n")
    world.set(BILLING__SERVER__TLS='{"cert": "x"}', BILLING__SERVER='{"port": 5}')
    out = world.run("check")[1]
    assert out.splitlines() == [
        "warning: BILLING__SERVER: this variable is not read by the application; did you mean BILLING__SERVER__PORT?",
        "error: BILLING__SERVER__TLS: [server] tls: no such option is declared; [server.tls] is a section, and each of "
        "its options is set by itself: BILLING__SERVER_TLS__CERT",
    ]


def test_defaults_in_the_form_of_a_cfg_file(world: World) -> None:
    world.project(schema="our_settings:Settings")
    world.write("our_settings.py", "from test_settings import Defaults, section\nSettings = section(Defaults)\n")
    listed = world.run("config", "list", "--defaults")[1]
    assert "# share = 50%%\n" in listed and "# flag = " in listed
    for words in (("dump",), ("config", "list", "--show-values")):
        written = world.run(*words)[1]
        world.write("again.cfg", "".join(f"{line}\n" for line in written.splitlines() if not line.startswith("#")))
        app = App("billing", schema=section(Defaults), home="/nonexistent", config=world.home / "again.cfg")
        assert app.bind(section(Defaults)).server == Defaults()
    import io

    file = io.StringIO()
    world.app().conf.write(file, only_defaults=True, show_values=True)
    assert "share = 50%%" in file.getvalue()


def test_what_a_schema_requires_has_no_default_in_a_class() -> None:
    schema = {"server": {"options": {"port": {"type": "integer", "default": "1", "required": ["production"]}}}}
    cls = dataclasses.make_dataclass("Server", [("port", int, 5)])
    app = App("billing", schema=schema, home="/nonexistent", environ={}, env="production")
    with pytest.raises(SettingsError, match="port: the option is not set"):
        app.bind(cls, "server")
    assert App("billing", schema=schema, home="/nonexistent", environ={}).bind(cls, "server").port == 1


def test_classes_with_the_names_of_the_standard_library() -> None:
    for name in ("Sequence", "Set", "Collection", "Literal", "Callable", "dict"):
        inner = dataclasses.make_dataclass(name, [("size", int, 5)])
        cls = dataclasses.make_dataclass("Server", [("it", inner), ("them", list[inner])])  # type: ignore[valid-type]
        made = application(SERVER_IT__SIZE="7", SERVER__THEM='[{"size": 1}]').bind(cls, "server")
        assert (made.it, made.them) == (inner(7), [inner(1)])


def test_keys_of_a_sensitive_table_are_not_shown() -> None:
    cls = dataclasses.make_dataclass("Server", [("it", Annotated[dict[str, int], Sensitive]), ("open", dict[str, int])])
    peer = dataclasses.make_dataclass("Peer", [("port", int), ("password", Secret)])
    with_peers = dataclasses.make_dataclass("Server", [("it", list[peer])])  # type: ignore[valid-type]
    text = json.dumps({HIDDEN: "x"})
    assert reported(application(section(cls), SERVER__IT=text, SERVER__OPEN='{"a.b": "x"}'), section(cls)) == [
        "BILLING__SERVER__IT: [server] it.…: expected a whole number, such as 8080",
        "BILLING__SERVER__OPEN: [server] open.a.b: expected a whole number, such as 8080, not 'x'",
    ]
    text = json.dumps([{"port": HIDDEN, "password": HIDDEN, HIDDEN: 1}])
    assert reported(application(section(with_peers), SERVER__IT=text), section(with_peers)) == [
        "BILLING__SERVER__IT: [server] it[0].port: expected a whole number, such as 8080",
        "BILLING__SERVER__IT: [server] it[0].…: there is no such key",
    ]
    model = pydantic.create_model("Server", it=(Annotated[pydantic.Json[dict[str, int]], Sensitive], ...))
    (fault,) = reported(application(section(model), SERVER__IT=json.dumps({HIDDEN: "x"})), section(model))
    assert fault == "BILLING__SERVER__IT: [server] it.…: a validator refuses it (int_parsing)"


def test_a_class_is_held_to_the_constraints_of_a_schema_file() -> None:
    options = {"port": {"type": "integer", "maximum": 10}, "mode": {"choices": ["a", "b"]}}
    schema = {"server": {"options": options}}
    cls = dataclasses.make_dataclass("Server", [("port", int, 5), ("mode", str, "a")])
    assert application(schema, SERVER__PORT="7", SERVER__MODE="b").bind(cls, "server") == cls(7, "b")
    with pytest.raises(SettingsError) as caught:
        application(schema, SERVER__PORT="70", SERVER__MODE="c").bind(cls, "server")
    assert [str(fault) for fault in caught.value.faults] == [
        "BILLING__SERVER__PORT: [server] port: expected at most 10, not '70'",
        "BILLING__SERVER__MODE: [server] mode: expected one of 'a', 'b', not 'c'",
    ]


def test_threads_that_ask_first_get_the_same_settings() -> None:
    app, made = application(Settings), list[Any]()
    bind, met = app.bind, threading.Barrier(4, timeout=GUARD)

    def slow(cls: type) -> Any:
        met.wait()
        return bind(cls)

    app.bind = slow  # type: ignore[assignment, method-assign]
    threads = [threading.Thread(target=lambda: made.append(app.settings)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    app.bind = bind  # type: ignore[method-assign]
    assert len(made) == 4 and any(app.settings is one for one in made)


def test_sections_of_the_framework_may_be_in_a_class() -> None:
    core = dataclasses.make_dataclass("Core", [("parallelism", int, 4), ("fernet_key", str, "")])
    cls = dataclasses.make_dataclass("Settings", [("core", core)])
    app = application(cls, CORE__FERNET_KEY=HIDDEN)
    assert app.bind(cls).core == core(4, HIDDEN)
    assert app.engine.is_sensitive("core", "fernet_key")
    assert app.conf.value("core", "command_timeout_seconds") == 30
