"""Builds a secrets backend from the configuration."""

from __future__ import annotations

from _weakref import ref

from framework.backends.base import BaseSecretsBackend
from framework.backends.registry import AIRFLOW_TWINS, RETIRED_PATHS, find_class
from framework.errors import BackendError, FrameworkError, InvalidArgument
from framework.files.trust import Found, folder_of
from framework.masking import known
from framework.masking.search import is_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from framework.connection import Connection
    from framework.layers.base import Layer
    from framework.layers.environment import Environment
    from framework.names import Names

    class Mention(Protocol):
        """Where an option is set."""

        origin: str
        source: Layer

    class Answer(Protocol):
        value: Any

        @property
        def mention(self) -> Mention: ...

    class Engine(Protocol):
        environment: Environment
        names: Names

        def answer(self, section: str, key: str) -> Answer | None: ...

    class Config(Protocol):
        def value(self, section: str, key: str) -> Any: ...
        def getjson(self, section: str, key: str) -> Any: ...

    class Application(Protocol):
        """What a backend is built from."""

        name: str

        @property
        def conf(self) -> Config: ...
        @property
        def engine(self) -> Engine: ...
        def answer(self, section: str, key: str) -> Answer: ...
        def get_connection(self, conn_id: str) -> Connection: ...


def build(app: Application, section: str, key: str = "backend") -> Any:
    """The custom backend that an option names, with the kwargs of another option, bound to the application.

    Args:
        section, key: the option that names it: `[secrets] backend`.

    Raises:
        BackendError: the class, its kwargs or its constructor fail. It names the option, but never a kwarg's value.
    """
    answer = app.answer(section, key)
    where = f"{answer.mention.origin}: [{section}] {key}"
    path = str(answer.value).strip()
    backend_class = find_class(path, where)
    kwargs, places, directory = _kwargs(app, section, key, backend_class)
    fault: BaseException | None = None
    what = ""
    try:
        backend = backend_class(**kwargs)
    except BackendError as error:
        error.where = f"{_place_of(error.what, places, where)}: {error.where}".removesuffix(": ")
        raise
    except InvalidArgument as error:  # a kwarg of a wrong type; it is named where the place of the error would be
        raise BackendError(f"{error.where}: {error.what}", where=_place_of(error.where, places, where)) from None
    except FrameworkError:
        raise
    except TypeError as error:
        _refuse_unknown(backend_class, places)
        fault, what = error, f"TypeError: {error}" if _is_of_the_call(error) else "TypeError"
    except (Exception, SystemExit) as error:
        fault, what = error, type(error).__name__
    if fault is not None:
        raise BackendError(
            f"{backend_class.__name__} cannot be built ({what}{_place(fault)})",
            where=where,
            hint=f"Check [{section}] {key}_kwargs.",
        )
    if isinstance(backend, BaseSecretsBackend):
        backend.max_workers = app.conf.value("secrets", "max_workers")
        backend.bind("airflow" if path in AIRFLOW_TWINS or path in RETIRED_PATHS else app.name, directory)
        backend.connection_map = _connection_map(app, section)
        backend.find_connection = _finder(app)
        backend.made_from = lambda: _digest(backend, kwargs)  # few ask for it
    elif _connection_map(app, section) is not None:
        what = f"connection_map does not apply to {backend_class.__name__}, which reads connections itself"
        raise BackendError(what, where=where, hint="Remove it, or derive the class from BaseSecretsBackend.")
    elif hasattr(backend, "_set_connection_class"):  # a class written for Airflow: it must build our connections
        from framework.connection import Connection

        backend._set_connection_class(Connection)
    return backend


def _digest(backend: BaseSecretsBackend, kwargs: Mapping[str, object]) -> str:
    """Names the class of a backend and all that it was made from. It does not show them."""
    import json
    from hashlib import sha256

    kind = type(backend)
    parts = [f"{kind.__module__}.{kind.__qualname__}", backend.app_name, backend.connection_map, kwargs]
    return sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).hexdigest()


def _finder(app: Application) -> Callable[[str], Connection]:
    """Finds connections of an application, which it does not keep alive: what a backend has issued outlives it."""
    me = ref(app)

    def find(conn_id: str) -> Connection:
        app = me()
        if app is None:
            raise BackendError(f"the application with the connection {conn_id!r} no longer exists")
        return app.get_connection(conn_id)

    return find


def _connection_map(app: Application, section: str) -> dict[str, object] | None:
    """`[secrets] connection_map`: field of a connection -> its path in a company's own JSON."""
    found: dict[str, Any] | None = app.conf.getjson(section, "connection_map")
    if found is None:
        return None
    from framework.connection import FIELDS

    known = [field for field in FIELDS if field != "conn_id"]
    what = ""
    if not isinstance(found, dict):
        what = "it is not a JSON object"
    elif unknown := [field for field in found if field not in known]:
        what = f"a connection has no field {unknown[0]!r}"
    elif wrong := [field for field, source in found.items() if not _is_source(source)]:
        what = f'the source of {wrong[0]!r} is neither a path nor {{"const": …}}'
    if what:
        where = f"{app.answer(section, 'connection_map').mention.origin}: [{section}] connection_map"
        example = '{"login": "username", "conn_type": {"const": "postgres"}}'
        hint = f"Write {example}; the fields are {', '.join(known)}."
        raise BackendError(what, where=where, hint=hint)
    return found


def _is_source(source: object) -> bool:
    return isinstance(source, str) or (isinstance(source, dict) and list(source) == ["const"])


def _place_of(what: str, places: dict[str, str], where: str) -> str:
    """The place of the kwarg whose name a message begins with; else that of the option which names the backend."""
    return places.get(what.partition(" ")[0].rstrip(":"), where)


def _refuse_unknown(backend_class: Any, places: dict[str, str]) -> None:
    """Raises BackendError for a kwarg that the class does not accept, with its place."""
    from difflib import get_close_matches
    from inspect import signature

    parameters = signature(backend_class).parameters
    retired = getattr(backend_class, "retired", None)
    if retired is None and any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name, place in places.items():
        if name not in parameters and name not in (retired or ()):
            known = [each for each, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]
            near = get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(known) or 'none'}."
            raise BackendError(f"{backend_class.__name__} takes no argument {name!r}", where=place, hint=hint)


def _kwargs(
    app: Application, section: str, key: str, backend_class: object
) -> tuple[dict[str, object], dict[str, str], str]:
    """The constructor's arguments, the place of each, and the folder of the file that names them."""
    answer = app.engine.answer(section, f"{key}_kwargs")
    kwargs: dict[str, object] = {}
    directory: str = Found()  # of a single kwarg in the environment
    place = ""
    if answer is not None:
        path = answer.mention.source.file_of(answer.mention.origin)
        directory = folder_of(path)
        place = f"{answer.mention.origin}: [{section}] {key}_kwargs"
        kwargs = _parsed(answer.value, place)
    places = dict.fromkeys(kwargs, place)
    start = app.engine.names.backend_kwarg(section, key)
    for name, (text, origin) in app.engine.environment.starting(start).items():
        if name:
            if not is_place(name):
                from framework.masking import add_mask

                add_mask(text)
            kwargs[name.lower()] = _cast(backend_class, name.lower(), text, origin)
            places[name.lower()] = origin
    known.argument_names.update(kwargs)
    return kwargs, places, directory


def _parsed(value: object, where: str) -> dict[str, object]:
    from framework.convert import to_json

    try:
        parsed = to_json(value)
    except ValueError as fault:
        what = str(fault)
    else:
        if parsed is None:
            return {}
        if isinstance(parsed, dict):
            return dict(parsed)
        what = "it must be a JSON object"
    raise BackendError(
        f"the kwargs cannot be read: {what}",
        where=where,
        hint='Write {"name": "value"} with double quotes, null, true and false (not None, True, False).',
    )


def _cast(backend_class: Any, name: str, text: str, origin: str) -> object:
    """A single kwarg from the environment, as its parameter is annotated: bool, int, float, list, dict, else text."""
    from inspect import signature

    from framework import convert

    try:
        annotation = signature(backend_class).parameters[name].annotation
    except (KeyError, ValueError, TypeError):
        return text
    name_of_type = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    kinds = {
        "bool": convert.to_bool,
        "int": convert.to_int,
        "float": convert.to_float,
        "list": convert.to_json,
        "dict": convert.to_json,
    }
    if "str" in name_of_type.replace("dict[str", "dict[").replace("list[str", "list["):
        return text
    for kind, to in kinds.items():
        if kind in name_of_type:
            try:
                return to(text)
            except ValueError as fault:
                what = str(fault)
            raise BackendError(what, where=origin, hint=f"The parameter {name} is annotated {name_of_type}.")
    return text


def _is_of_the_call(error: TypeError) -> bool:
    """Whether the TypeError is Python's own about the call: then its text has only names of parameters."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_next.tb_frame.f_code.co_name == "entered":
        trace = trace.tb_next  # the wrapper around our constructors, see `errors.public`
    return trace is not None and trace.tb_next is None


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    own = trace is None or trace.tb_frame.f_code.co_filename == __file__
    return "" if own or trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
