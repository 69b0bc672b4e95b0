"""An existing BaseSettings class with our source: its models and validators stay, files, pointers and the chain come.

Several cases are those of pydantic-settings' own tests of its sources, rewritten over our files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Optional

import pytest

from framework import App, errors

pydantic = pytest.importorskip("pydantic")
pydantic_settings = pytest.importorskip("pydantic_settings")

from pydantic import AliasChoices, AliasPath, BaseModel, Field, SecretStr, field_validator  # noqa: E402
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict  # noqa: E402

from framework.integrations.pydantic_settings import FrameworkSource  # noqa: E402

CANARY = "canary-api-key"


def with_source(app: App, *, first: bool = False, **options: Any) -> Any:
    """A base class whose source is the application, below the environment or above it."""

    class Base(BaseSettings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: Any, init_settings: Any, env_settings: Any, **rest: Any
        ) -> Any:
            ours = FrameworkSource(settings_cls, app, **options)
            kept = rest["dotenv_settings"], rest["file_secret_settings"]
            return (init_settings, ours, env_settings, *kept) if first else (init_settings, env_settings, *kept, ours)

    return Base


@pytest.fixture
def base(world: Any) -> Any:
    """Makes such a class for an application with one TOML file."""

    def make(text: str = "", schema: Any = None, sensitive: Iterable[str] = (), **options: Any) -> Any:
        world.write("app.toml", text)
        app = App(
            "billing", home=world.home, config_files=[world.home / "app.toml"], schema=schema, sensitive=[*sensitive]
        )
        return with_source(app, **options)

    return make


class Tls(BaseModel):
    cert: str
    key: Optional[str] = None  # noqa: UP045 - as people write it


class Server(BaseModel):
    port: int = Field(ge=1)
    host: str = "localhost"
    origins: list[str] = []
    tls: Tls | None = None


class Mail(BaseModel):
    pin: int


def test_models_are_sections_and_fields_are_options(base: Any, world: Any) -> None:
    text = '[server]\nport = 8443\norigins = ["a", "b"]\n[server.tls]\ncert = "c.pem"\n[app]\ndebug = true\n'

    class Settings(base(text)):  # type: ignore[misc]
        server: Server
        debug: bool = False
        absent: str = "default"

    world.set(BILLING__SERVER__HOST="h")
    found = Settings()
    assert found.server == Server(port=8443, host="h", origins=["a", "b"], tls=Tls(cert="c.pem"))
    assert found.debug is True
    assert found.absent == "default"


def test_variables_with_the_class_prefix_and_delimiter_stay(base: Any, world: Any) -> None:
    class Settings(base("[server]\nport = 1\nhost = 'of the file'\n")):  # type: ignore[misc]
        model_config = SettingsConfigDict(env_prefix="SHOP_", env_nested_delimiter="__")
        server: Server

    world.set(SHOP_SERVER__PORT="9000")
    assert Settings().server == Server(port=9000, host="of the file")
    assert Settings(server={"port": 3}).server.port == 3


def test_secrets_dir_and_env_file_stay(base: Any, world: Any) -> None:
    world.write("run/api_key", CANARY)
    world.write("old.env", "TOKEN=t\n")

    class Settings(base("[app]\nother = 'x'\n")):  # type: ignore[misc]
        model_config = SettingsConfigDict(secrets_dir=world.home / "run", env_file=world.home / "old.env")
        api_key: SecretStr
        token: str
        other: str

    found = Settings()
    assert (found.api_key.get_secret_value(), found.token, found.other) == (CANARY, "t", "x")


def test_the_order_of_the_sources_says_who_wins(base: Any, world: Any) -> None:
    class Settings(base("[app]\nname = 'ours'\n", first=True)):  # type: ignore[misc]
        name: str

    world.set(NAME="of the variable")
    assert Settings().name == "ours"


def test_a_secret_comes_through_a_pointer_and_errors_do_not_show_it(base: Any, world: Any) -> None:
    text = "[app]\napi_key_secret = 'key'\n[mail]\npin_file = 'pin'\n"
    world.write("pin", CANARY)
    world.set(BILLING_SECRET_KEY=CANARY)

    def settings() -> Any:
        class Settings(base(text, sensitive=["*.api_key", "*.pin"])):  # type: ignore[misc]
            api_key: SecretStr
            mail: Mail

        return Settings()

    with pytest.raises(pydantic.ValidationError, match="pin") as caught:
        settings()
    assert CANARY not in str(caught.value)
    world.write("pin", "1234")
    found = settings()
    assert found.api_key.get_secret_value() == CANARY
    assert found.mail.pin == 1234


def test_a_pointer_that_leads_nowhere_is_our_error(base: Any) -> None:
    class Settings(base("[app]\nkey_secret = 'gone'\n", sensitive=["app.key"])):  # type: ignore[misc]
        key: str = "default"

    with pytest.raises(errors.PointerError, match="secret 'gone' not found"):
        Settings()


def test_texts_of_variables_become_lists_and_tables(base: Any, world: Any) -> None:
    class Settings(base()):  # type: ignore[misc]
        tags: list[str] = []
        ids: set[int] = set()
        pair: tuple[int, int] = (0, 0)
        limits: dict[str, int] = {}
        server: Server
        plain: Annotated[list[str], NoDecode] = []
        maybe: list[int] | None = None

        @field_validator("plain", mode="before")
        @classmethod
        def _split(cls, value: Any) -> Any:
            return value.split(";") if isinstance(value, str) else value

    world.set(
        BILLING__APP__TAGS="a, b",
        BILLING__APP__IDS="[1, 2]",
        BILLING__APP__PAIR="1,2",
        BILLING__APP__LIMITS='{"x": 1}',
        BILLING__APP__SERVER='{"port": 1, "host": "json"}',
        BILLING__SERVER__PORT="2",
        BILLING__APP__PLAIN="a;b",
        BILLING__APP__MAYBE="3",
    )
    found = Settings()
    assert found.tags == ["a", "b"]
    assert found.ids == {1, 2}
    assert found.pair == (1, 2)
    assert found.limits == {"x": 1}
    assert found.server == Server(port=2, host="json")
    assert found.plain == ["a", "b"]
    assert found.maybe == [3]


def test_a_table_that_is_not_json_is_named_with_its_origin(base: Any, world: Any) -> None:
    class Settings(base()):  # type: ignore[misc]
        limits: dict[str, int] = {}

    world.set(BILLING__APP__LIMITS="a=1")
    with pytest.raises(errors.InvalidValue, match=r"\[app\] limits in BILLING__APP__LIMITS"):
        Settings()


def test_a_dictionary_is_a_whole_section(base: Any) -> None:
    class Settings(base("[limits]\na = 1\nb = 2\n")):  # type: ignore[misc]
        limits: dict[str, int]

    assert Settings().limits == {"a": 1, "b": 2}


def test_a_list_of_models_comes_from_a_typed_file(base: Any) -> None:
    class Peer(BaseModel):
        name: str

    class Settings(base("[app]\npeers = [{name = 'a'}, {name = 'b'}]\n")):  # type: ignore[misc]
        peers: list[Peer]

    assert [peer.name for peer in Settings().peers] == ["a", "b"]


def test_dataclasses_and_unions_of_models(base: Any) -> None:
    @dataclasses.dataclass
    class Pool:
        size: int
        name: str = "main"

    class Cat(BaseModel):
        kind: Literal["cat"]
        lives: int

    class Dog(BaseModel):
        kind: Literal["dog"]
        legs: int = 4

    class Settings(base("[pool]\nsize = 3\n[pet]\nkind = 'cat'\nlives = 9\n")):  # type: ignore[misc]
        pool: Pool
        pet: Cat | Dog = Field(discriminator="kind")

    found = Settings()
    assert found.pool == Pool(3)
    assert found.pet == Cat(kind="cat", lives=9)


def test_aliases_are_how_the_class_takes_a_value_not_how_the_option_is_called(base: Any) -> None:
    text = "[app]\nurl = 'u'\nretries = 3\nby_alias = 1\nlegacy = 5\n"

    class Settings(base(text)):  # type: ignore[misc]
        url: str = Field(validation_alias=AliasChoices("DATABASE_URL", "DB"))
        retries: int = Field(alias="maxRetries")
        named: int = Field(alias="by_alias")
        deep: int = Field(default=0, validation_alias=AliasPath("outer", "inner"))
        legacy_name: int = Field(validation_alias=AliasChoices(AliasPath("x", 0), "legacy"))

    found = Settings()
    assert (found.url, found.retries, found.named, found.deep, found.legacy_name) == ("u", 3, 1, 0, 5)

    class Both(base(text)):  # type: ignore[misc]
        model_config = SettingsConfigDict(populate_by_name=True)
        retries: int = Field(alias="maxRetries")

    assert Both().retries == 3


def test_the_schema_converts_and_checks_first(base: Any, world: Any) -> None:
    schema = {"app": {"options": {"port": {"type": "integer", "maximum": 10}}}}

    class Settings(base(schema=schema)):  # type: ignore[misc]
        port: int

    world.set(BILLING__APP__PORT="0_9")
    assert Settings().port == 9
    world.set(BILLING__APP__PORT="11")
    with pytest.raises(errors.InvalidValue, match="BILLING__APP__PORT"):
        Settings()


def test_an_empty_variable_is_text_unless_the_class_ignores_it(base: Any, world: Any) -> None:
    world.set(BILLING__APP__NAME="")

    class Settings(base()):  # type: ignore[misc]
        name: str = "default"

    class Ignoring(base()):  # type: ignore[misc]
        model_config = SettingsConfigDict(env_ignore_empty=True)
        name: str = "default"

    assert Settings().name == ""
    assert Ignoring().name == "default"


def test_the_section_of_plain_fields_can_be_named(base: Any) -> None:
    class Settings(base("[shop]\nname = 'x'\n", section="shop")):  # type: ignore[misc]
        name: str

    assert Settings().name == "x"


def test_each_new_object_reads_again(base: Any, world: Any) -> None:
    class Settings(base()):  # type: ignore[misc]
        name: str = "default"

    assert Settings().name == "default"
    world.set(BILLING__APP__NAME="later")
    assert Settings().name == "later"


def test_the_current_application_is_used_if_none_is_given(world: Any) -> None:
    from framework import current

    world.project(config_files=["app.toml"])
    world.write("app.toml", "[app]\nname = 'found'\n")
    current.use(None)

    class Settings(BaseSettings):
        name: str

        @classmethod
        def settings_customise_sources(cls, settings_cls: Any, **sources: Any) -> Any:
            return (FrameworkSource(settings_cls),)

    current.use(world.app())
    assert Settings().name == "found"


def test_a_model_that_holds_itself_ends_with_what_is_written(base: Any) -> None:
    class Settings(base("[node]\nname = 'a'\n[node.child]\nname = 'b'\n")):  # type: ignore[misc]
        node: Node

    assert Settings().node == Node(name="a", child=Node(name="b"))


class Node(BaseModel):
    name: str
    child: Node | None = None


def test_one_field_can_be_asked_for(base: Any) -> None:
    """What subclasses of a source call."""

    class Settings(base("[app]\nname = 'x'\n")):  # type: ignore[misc]
        name: str = ""

    app = App("billing", environ={"BILLING__APP__NAME": "y"})
    source = FrameworkSource(Settings, app)
    assert source.get_field_value(Settings.model_fields["name"], "name") == ("y", "name", False)
