"""Azure Key Vault through Azure's own client, over TLS, against a vault and a sign-in on this machine."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azure.keyvault.secrets", reason="azure-keyvault-secrets is not installed")
pytest.importorskip("azure.identity", reason="azure-identity is not installed")

from proxy import Proxy  # noqa: E402
from servers_azure import TENANT, Refused, Vault, authority, vault, wait  # noqa: E402, F401
from servers_tls import Authority  # noqa: E402
from store_checks import OneByOneContract, by_threads, refused  # noqa: E402

from framework import errors  # noqa: E402
from framework.backends.azure import AzureKeyVaultBackend  # noqa: E402

# ruff: noqa: F811 - fixtures

CANARIES = ("sdk-text-canary", "value-canary", "token-canary", "client-secret-canary")
#: Tried again quickly, so that a test does not wait.
QUICK = {"retry_backoff_factor": 0.01}


def backend_of(vault: Vault, **kwargs: Any) -> AzureKeyVaultBackend:
    return AzureKeyVaultBackend(**{**vault.kwargs, **QUICK, **kwargs})


def always(status: int, code: str, inner: str = "") -> Any:
    def fail(handler: Any, name: str) -> bool:
        raise Refused(status, code, inner)

    return fail


class TestContract(OneByOneContract):
    largest, tries = 24_000, 10
    short, module, extra, sep = "azure_key_vault", "azure.identity", "azure", "-"
    canaries = CANARIES[1:]
    bad_ids = ("a.b", "a b", "ü", "a/b", "a\n", "../x", "n" * 120, "a%2Fb", "x?api-version=1", "x/")

    @pytest.fixture(autouse=True)
    def _vault(self, vault: Vault) -> Iterator[None]:
        self.vault = vault
        with ExitStack() as self.stack:
            yield

    def kwargs(self) -> dict[str, Any]:
        return {**self.vault.kwargs, **QUICK}

    def store_at(self, name: str, text: str) -> None:
        self.vault.put(name.replace("_", "-"), text)

    def reads(self) -> int:
        return len(self.vault.calls)

    def lists(self) -> int:
        return self.vault.lists

    def on_read(self, act: Any) -> None:
        self.vault.fail = lambda handler, name: act(name)

    def denial(self) -> Exception:
        return Refused(403, "Forbidden", "AccessDenied")

    def check_connections(self) -> None:
        assert (self.vault.challenges, self.vault.logins) == (1, 1)
        assert self.vault.server.connections <= 18, "connections are kept"

    def failing(self) -> Any:
        self.vault.fail = always(403, "Forbidden", "SecretDisabled")
        yield backend_of(self.vault), errors.InvalidSecret
        self.vault.fail = always(500, "InternalServerError")
        yield backend_of(self.vault), errors.BackendUnavailable

    def in_trouble(self, trouble: str) -> Any:
        more: dict[str, Any] = {}
        if trouble == "denied":
            self.vault.fail = always(403, "Forbidden", "AccessDenied")
        elif trouble == "wrong credential":
            more["client_secret"] = "wrong"
        elif trouble == "down":
            more["vault_url"] = "https://localhost:9"
        elif trouble == "binary":
            self.vault.put("airflow-config-binary-name", None)
        elif trouble == "expired token":
            backend = backend_of(self.vault)
            backend.get_variable("stored_name")
            self.vault.given.clear()
            return backend
        elif trouble.startswith("throttled"):
            statuses = iter([429] * 1000 if trouble.endswith("for long") else [429, 500, 503])

            def busy(handler: Any, name: str) -> None:
                if status := next(statuses, None):
                    raise Refused(status, "Busy", headers={"Retry-After": "0"})

            self.vault.fail = busy
        elif trouble in ("slow", "too slow"):
            self.vault.fail = wait(6 if trouble == "too slow" else 0.5)
            more = {"read_timeout": 0.1, "retry_total": 1} if trouble == "too slow" else {}
        elif trouble.startswith("cut"):
            proxy: Proxy = self.stack.enter_context(Proxy(self.vault.server.port))
            proxy.faults, proxy.always = ["reset"], "reset" if trouble == "cut for long" else None
            more["vault_url"] = f"https://localhost:{proxy.port}"
        else:
            return None
        return backend_of(self.vault, **more)

    def test_lists_what_is_stored(self) -> None:
        """A vault spells the ids with the separator; so spelled they are found as well."""
        for kind in self.kinds:
            self.put(kind, "stored_name", self.sample(kind))
            assert self.backend().list_names(kind) == ["stored-name"]
            assert self.ask(self.backend(), kind, "stored-name") is not None


@pytest.mark.parametrize(
    ("status", "code", "inner", "error", "tries"),
    [
        (403, "Forbidden", "AccessDenied", errors.AccessDenied, 1),
        (403, "Forbidden", "ForbiddenByRbac", errors.AccessDenied, 1),
        (403, "Forbidden", "ForbiddenByFirewall", errors.AccessDenied, 1),
        (403, "Forbidden", "SecretDisabled", errors.InvalidSecret, 1),
        (400, "BadParameter", "", errors.InvalidSecret, 1),
        (404, "VaultNotFound", "", errors.BackendUnavailable, 1),
        (429, "Throttled", "", errors.BackendUnavailable, 10),
        (500, "InternalServerError", "", errors.BackendUnavailable, 4),
        (503, "ServiceUnavailable", "", errors.BackendUnavailable, 4),
        (409, "Conflict", "", errors.BackendUnavailable, 1),
    ],
)
def test_each_answer_is_what_it_is(vault: Vault, status: int, code: str, inner: str, error: Any, tries: int) -> None:
    vault.put("airflow-variables-x", "value-canary")
    vault.fail = always(status, code, inner)
    fault = refused(error, lambda: backend_of(vault).get_variable("x"), *CANARIES)
    assert (inner or code) in str(fault)
    assert "airflow-variables-x" in str(fault)
    assert len(vault.calls) == tries


def test_a_refusal_names_the_permission_and_the_kwarg(vault: Vault) -> None:
    vault.fail = always(403, "Forbidden", "AccessDenied")
    message = str(refused(errors.AccessDenied, lambda: backend_of(vault).get_connection("x")))
    assert "the permission get" in message
    assert "the permission list" in str(refused(errors.AccessDenied, lambda: backend_of(vault).list_names("config")))


def test_a_server_that_asks_for_an_hour_is_not_waited_for(vault: Vault) -> None:

    def fail(handler: Any, name: str) -> bool:
        raise Refused(429, "Throttled", headers={"Retry-After": "3600"})

    vault.fail = fail
    refused(errors.BackendUnavailable, lambda: backend_of(vault).get_variable("x"))
    assert len(vault.calls) == 1


@pytest.mark.parametrize("body", [b"", b'{"value": "value-can'])
def test_a_cut_answer(vault: Vault, body: bytes) -> None:
    vault.put("airflow-variables-x", "here")
    backend = backend_of(vault)
    assert backend.get_variable("x") == "here"
    vault.fail = lambda handler, name: handler.cut(body) or True
    refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), *CANARIES)
    cuts = [1]
    vault.fail = lambda handler, name: bool(cuts and cuts.pop() and (handler.cut(body) or True))
    assert backend.get_variable("x") == "here", "the next try is whole"


@pytest.mark.parametrize("body", [b"<html>please sign in, value-canary</html>", b'["value-canary"]', b"null"])
def test_answers_that_make_no_sense(vault: Vault, body: bytes) -> None:
    vault.fail = lambda handler, name: handler.reply(200, body) or True
    refused(errors.InvalidSecret, lambda: backend_of(vault).get_variable("x"), *CANARIES)


def test_an_answer_without_a_value(vault: Vault) -> None:
    vault.put("airflow-variables-x", None)
    refused(errors.InvalidSecret, lambda: backend_of(vault).get_variable("x"))


def test_a_page_of_another_server_is_not_absence(vault: Vault) -> None:
    vault.fail = lambda handler, name: handler.reply(404, b"<html>nothing here</html>") or True
    refused(errors.BackendUnavailable, lambda: backend_of(vault).get_variable("x"))


def test_an_unreachable_or_untrusted_server(vault: Vault, tmp_path: Path) -> None:
    other = Vault(Authority(tmp_path))
    try:
        backend = backend_of(vault, vault_url=other.url, authority=other.url)
        refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), *CANARIES)
        assert other.logins == 0, "no client secret goes to a server that is not trusted"
    finally:
        other.server.stop()


@pytest.mark.parametrize("url", ["", "http://localhost", "vault.example"])
def test_a_vault_without_tls_is_refused(url: str) -> None:
    with pytest.raises(errors.BackendError, match="vault_url"):
        AzureKeyVaultBackend(vault_url=url)


# -- values, names, versions -------------------------------------------------------------------------


def test_underlines_become_the_separator(vault: Vault) -> None:
    vault.put("airflow-variables-big-vat-rate", "19")
    backend = backend_of(vault)
    assert backend.get_variable("big_vat_rate") == backend.get_variable("big-vat-rate") == "19"
    assert backend.get_many("variable", ["big_vat_rate", "big-vat-rate"]) == {
        "big_vat_rate": "19",
        "big-vat-rate": "19",
    }
    assert backend_of(vault, variables_prefix="airflow_variables--").get_variable("big_vat-rate") == "19"
    assert backend_of(vault, variables_prefix="Airflow-Variables").list_names("variable") == ["big-vat-rate"]


def test_versions(vault: Vault) -> None:
    first, second = vault.put("airflow-config-x", "one"), vault.put("airflow-config-x", "two")
    backend = backend_of(vault)
    assert backend.get_config("x") == "two"
    assert backend.get_config_version("x", first) == "one"
    assert backend.get_config_version("x", second) == "two"
    assert backend.get_config_version("x", "f" * 32) is None
    calls = len(vault.calls)
    assert backend.get_config_version("x", "1") is None
    assert backend.get_config_version("x", f"../{first}") is None
    assert len(vault.calls) == calls


def test_dates_are_information_and_a_switch_is_not(vault: Vault) -> None:
    vault.put("airflow-variables-old", "still", exp=1, nbf=1)
    vault.put("airflow-variables-new", "already", nbf=4102444800)
    vault.put("airflow-variables-off", "value-canary", enabled=False)
    backend = backend_of(vault)
    assert backend.get_variable("old") == "still"
    assert backend.get_variable("new") == "already"
    assert "disabled" in str(refused(errors.InvalidSecret, lambda: backend.get_variable("off"), *CANARIES))
    assert backend.list_names("variable") == ["new", "old"]


# -- login -------------------------------------------------------------------------------------------


def test_a_wrong_client_secret_is_denied_by_its_number(vault: Vault) -> None:
    backend = backend_of(vault, client_secret="wrong-client-secret-canary")
    fault = refused(errors.AccessDenied, lambda: backend.get_variable("x"), *CANARIES)
    assert "AADSTS7000215" in str(fault)
    assert vault.calls == []
    assert vault.logins == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failing_sign_in_is_unavailable(vault: Vault, status: int) -> None:
    vault.sign_in = lambda handler: handler.reply(status, {"error": "temporarily_unavailable"}) or True
    refused(errors.BackendUnavailable, lambda: backend_of(vault).get_variable("x"), *CANARIES)


def test_an_unreachable_sign_in_is_unavailable(vault: Vault) -> None:
    refused(errors.BackendUnavailable, lambda: backend_of(vault, authority="https://localhost:9").get_variable("x"))
    vault.sign_in = lambda handler: handler.cut() or True
    refused(errors.BackendUnavailable, lambda: backend_of(vault).get_variable("x"), *CANARIES)


def test_a_token_that_the_vault_no_longer_knows_is_fetched_again_once(vault: Vault) -> None:
    vault.put("airflow-variables-x", "here")
    backend = backend_of(vault)
    for number in range(1, 5):
        assert by_threads(lambda: backend.get_variable("x")) == ["here"] * 32
        assert backend.logins == vault.logins == number
        vault.tokens = {f"token-canary-{number}"}
    vault.tokens = set()
    refused(errors.AccessDenied, lambda: backend.get_variable("x"), *CANARIES)


def test_a_token_is_renewed_before_it_ends_by_one_thread(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.put("airflow-variables-x", "here")
    vault.seconds = 900  # the margin is 300
    backend = backend_of(vault)
    assert backend.get_variable("x") == "here"
    vault.seconds = 3600
    later = time.time() + 700
    monkeypatch.setattr("time.time", lambda: later)
    assert by_threads(lambda: backend.get_variable("x")) == ["here"] * 32
    assert (vault.logins, backend.logins) == (2, 1)


def test_the_default_credential_finds_a_service_principal(
    vault: Vault, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.put("airflow-variables-x", "here")
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", "reader")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", vault.client_secret)
    backend = backend_of(vault, tenant_id="", client_id="", client_secret="")
    assert backend.get_variable("x") == "here"


def test_no_identity_at_all(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    backend = backend_of(vault, tenant_id="", client_id="", client_secret="")
    fault = refused(errors.AccessDenied, lambda: backend.get_variable("x"), *CANARIES)
    assert "tenant_id" in fault.hint


def test_identities_are_passed_to_the_default_credential(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure import identity

    passed: list[dict[str, Any]] = []
    monkeypatch.setattr(identity, "DefaultAzureCredential", lambda **kwargs: passed.append(kwargs))
    mine = {"managed_identity_client_id": "m", "workload_identity_tenant_id": "w"}
    backend_of(vault, client_secret="", authority="", **mine)._credential()
    backend_of(vault, client_secret="", authority="", managed_identity_client_id="m")._credential()
    verify = {"connection_verify": vault.kwargs["connection_verify"]}
    assert passed == [{**mine, "additionally_allowed_tenants": ["w"], **verify}, verify]


# -- what is shown -----------------------------------------------------------------------------------


def test_nothing_is_printed(vault: Vault) -> None:
    code = (
        "import json, sys\n"
        "from framework.backends.azure import AzureKeyVaultBackend\n"
        "backend = AzureKeyVaultBackend(**json.loads(sys.argv[1]))\n"
        "try:\n    backend.get_variable('x')\nexcept Exception as fault:\n    print(type(fault).__name__)\n"
    )
    kwargs = {**vault.kwargs, "client_secret": "wrong"}
    done = subprocess.run([sys.executable, "-c", code, json.dumps(kwargs)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("AccessDenied\n", "")


# -- in an application -------------------------------------------------------------------------------


def test_the_answer_to_another_question_is_not_taken(vault: Vault) -> None:
    answer = {"id": f"{vault.url}/secrets/airflow-variables-other/1", "value": "value-canary", "attributes": {}}
    vault.fail = lambda handler, name: handler.reply(200, answer) or True
    assert "another name" in refused(errors.BackendUnavailable, lambda: backend_of(vault).get_variable("x")).what


@pytest.mark.parametrize("body", [b"<html>token-canary</html>", b'{"access_token": "token-canary", "expi'])
def test_a_sign_in_that_makes_no_sense_is_not_logged(
    vault: Vault, body: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    vault.sign_in = lambda handler: handler.reply(200, body) or True
    with pytest.raises(errors.SecretsError) as caught:
        backend_of(vault).get_variable("x")
    assert "token-canary" not in caplog.text + str(caught.value) + "".join(capfd.readouterr())
