"""`RemoteStore` by itself, over a dictionary: what every remote store inherits."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from store_checks import refused

from framework import App, errors
from framework.backends import base, named
from framework.backends.azure import AzureKeyVaultBackend
from framework.backends.kubernetes import KubernetesSecretsBackend
from framework.backends.remote import RemoteStore

CANARY = "value-canary"


class Answer(Exception):
    """What the store says instead of a value."""


class Plain(RemoteStore):
    """A store that has a table of failures."""

    store = "Plain"
    name_rule = ("[a-z/_0-9-]+", "small letters, digits, /, _ and -")
    version_rule = "[0-9]+"
    expired = ("expired",)
    acts = {"read": ("reading it", "see"), "list": ("listing the secrets", "look")}
    faults = {
        "gone": None,
        "no": (errors.AccessDenied, "{doing} is denied ({code})", "Grant {right}."),
    }

    def __init__(self, place: str = "here", **names: Any) -> None:
        super().__init__(**names)
        self.place, self.values, self.asked = place, dict[str, Any](), list[Any]()

    def open(self) -> str:
        self.logins += 1
        return f"client {self.logins}"

    def code_of(self, fault: Exception) -> str | tuple[str, str]:
        return fault.args if len(fault.args) > 1 else str(fault)  # type: ignore[return-value]

    def fetch(self, client: str, name: str, version: str | None) -> Any:
        self.asked.append((client, name, version))
        value = self.values.get(name)
        if isinstance(value, Exception):
            raise value
        return value

    def names(self, client: str, start: str) -> list[str]:
        raise Answer("no")


class Batches(Plain):
    """One with a call for three names."""

    batch_size = 3

    def fetch_many(self, client: str, names: list[str]) -> dict[str, Any]:
        self.asked.append(names)
        if isinstance(fault := self.values.get("batch"), Exception):
            raise fault
        return {name: self.values[name] for name in names if name in self.values}


def at(name: str) -> str:
    return f"airflow/variables/{name}"


def test_a_code_is_a_row_of_the_table() -> None:
    store = Plain()
    store.values = {at("gone"): Answer("gone"), at("no"): Answer("no"), at("odd"): Answer("odd")}
    assert store.get_variable("gone") is None
    denied = refused(errors.AccessDenied, lambda: store.get_variable("no"))
    expected = "reading it is denied (no)", f"Plain: {at('no')}", "Grant see."
    assert (denied.what, denied.where, denied.hint) == expected
    assert "Grant look." in str(refused(errors.AccessDenied, lambda: store.list_names("variable")))
    assert "does not answer (odd)" in refused(errors.BackendUnavailable, lambda: store.get_variable("odd")).what


def test_what_is_shown_of_a_code_fills_nothing_in() -> None:
    store = Plain()
    store.values = {at("x"): Answer("no", "{right} {doing}")}
    assert (
        refused(errors.AccessDenied, lambda: store.get_variable("x")).what == "reading it is denied ({right} {doing})"
    )


def test_an_expired_login_is_renewed_once() -> None:
    store = Plain()
    store.values = {at("x"): Answer("expired")}
    refused(errors.BackendUnavailable, lambda: store.get_variable("x"))
    assert [client for client, *_ in store.asked] == ["client 1", "client 2"]


def test_names_and_versions_that_cannot_be_are_absent_and_never_asked_for() -> None:
    store = Plain()
    assert store.get_variable("A b") is store.get_config_version("x", "latest") is None
    assert store.get_many("variable", ["Ü"]) == {}
    assert store.asked == []
    with pytest.raises(errors.BackendError, match=r"config_prefix and sep .* Use small letters"):
        Plain(config_prefix="Up")


def test_bytes_become_text_or_are_invalid() -> None:
    store = Plain()
    store.values = {at("x"): "ü".encode(), at("bad"): b"\xff" + CANARY.encode()}
    assert store.get_variable("x") == "ü"
    refused(errors.InvalidSecret, lambda: store.get_variable("bad"), CANARY)


def test_what_a_batch_leaves_open_is_asked_for_alone() -> None:
    store = Batches()
    store.values = {at("a"): "1", at("b"): None, at("bad"): b"\xff"}
    many = store.get_many("variable", ["a", "b", "bad", "late"])
    assert many["a"] == "1"
    assert isinstance(many["bad"], errors.InvalidSecret)
    assert set(many) == {"a", "bad"}
    assert store.asked == [[at("a"), at("b"), at("bad")], ("client 1", at("late"), None)]


def test_a_batch_that_fails_is_the_failure_of_each_name() -> None:
    store = Batches()
    store.values = {"batch": Answer("no")}
    many = store.get_many("variable", ["a", "b"])
    assert [fault.where for fault in many.values()] == [f"Plain: {at('a')}", f"Plain: {at('b')}"]  # type: ignore[union-attr]


def test_a_missing_package_without_an_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plain, "packages", {"acme_client_that_is_not_there": "acme-client"})
    fault = refused(errors.BackendError, lambda: Plain().get_variable("x"))
    assert (fault.what, fault.hint) == ("the package acme-client is not installed", "Run pip install acme-client.")


def test_the_signature_has_what_is_handed_on() -> None:
    parameters = signature(Plain).parameters
    assert {"place", "variables_prefix", "sep", "config_lookup_pattern"} <= set(parameters)
    assert {"names", "args", "kwargs", "__annotations__"}.isdisjoint(parameters)
    assert not set(signature(KubernetesSecretsBackend).parameters) & {"sep", "connections_prefix", "kwargs"}
    assert {"client", "sep", "vault_url"} <= set(signature(AzureKeyVaultBackend).parameters)


def test_a_misspelt_kwarg_is_reported_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for short, wrong, right in (
        ("vault", "kubernetes_rol", "kubernetes_role"),
        ("gcp_secret_manager", "variables_prefx", "variables_prefix"),
        ("akeyless", "variables_pat", "variables_path"),
        ("aws_ssm", "assume_role_kwarg", "assume_role_kwargs"),
    ):
        environ = {"BILLING__SECRETS__BACKEND": short, f"BILLING__SECRETS__BACKEND_KWARG__{wrong.upper()}": "x"}
        app = App("billing", home=str(tmp_path), environ=environ)
        with pytest.raises(errors.BackendError, match=f"takes no argument '{wrong}'.*Did you mean '{right}'"):
            app.get_variable("x")


def test_the_old_address_of_the_store_backend() -> None:
    assert base.StoreBackend is named.StoreBackend
