"""Kubernetes Secrets, found by a label, whatever they are called: `airflow.apache.org/connection-id: warehouse`.

Those who create the secrets rely on the names of the labels, so they are Airflow's for every application.
"""

from __future__ import annotations

import os

from framework.backends.base import read_each
from framework.backends.faults import denied, refused, throttled, unavailable
from framework.backends.remote import RemoteBackend
from framework.backends.retries import retrying
from framework.backends.session import read_claims
from framework.errors import BackendError, InvalidSecret, SecretsError
from framework.files import trust
from framework.limits import FILE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    #: The client of the API, and the namespace.
    Login = tuple[Any, str]

#: Where a pod finds the namespace that it runs in.
NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

#: (connect, read) in seconds.
_TIMEOUTS = (5, 10)
#: How many names one label selector has: it is part of the URL.
_BATCH = 100
_ANSWERED = "the server answered {code}"


class KubernetesSecretsBackend(RemoteBackend):
    """Secrets of one namespace. In a pod it logs in with the service account, elsewhere with a kubeconfig.

    Args:
        namespace: where the secrets are; by default the pod's own namespace, or that of the kubeconfig's context.
        connections_label, variables_label, config_label: the label whose value is the id; None: the server is not asked
            for that kind.
        team_label: the label whose value is the team that a secret belongs to, as in Airflow; other teams do not see
            it. None: there are no teams.
        connections_data_key, variables_data_key, config_data_key: the key of the secret's data that holds the value.
        kubeconfig: the file to log in with, even in a pod.
        context: the context of the kubeconfig; by default its current one.
    """

    store = "Kubernetes"
    packages = {"kubernetes": "kubernetes"}
    extra = "kubernetes"
    quiet = ("kubernetes", "")  # a program of the kubeconfig is logged without a logger's name
    expired = ("401",)
    faults = {
        "401": refused("Renew the service account or the kubeconfig."),
        "403": denied('Allow the verb "list" on "secrets" there by a Role.'),
        "404": unavailable("This is not the address of a Kubernetes API server: check the kubeconfig.", _ANSWERED),
        "429": throttled(),
        "0": unavailable("Check the API server and the network.", "the server cannot be read ({code})"),
        "": unavailable("Check the API server and the network.", _ANSWERED),
    }
    acts = {"read": ("listing secrets", "")}
    batch_size = _BATCH
    switches = {"connection": "connections_label", "variable": "variables_label", "config": "config_label"}

    def __init__(
        self,
        namespace: str | None = None,
        connections_label: str | None = "airflow.apache.org/connection-id",
        variables_label: str | None = "airflow.apache.org/variable-key",
        config_label: str | None = "airflow.apache.org/config-key",
        team_label: str | None = "airflow.apache.org/team",
        connections_data_key: str = "value",
        variables_data_key: str = "value",
        config_data_key: str = "value",
        kubeconfig: str | None = None,
        context: str | None = None,
    ) -> None:
        super().__init__()
        self._namespace, self._kubeconfig, self._context = namespace, kubeconfig, context
        self._labels = {"connection": connections_label, "variable": variables_label, "config": config_label}
        self._data_keys = {
            "connection": connections_data_key,
            "variable": variables_data_key,
            "config": config_data_key,
        }
        self._team_label = team_label

    def asks_for(self, kind: str, name: str) -> bool:
        return self._labels[kind] is not None

    def places(self, kind: str, name: str) -> list[str]:
        return [f"{self._labels[kind]}={name}"]

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        """Several values of one kind, by one call for each hundred names."""
        label, found = self._labels[kind], dict[str, "str | SecretsError"]()
        wanted = [name for name in dict.fromkeys(names) if label is not None and _can_be_a_label(name)]
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            try:
                secrets = _by_label(self._list(f"{label} in ({','.join(batch)})", None), label or "")
            except SecretsError as fault:
                found |= {name: fault.again() for name in batch}
            else:
                found |= read_each(lambda name: self._value(kind, name, secrets.get(name)), batch)  # noqa: B023
        return found

    def list_names(self, kind: str) -> list[str]:
        """The values of the kind's label in the namespace."""
        label = self._labels[kind]
        return sorted(_by_label(self._list(label, None), label)) if label is not None else []

    def has_own_secrets(self, team: str) -> bool:
        return self._team_label is not None and _can_be_a_label(team)

    def refusal(self, kind: str, secret_id: str, team: str | None) -> str:
        return ""  # a team is a label of its own, and `_team___id`, which Airflow refuses, cannot be a label

    def _get(self, kind: str, name: str, version: str | None = None, team: str | None = None) -> str | None:
        label = self._labels[kind]
        if label is None or not _can_be_a_label(name):
            return None
        return self._value(kind, name, _by_label(self._list(f"{label}={name}", team), label).get(name))

    def _value(self, kind: str, name: str, secrets: list[dict[str, Any]] | None) -> str | None:
        """The text in the only secret that has the label; None if no secret has it."""
        if not secrets:
            return None
        label, key = f"{self._labels[kind]}={name}", self._data_keys[kind]
        names = sorted(str(secret["metadata"].get("name")) for secret in secrets)
        if len(secrets) > 1:
            what = f"{len(secrets)} secrets have the label {label}: {', '.join(names)}"
            raise InvalidSecret(what, where=self.where(), hint="Remove the label from all but one.")
        where, data = f"{self.where()}, secret {names[0]}", secrets[0].get("data") or {}
        if key not in data:
            hint = f"Add the key, or set {self.switches[kind].removesuffix('label')}data_key."
            what = f"it has the label {label}, but no data under the key {key!r}"
            raise InvalidSecret(what, where=where, hint=hint)
        from base64 import b64decode

        try:
            return b64decode(data[key], validate=True).decode()
        except (ValueError, TypeError):
            what = f"the data under the key {key!r} is not text"
            raise InvalidSecret(what, where=where, hint="Store UTF-8 text.") from None

    def _list(self, selector: str, team: str | None) -> list[dict[str, Any]]:
        """The secrets of a team, or of no team, that match the selector.

        Raises:
            AccessDenied, BackendUnavailable: see `faults`.
            BackendError: there are no credentials, or the namespace is not known.
        """
        if self._team_label is not None:
            selector += f",{self._team_label}={team}" if team else f",!{self._team_label}"
        found: list[dict[str, Any]] = []
        # From the server's memory, as Airflow asks: it may miss the last write. Further pages must not ask so.
        more: dict[str, str] = {"resource_version": "0"}
        while more:
            query = {"label_selector": selector, **more}
            page = self.ask(lambda login: _page(login, query)) or {}  # noqa: B023
            token = (page.get("metadata") or {}).get("continue")
            found += page["items"]
            if token and token == more.get("_continue"):
                raise self.failed("0", "its pages repeat endlessly", self.where())
            more = {"_continue": token} if token else {}
        return found

    def where(self, name: str = "", version: str | None = None) -> str:
        return f"Kubernetes namespace {self._clients.get()[1]}"

    def code_of(self, fault: Exception) -> str | tuple[str, str]:
        if not isinstance(fault, _NoList):
            return "0", type(fault).__name__
        return ("0", str(fault)) if fault.status in (0, 200) else str(fault.status)

    def not_opened(self, fault: Exception) -> BackendError:
        what = f"cannot log in with {self._place()} ({type(fault).__name__})"
        hint = "Run in a pod with automountServiceAccountToken, or set kubeconfig in backend_kwargs."
        return self.misconfigured(what, hint)

    def who(self, client: Login) -> str | None:
        settings, namespace = client[0].api_client.configuration, client[1]
        tokens = [str(token).removeprefix("Bearer ") for _, token in sorted((settings.api_key or {}).items())]
        proofs = [str(read_claims(token).get("sub") or token) for token in tokens]  # each pod has its own token
        for path in filter(None, (settings.cert_file, settings.key_file)):
            with open(path, "rb") as file:  # the library reads it, too
                proofs.append(repr(file.read(FILE_BYTES)))
        proofs += filter(None, (settings.username, settings.password))
        return f"{settings.host} {namespace} {proofs}" if proofs else None

    def open(self) -> Login:
        """The client and the namespace."""
        from kubernetes import client, config

        self.logins += 1
        settings, namespace = client.Configuration(), self._namespace
        if self._is_inside():
            config.load_incluster_config(client_configuration=settings)
            namespace = namespace or _pods_namespace()
        else:
            _leave_files_to_the_parent()
            path = self._path()
            if path:  # it may name programs to run
                os.close(trust.opened(path))
            config.load_kube_config(path, self._context, client_configuration=settings, persist_config=False)
            namespace = namespace or _namespace_of(config.list_kube_config_contexts(path), self._context)
        if not namespace:
            where = f"{self.store}, {self._place()}"
            raise BackendError("the namespace is not known", where=where, hint="Set namespace in backend_kwargs.")
        settings.connection_pool_maxsize = 2 * self.max_workers
        settings.retries = retrying(redirect=False)
        return client.CoreV1Api(client.ApiClient(settings)), namespace

    def _is_inside(self) -> bool:
        return self._kubeconfig is None and bool(os.environ.get("KUBERNETES_SERVICE_HOST"))

    def _path(self) -> str | None:
        return trust.inside(self.directory, os.path.expanduser(self._kubeconfig)) if self._kubeconfig else None

    def _place(self) -> str:
        return "the service account" if self._is_inside() else self._path() or "the kubeconfig"


def _leave_files_to_the_parent() -> None:
    """The package writes a kubeconfig's keys to temporary files, which a forked child would remove at its end."""
    from kubernetes.config import kube_config

    def forget() -> None:
        getattr(kube_config, "_temp_files", {}).clear()

    if not _left and hasattr(os, "register_at_fork"):
        _left.append(forget)
        os.register_at_fork(after_in_child=forget)


#: Whether a child keeps the files already.
_left: list[Callable[[], None]] = []


class _NoList(Exception):
    """The answer is not a list of secrets: its status (0: no answer), and what is wrong."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


def _page(login: Login, query: dict[str, str]) -> dict[str, Any]:
    """One answer of the server; one that is cut short is asked for again. Raises _NoList."""
    client, namespace = login
    options = {"_preload_content": False, "_request_timeout": _TIMEOUTS, **query}

    def asked() -> dict[str, Any]:
        import json

        status, what = 0, "it is not a list of secrets"
        try:
            answer = client.list_namespaced_secret(namespace, **options)
            status = answer.status
            page = json.loads(answer.data)
            if _is_list(page):
                return dict(page)
        except Exception as fault:  # its text may quote the answer
            # The reason of an ApiException is a text; that of urllib3's exceptions is another exception.
            reason = getattr(fault, "reason", None)
            what = type(reason if isinstance(reason, BaseException) else fault).__name__
            status = getattr(fault, "status", None) or status
        raise _NoList(status, what)

    try:
        return asked()
    except _NoList as fault:
        if fault.status != 200:
            raise
    return asked()


def _is_list(page: object) -> bool:
    """Whether it is the answer of an API server. A gateway's page with `items` could look like an empty list."""
    if not isinstance(page, dict) or page.get("kind", "SecretList") != "SecretList":
        return False
    return isinstance(page.get("items"), list) and isinstance(page.get("metadata"), dict)


def _can_be_a_label(name: str) -> bool:
    """Whether a label can have this value; then it has no other meaning in a selector either."""
    import re

    return len(name) <= 63 and re.fullmatch("[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?", name) is not None


def _by_label(secrets: list[dict[str, Any]], label: str) -> dict[str, list[dict[str, Any]]]:
    """The secrets for each value of the label."""
    found: dict[str, list[dict[str, Any]]] = {}
    for secret in secrets:
        value = (secret["metadata"].get("labels") or {}).get(label)
        if value:
            found.setdefault(value, []).append(secret)
    return found


def _pods_namespace() -> str | None:
    try:
        with open(NAMESPACE_FILE, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None


def _namespace_of(contexts: tuple[list[dict[str, Any]], Any], name: str | None) -> str | None:
    """The namespace that a kubeconfig's context names."""
    every, current = contexts
    chosen = next((context for context in every if context["name"] == name), None) if name else current
    namespace = (chosen or {}).get("context", {}).get("namespace")
    return None if namespace is None else str(namespace)
