"""Settings classes with type parameters, unions of classes, validators of attrs, and defaults that validators read."""

from __future__ import annotations

import dataclasses
import enum
import pathlib
import sys
import types
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import annotated_types
import attrs
import msgspec
import pydantic
import pytest
import typing_extensions

from framework import App, Secret
from framework.errors import SchemaError, SettingsError

T = TypeVar("T")
Number = TypeVar("Number", bound=int)

HIDDEN = "hunter22-correct-horse"


def application(**environ: str) -> App:
    variables = {f"BILLING__POOL__{name}": text for name, text in environ.items()}
    return App("billing", home="/nonexistent", environ=variables)


def faults(cls: Any, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        application(**environ).bind(cls, "pool")
    error = caught.value
    while error is not None:
        assert HIDDEN not in str(error)
        error = error.__context__  # type: ignore[assignment]
    return [str(fault) for fault in caught.value.faults]


@dataclasses.dataclass
class Data(Generic[T]):
    size: T
    more: list[T] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class DataOfLists(Data[list[T]], Generic[T]):  # the same letter for another type
    top: T | None = None


@dataclasses.dataclass
class DataOfInt(Data[int]):
    pass


class Typed(typing_extensions.TypedDict, Generic[T]):
    size: T


class TypedInt(Typed[int]):
    name: str


class Tupled(NamedTuple, Generic[T]):  # type: ignore[misc]
    size: T


@attrs.define
class Attributes(Generic[T]):
    size: T


class Struct(msgspec.Struct, Generic[T]):
    size: T


class Model(pydantic.BaseModel, Generic[T]):
    size: T


@dataclasses.dataclass
class Bounded(Generic[Number]):
    size: Number


@dataclasses.dataclass
class Around:
    inner: Data[int]
    many: list[Data[float]] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize(
    "cls",
    [Data[int], DataOfInt, Typed[int], Attributes[int], Struct[int], Model[int], Bounded[int], Bounded]
    + ([Tupled[int]] if hasattr(Tupled, "__parameters__") else []),
    ids=str,
)
def test_the_type_of_a_generic_class(cls: Any) -> None:
    made = application(SIZE="8_080").bind(cls, "pool")
    assert (made["size"] if isinstance(made, dict) else made.size) == 8080
    assert faults(cls, SIZE="x") == ["BILLING__POOL__SIZE: [pool] size: expected a whole number, such as 8080, not 'x'"]


def test_each_base_class_has_types_of_its_own() -> None:
    made = application(SIZE="1, 2", MORE="[[3]]", TOP="4").bind(DataOfLists[int], "pool")
    assert made == DataOfLists(size=[1, 2], more=[[3]], top=4)
    assert application(SIZE="1", NAME="2").bind(TypedInt, "pool") == {"size": 1, "name": "2"}


def test_a_generic_class_as_a_section_and_in_a_list() -> None:
    environ = {"BILLING__POOL_INNER__SIZE": "1", "BILLING__POOL__MANY": '[{"size": "1.5"}]'}
    made = App("billing", home="/nonexistent", environ=environ).bind(Around, "pool")
    assert made == Around(inner=Data(1), many=[Data(1.5)])


def test_a_type_that_is_missing() -> None:
    with pytest.raises(SchemaError, match=r"generic, and its T is not given\. Write the type, such as Data\[int\]"):
        application(SIZE="1").bind(Data, "pool")


Port = typing_extensions.TypeAliasType("Port", Annotated[int, annotated_types.Ge(1)])


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` is a statement of Python 3.12")
def test_the_type_statement() -> None:
    source = """
import annotated_types, dataclasses, typing
type Port = typing.Annotated[int, annotated_types.Ge(1)]
type Pair[T] = tuple[T, T]
@dataclasses.dataclass
class Pool[T]:
    size: Port
    more: Pair[T]
    many: list[Pair[Port]]
"""
    module: dict[str, Any] = {"__name__": __name__}
    exec(source, module)
    made = application(SIZE="5", MORE="1, 2", MANY="[[1, 2]]").bind(module["Pool"][int], "pool")
    assert (made.size, made.more, made.many) == (5, (1, 2), [(1, 2)])


def test_an_alias_with_types() -> None:
    cls = dataclasses.make_dataclass("Pool", [("size", Port), ("many", list[Port])])
    assert faults(cls, SIZE="0", MANY="1, 0") == [
        "BILLING__POOL__SIZE: [pool] size: expected at least 1, not '0'",
        "BILLING__POOL__MANY: [pool] many[1]: expected at least 1, not '0'",
    ]


class Local(msgspec.Struct, tag="local"):
    path: str


class Remote(msgspec.Struct, tag="remote"):
    url: str
    token: Secret


@dataclasses.dataclass
class Disk:
    kind: Literal["disk", "tape"]
    path: str


@dataclasses.dataclass
class Cloud:
    kind: Literal["cloud"]
    token: Secret


@dataclasses.dataclass
class Stores:
    tagged: Local | Remote | None = None
    literal: Disk | Cloud | None = None
    many: list[Disk | Cloud] = dataclasses.field(default_factory=list)
    one: list[Local] = dataclasses.field(default_factory=list)


def test_which_of_several_classes_is_selected() -> None:
    made = application(
        TAGGED=f'{{"type": "remote", "url": "u", "token": "{HIDDEN}"}}',
        LITERAL='{"kind": "tape", "path": "/"}',
        MANY=f'[{{"kind": "cloud", "token": "{HIDDEN}"}}, {{"kind": "disk", "path": "/"}}]',
        ONE='[{"type": "local", "path": "a"}, {"path": "b"}]',
    ).bind(Stores, "pool")
    assert made.tagged == Remote("u", Secret(HIDDEN))
    assert made.literal == Disk("tape", "/")
    assert made.many == [Cloud("cloud", Secret(HIDDEN)), Disk("disk", "/")]
    assert made.one == [Local("a"), Local("b")]


def test_a_tag_that_no_class_has() -> None:
    found = faults(
        Stores,
        TAGGED=f'{{"type": "{HIDDEN}"}}',
        LITERAL='{"path": "/"}',
        MANY='[{"kind": "disk"}, {"kind": "clout"}]',
        ONE='[{"type": "remote", "path": "a"}]',
    )
    assert found == [
        "BILLING__POOL__TAGGED: [pool] tagged.type: expected one of 'local', 'remote'",
        "BILLING__POOL__LITERAL: [pool] literal.kind: expected one of 'disk', 'tape', 'cloud'",
        "BILLING__POOL__MANY: [pool] many[0].path: a value is required",
        "BILLING__POOL__MANY: [pool] many[1].kind: expected one of 'disk', 'tape', 'cloud'",
        "BILLING__POOL__ONE: [pool] one[0].type: expected 'local', not 'remote'",
    ]


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]


class Zoo(pydantic.BaseModel):
    pet: Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]
    url: pydantic.PostgresDsn


def test_what_pydantic_expects_is_shown_without_the_value() -> None:
    assert faults(Zoo, PET=f'{{"kind": "{HIDDEN}"}}', URL=f"http://u:{HIDDEN}@h/db") == [
        "BILLING__POOL__PET: [pool] pet: expected one of 'cat', 'dog' for 'kind'",
        "BILLING__POOL__URL: [pool] url: a validator refuses it (url_scheme)",
    ]


def below_ten(instance: Any, attribute: Any, value: int) -> None:
    if value >= instance.limit:
        raise ValueError(f"{HIDDEN}: {value}")


@attrs.define
class Checked:
    limit: int = attrs.field(default=10, validator=[attrs.validators.ge(1), attrs.validators.le(20)])
    name: str = attrs.field(default="a", validator=attrs.validators.max_len(3))
    rest: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.lt(5)))
    first: int = attrs.field(default=0, validator=below_ten)
    second: int = attrs.field(default=0, validator=below_ten)
    inverse: int = attrs.field(default=1, converter=lambda value: 1 // value)
    twice: int = attrs.field(
        default=1, converter=attrs.Converter(lambda value, made: value * made.limit, takes_self=True)
    )
    _private: str = attrs.field(default="ab", validator=attrs.validators.matches_re("a."))


def test_every_validator_of_an_attrs_class_is_asked() -> None:
    assert application(TWICE="2").bind(Checked, "pool").twice == 20
    assert faults(Checked, LIMIT="0", NAME="long", REST="5") == [
        "BILLING__POOL__LIMIT: [pool] limit: expected at least 1, not '0'",
        "BILLING__POOL__NAME: [pool] name: expected a length of at most 3, not 'long'",
        "BILLING__POOL__REST: [pool] rest: expected less than 5, not '5'",
    ]
    found = faults(Checked, FIRST="11", SECOND="12", PRIVATE="b", INVERSE="0")
    assert [line.partition(" refuses")[0] for line in found] == [
        "BILLING__POOL__INVERSE: [pool] inverse: a converter",
        "BILLING__POOL__FIRST: [pool] first: a validator",
        "BILLING__POOL__SECOND: [pool] second: a validator",
        "BILLING__POOL__PRIVATE: [pool] private: a validator",
    ]


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


def same(value: Any) -> Any:
    return value


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (Annotated[list[str], pydantic.BeforeValidator(same)], ["a", "b"]),
        (Annotated[dict[str, int], pydantic.PlainValidator(same)], {"a": 1}),
        (Annotated[set[int], pydantic.WrapValidator(lambda value, inner: inner(value))], {1}),
        (pydantic.Json[list[int]], [1]),
        (Any, {"a": [1]}),
        (Mode, Mode.READ | Mode.WRITE),
        (bytes, b"abc"),
        (bytes, b"\xff"),
    ],
    ids=["list", "dict", "set", "Json", "Any", "Flag", "bytes", "other bytes"],
)
@pytest.mark.parametrize("file_format", ["toml", "json-schema", "python"])
def test_a_default_that_is_not_text_with_a_validator_of_text(annotation: Any, default: Any, file_format: str) -> None:
    from framework.schema_export import export

    model = pydantic.create_model("Pool", it=(annotation, default))
    app = App("billing", home="/nonexistent", schema=pydantic.create_model("Settings", pool=(model, model())))
    assert app.settings.pool.it == default
    assert "it" in export(app.schema, app.engine.names, file_format)


class Item(NamedTuple):
    host: str


@dataclasses.dataclass
class Exported:
    path: pathlib.Path = pathlib.Path("~/data")
    items: list[Item] = dataclasses.field(default_factory=list)
    full: list[Item] = dataclasses.field(default_factory=lambda: [Item("a")])
    names: list[str] = dataclasses.field(default_factory=list)


def test_what_is_exported_as_python_depends_on_no_machine_and_holds_tables() -> None:
    from framework.schema_export import export

    app = App("billing", home="/nonexistent", schema=dataclasses.make_dataclass("Settings", [("pool", Exported)]))
    text = export(app.schema, app.engine.names, "python")
    assert 'path: Path = Path("~/data")' in text
    assert "items: list[Any] = field(default_factory=list)" in text
    assert 'full: list[Any] = field(default_factory=lambda: [{"host": "a"}])' in text
    assert "names: list[str] = field(default_factory=list)" in text
    sys.modules["exported"] = types.ModuleType("exported")
    try:
        exec(compile(text, "exported", "exec"), sys.modules["exported"].__dict__)
        environ = {"BILLING__POOL__ITEMS": '[{"host": "b"}]'}
        again = App("billing", home="/nonexistent", environ=environ).bind(vars(sys.modules["exported"])["Settings"])
    finally:
        del sys.modules["exported"]
    assert again.pool.items == [{"host": "b"}]


def test_a_description_does_not_break_a_table_in_markdown() -> None:
    from framework.schema_export import export

    options = {"size": {"type": "integer", "description": "One | two, `a|b<c>`, <d>", "minimum": 1, "default": 2}}
    app = App("billing", home="/nonexistent", schema={"pool": {"options": options}})
    (row,) = [line for line in export(app.schema, app.engine.names, "markdown").splitlines() if "`size`" in line]
    assert row.endswith("| One \\| two, `a\\|b<c>`, &lt;d>. Minimum: `1`. |")
    assert row.replace("\\|", "").count("|") == 5
