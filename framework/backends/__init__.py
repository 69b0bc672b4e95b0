"""The secrets backends: their short names, and how one is built from the configuration."""

from __future__ import annotations

import os

from framework.backends.base import BaseSecretsBackend
from framework.errors import BackendError, FrameworkError, warn
from framework.files.trust import Found, folder_of
from framework.spellings import is_place
from framework.wording import add_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Short name -> where our class is. Others join by the entry point group `framework.backends`.
SHORT_NAMES = {
    "akeyless": "framework.backends.akeyless.AkeylessBackend",
    "aws_secrets_manager": "framework.backends.aws.SecretsManagerBackend",
    "aws_ssm": "framework.backends.aws.SystemsManagerParameterStoreBackend",
    "azure_key_vault": "framework.backends.azure.AzureKeyVaultBackend",
    "gcp_secret_manager": "framework.backends.gcp.GcpSecretManagerBackend",
    "keyring": "framework.backends.keyring.KeyringBackend",
    "kubernetes": "framework.backends.kubernetes.KubernetesSecretsBackend",
    "local_filesystem": "framework.backends.local_filesystem.LocalFilesystemBackend",
    "mounted_files": "framework.backends.mounted_files.MountedFilesBackend",
    "vault": "framework.backends.vault.VaultBackend",
    "yandex_lockbox": "framework.backends.yandex.LockboxSecretBackend",
}

#: Class path in Airflow -> the short name of its twin here.
AIRFLOW_TWINS = {
    "airflow.providers.akeyless.secrets.akeyless.AkeylessBackend": "akeyless",
    "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend": "aws_secrets_manager",
    "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend": "aws_ssm",
    "airflow.providers.cncf.kubernetes.secrets.kubernetes_secrets_backend.KubernetesSecretsBackend": "kubernetes",
    "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend": "gcp_secret_manager",
    "airflow.providers.hashicorp.secrets.vault.VaultBackend": "vault",
    "airflow.providers.microsoft.azure.secrets.key_vault.AzureKeyVaultBackend": "azure_key_vault",
    "airflow.providers.yandex.secrets.lockbox.LockboxSecretBackend": "yandex_lockbox",
    "airflow.secrets.local_filesystem.LocalFilesystemBackend": "local_filesystem",
}

#: Class path in an older Airflow -> what it is called there today.
RETIRED_PATHS = {
    "airflow.contrib.secrets.aws_secrets_manager.SecretsManagerBackend": "aws_secrets_manager",
    "airflow.contrib.secrets.aws_systems_manager.SystemsManagerParameterStoreBackend": "aws_ssm",
    "airflow.contrib.secrets.azure_key_vault.AzureKeyVaultBackend": "azure_key_vault",
    "airflow.contrib.secrets.gcp_secrets_manager.CloudSecretsManagerBackend": "gcp_secret_manager",
    "airflow.contrib.secrets.hashicorp_vault.VaultBackend": "vault",
    "airflow.providers.google.cloud.secrets.secrets_manager.CloudSecretsManagerBackend": "gcp_secret_manager",
    "airflow.providers.microsoft.azure.secrets.azure_key_vault.AzureKeyVaultBackend": "azure_key_vault",
}

_METHODS = ("get_connection", "get_conn_value", "get_variable", "get_config")


def build(app: Any, section: str, key: str = "backend") -> Any:
    """The custom backend that an option names and the one of its kwargs describes, bound to the application.

    Args:
        section, key: the option that names it: `[secrets] backend`.

    Raises:
        BackendError: the class, its kwargs or its constructor fail; names the option and never a kwarg's value.
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
        error.where = f"{where}: {error.where}".removesuffix(": ")
        raise
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
        backend.find_connection = app.get_connection
    elif _connection_map(app, section) is not None:
        what = f"connection_map is not for {backend_class.__name__}, which reads connections itself"
        raise BackendError(what, where=where, hint="Remove it, or derive the class from BaseSecretsBackend.")
    elif hasattr(backend, "_set_connection_class"):  # a class written for Airflow: have it build our connections
        from framework.connection import Connection

        backend._set_connection_class(Connection)
    return backend


def _connection_map(app: Any, section: str) -> dict[str, Any] | None:
    """`[secrets] connection_map`: how a company's own JSON calls the fields of a connection."""
    from framework.connection import FIELDS

    said: dict[str, Any] | None = app.conf.getjson(section, "connection_map")
    if said is None:
        return None
    known = [field for field in FIELDS if field != "conn_id"]
    what = ""
    if not isinstance(said, dict):
        what = "it is no JSON object"
    elif unknown := [field for field in said if field not in known]:
        what = f"a connection has no field {unknown[0]!r}"
    elif wrong := [field for field, source in said.items() if not _is_source(source)]:
        what = f'the source of {wrong[0]!r} is neither a path nor {{"const": …}}'
    if what:
        where = f"{app.answer(section, 'connection_map').mention.origin}: [{section}] connection_map"
        example = '{"login": "username", "conn_type": {"const": "postgres"}}'
        hint = f"Write {example}; the fields are {', '.join(known)}."
        raise BackendError(what, where=where, hint=hint)
    return said


def _is_source(source: Any) -> bool:
    return isinstance(source, str) or (isinstance(source, dict) and list(source) == ["const"])


def _refuse_unknown(backend_class: Any, places: dict[str, str]) -> None:
    """Raises BackendError for a kwarg that the class does not take, with the place that names it."""
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


def find_class(path: str, where: str) -> Any:
    """The class behind a short name, an Airflow provider's class path, `import:<path>` or a dotted path.

    Raises:
        BackendError: there is none, a short name is claimed twice, or the class is no backend.
    """
    path = path.strip()
    if path.startswith("import:"):
        path = path.removeprefix("import:")
        warn(
            f"{where}: {path} is Airflow's own class: Airflow starts up in this process, and its failures cannot be "
            "told from absence"
        )
    elif path in AIRFLOW_TWINS:
        path = SHORT_NAMES[AIRFLOW_TWINS[path]]
    elif path in RETIRED_PATHS:
        short = RETIRED_PATHS[path]
        today = next(twin for twin, name in AIRFLOW_TWINS.items() if name == short)
        warn(f"{where}: {path} is the class path of an older Airflow; today it is {today}", DeprecationWarning)
        path = SHORT_NAMES[short]
    elif "." not in path:
        path = _short_name(path, where)
    elif path.startswith("airflow."):
        raise BackendError(f"{path} has no twin here", where=where, hint=_nearest_twin(path))
    from framework.convert import to_import
    from framework.files import modules

    modules.extend_path()
    try:
        found = to_import(path.replace(":", "."))
    except ValueError as fault:
        if isinstance(fault.__cause__, modules.UntrustedModule):
            raise fault.__cause__
        what = str(fault).rpartition("; ")[2]
    else:
        if isinstance(found, type) and any(hasattr(found, method) for method in _METHODS):
            return found
        what = "it is no secrets backend: it has none of " + ", ".join(_METHODS)
    raise BackendError(f"the class {path} cannot be used: {what}", where=where, hint="Correct the class path.")


def _nearest_twin(path: str) -> str:
    """What to write for a class path of Airflow's that is not known: classes were moved, and are misspelt."""
    from difflib import get_close_matches

    names = {twin.rpartition(".")[2]: twin for twin in (*RETIRED_PATHS, *AIRFLOW_TWINS)}
    near = get_close_matches(path.rpartition(".")[2], names, 1, 0.85)
    own = f"write import:{path} to load Airflow's own class."
    if not near:
        return own[0].upper() + own[1:]
    twin = names[near[0]]
    today = next(known for known, short in AIRFLOW_TWINS.items() if short == RETIRED_PATHS.get(twin) or known == twin)
    return f"Did you mean {today}? Or {own}"


def _short_name(name: str, where: str) -> str:
    if name in SHORT_NAMES and not _others_join():
        return SHORT_NAMES[name]
    from importlib.metadata import entry_points

    claims = [point.value for point in entry_points(group="framework.backends") if point.name == name]
    if name in SHORT_NAMES:
        claims.append(SHORT_NAMES[name])
    if len(set(claims)) > 1:
        raise BackendError(
            f"the short name {name!r} is claimed by {' and '.join(sorted(set(claims)))}",
            where=where,
            hint="Write the class path instead.",
        )
    if not claims:
        raise BackendError(
            f"there is no backend called {name!r}",
            where=where,
            hint=f"Use one of {', '.join(sorted(SHORT_NAMES))}, or a class path.",
        )
    return claims[0]


def _others_join() -> bool:
    """Whether an installed package may have a backend in our entry point group. `importlib.metadata` knows it exactly,
    but loading it can cost as much as all the rest of a start: a look into the files that it reads says whether to."""
    import sys

    if "importlib.metadata" in sys.modules:
        return True
    for folder in sys.path:
        try:
            packages = [name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info"))]
        except NotADirectoryError:  # an archive, which only importlib.metadata opens
            return True
        except OSError:
            continue
        for package in packages:
            try:
                with open(os.path.join(folder, package, "entry_points.txt"), "rb") as file:
                    if b"framework.backends" in file.read():
                        return True
            except OSError:  # a package without entry points
                continue
    return False


def _kwargs(app: Any, section: str, key: str, backend_class: Any) -> tuple[dict[str, Any], dict[str, str], str]:
    """The constructor's arguments, the place of each, and the folder of the file that names them."""
    answer = app.engine.answer(section, f"{key}_kwargs")
    kwargs: dict[str, Any] = {}
    directory: str = Found()  # of a single kwarg in the environment
    place = ""
    if answer is not None:
        path = answer.mention.source.file_of(answer.mention.origin)
        directory = folder_of(path)
        place = f"{answer.mention.origin}: [{section}] {key}_kwargs"
        kwargs = _parsed(answer.value, place)
    places = dict.fromkeys(kwargs, place)
    start = app.names.backend_kwarg(section, key)
    for name, (text, origin) in app.environment.starting(start).items():
        if name:
            if not is_place(name):
                from framework.masking import add_mask

                add_mask(text)
            kwargs[name.lower()] = _cast(backend_class, name.lower(), text, origin)
            places[name.lower()] = origin
    add_names(kwargs)
    return kwargs, places, directory


def _parsed(value: Any, where: str) -> dict[str, Any]:
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


def _cast(backend_class: Any, name: str, text: str, origin: str) -> Any:
    """A single kwarg from the environment, as its parameter is annotated: bool, int, float, list, dict, else text."""
    from inspect import signature

    from framework import convert

    try:
        annotation = signature(backend_class).parameters[name].annotation
    except (KeyError, ValueError, TypeError):
        return text
    said = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    kinds = {
        "bool": convert.to_bool,
        "int": convert.to_int,
        "float": convert.to_float,
        "list": convert.to_json,
        "dict": convert.to_json,
    }
    if "str" in said.replace("dict[str", "dict[").replace("list[str", "list["):
        return text
    for kind, to in kinds.items():
        if kind in said:
            try:
                return to(text)
            except ValueError as fault:
                what = str(fault)
            raise BackendError(what, where=origin, hint=f"The parameter {name} is annotated {said}.")
    return text


def _is_of_the_call(error: TypeError) -> bool:
    """Whether the TypeError is Python's own about the call: its text holds names of parameters only."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_next.tb_frame.f_code.co_name == "entered":
        trace = trace.tb_next  # the wrapper of a constructor of ours, see `errors.public`
    return trace is not None and trace.tb_next is None


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    own = trace is None or trace.tb_frame.f_code.co_filename == __file__
    return "" if own or trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
