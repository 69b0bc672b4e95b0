"""`backend-test`, `stats` and `policy` against real stores."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from servers_aws import Aws, Guarded, aws, guarded, ministack_port, moto_port, no_aws_around  # noqa: F401 - fixtures
from servers_vault import Bao, bao  # noqa: F401 - fixtures
from terminal import at_a_terminal

# ruff: noqa: F811 - fixtures

CANARY = "cAnArY-value"


def written(world: Any, backend: str, kwargs: dict[str, Any], options: str = "", **more: str) -> None:
    kwargs_text = "".join(f"{name} = {text}\n" for name, text in more.items())
    world.project(sensitive=["s.*"])
    world.write(
        "billing.cfg",
        f"[secrets]\nbackend = {backend}\nbackend_kwargs = {json.dumps(kwargs)}\n{kwargs_text}[s]\n{options}",
    )


def checked(world: Any, *words: str) -> tuple[int, dict[str, str]]:
    """The exit status of backend-test, and its rows."""
    status, out, err = world.run("backend-test", *words, "-o", "json")
    assert "Traceback" not in out + err
    assert "cAnArY" not in out + err
    return status, {row["what"]: row["answer"] for row in json.loads(out or "[]")}


# backend-test


def test_backend_test_of_a_vault(world: Any, bao: Bao) -> None:
    mount = bao.mount()
    bao.put(mount, "variables/vat", {"value": CANARY})
    login = {"url": bao.url, "mount_point": mount, **bao.approle(bao.reading(mount))}
    status, rows = checked(world, "vault", "--kwargs", json.dumps(login))
    assert status == 0
    assert rows["list of variables"] == "1 name"
    assert rows["an absent config"] == "holds: it is absent"
    assert {rows[f"contract: {name}"] for name in ("absent is none", "reads what it lists")} == {"holds"}
    assert rows["a name elsewhere"] == "absent: it may be asked for as well"
    assert (rows["batch"], rows["versions"]) == ("one by one, several at once", "yes")
    assert "ms (median of 5, of names that it has)" in rows["a read takes"]


def test_backend_test_under_the_policy_that_policy_prints(
    world: Any, bao: Bao, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It allows neither lists nor other names: that is reported, and is not a fault."""
    mount = bao.mount()
    for path, text in {"config/smtp": CANARY, "variables/vat": CANARY}.items():
        bao.put(mount, path, {"value": text})
    url = {"url": bao.url, "mount_point": mount}
    written(world, "vault", {**url, "token": "root"}, "password_secret = smtp\n")
    status, policy, err = world.run("policy", "vault")
    assert (status, err.startswith("note: ")) == (0, True)
    written(world, "vault", {**url, **bao.approle(bao.policy(policy))}, "password_secret = smtp\n")
    app = world.app()
    assert app.conf.get("s", "password") == app.get_variable("vat") == CANARY
    assert app.get_variable("gone", default=None) is None
    status, rows = checked(world)
    assert status == 0
    assert rows["an absent variable"] == "holds: it is absent"
    assert rows["an absent config"].startswith("denied: vault: config")
    assert rows["list of variables"].startswith("denied: vault: names of every variable")
    assert "null" not in rows["list of variables"], "who may not list may still read"
    assert rows["a name elsewhere"].startswith("denied: ")


def test_backend_test_with_a_wrong_login_or_no_server(world: Any, bao: Bao) -> None:
    status, rows = checked(world, "vault", "--kwargs", json.dumps({"url": bao.url, "token": "wrong"}))
    assert status == 3
    assert rows["an absent variable"].startswith("denied: ")
    status, rows = checked(world, "vault", "--kwargs", json.dumps({"url": "http://127.0.0.1:9", "token": CANARY}))
    assert status == 3
    assert rows["an absent variable"].startswith("fails: vault: variable")


def test_backend_test_reads_kwargs_from_stdin_and_names_mistakes(
    world: Any, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({**aws.kwargs(), "connections_prefix": None})))
    status, rows = checked(world, "aws_ssm", "--kwargs", "-")
    assert (status, rows["connections"], rows["batch"]) == (0, "never asked for", "10 names in a call")
    status, _, err = world.run("backend-test", "valt")
    assert (status, err.startswith("error: backend-test: [secrets] backend: there is no backend called 'valt'")) == (
        3,
        True,
    )
    status, _, err = world.run("backend-test", "vault", "--kwargs", '{"tokn": "x"}')
    assert "VaultBackend takes no argument 'tokn'. Did you mean 'token'?" in err
    assert world.run("backend-test")[0] == 1


# stats


def test_stats_count_failures_of_batches_and_logins(world: Any, guarded: Guarded) -> None:
    user = guarded.user()
    written(world, "aws_ssm", user, "a_secret = s1\nb_secret = s2\n")
    status, out, err = world.run("stats", "-o", "json")
    [row] = json.loads(out)
    assert (status, row["failures"], row["logins"]) == (3, 2, 1)
    assert err.count("[s] a_secret") == 1


def test_stats_of_a_store_that_is_never_asked(world: Any, aws: Aws) -> None:
    world.set(BILLING_SECRET_S1="x-x-x-x", BILLING_SECRET_S2="y-y-y-y")
    written(world, "aws_ssm", {**aws.kwargs(), "config_prefix": None}, "a_secret = s1\nb_secret = s2\n")
    status, out, _ = world.run("stats", "-o", "json")
    [row] = json.loads(out)
    assert (status, row["calls"], row["absent"]) == (0, 0, 0)
    assert aws.proxy.requests == 0


# policy


@pytest.mark.parametrize("short", ["aws_secrets_manager", "aws_ssm"])
def test_the_policy_for_aws_is_enough_and_no_more(world: Any, guarded: Guarded, short: str) -> None:
    put: Callable[..., Any] = (
        (lambda name: guarded.secrets.create_secret(Name=name, SecretString=f"value of {name}"))
        if short == "aws_secrets_manager"
        else lambda name: guarded.parameters.put_parameter(Name=f"/{name}", Value=f"value of {name}", Type="String")
    )
    start = "policed"  # no parameter may be called aws…
    for name in (f"{start}/config/smtp", f"{start}/config/others", f"{start}/variables/vat"):
        put(name)
    prefixes = {f"{kind}_prefix": f"{start}/{kind}" for kind in ("config", "variables")}
    kwargs = {**guarded.user(), **prefixes, "connections_prefix": None, "variables_lookup_pattern": "v"}
    written(world, short, kwargs, "password_secret = smtp\nalso_secret = smtp#/x\n")
    status, out, err = world.run("policy", "aws")
    assert (status, "kms:Decrypt" in err) == (0, True)
    statements = json.loads(out)["Statement"]
    assert any(resource.endswith(f"{start}/variables/*") for resource in statements[0]["Resource"])
    assert not any("connections" in resource for resource in statements[0]["Resource"])
    written(world, short, {**kwargs, **guarded.user(*statements)}, "password_secret = smtp\n")
    app = world.app()
    assert app.conf.get("s", "password") == f"value of {start}/config/smtp"
    assert app.get_variable("vat") == f"value of {start}/variables/vat"
    with pytest.raises(Exception, match="AccessDenied"):
        app.chain.config("others")


def test_one_policy_for_several_backends_of_a_cloud(world: Any, aws: Aws) -> None:
    kwargs = json.dumps(aws.kwargs())
    links = "".join(f"[secrets.{name}]\nbackend = {name}\nbackend_kwargs = {kwargs}\n" for name in ("aws_ssm",))
    more = f"[secrets.other]\nbackend = aws_secrets_manager\nbackend_kwargs = {kwargs}\n"
    secret = "password_secret = smtp\n"
    world.write(
        "billing.cfg", f"[secrets]\nbackends = aws_ssm, other\nconfig_links = other\n{links}{more}[s]\n{secret}"
    )
    status, out, _ = world.run("policy", "aws")
    first, second, _ = json.loads(out)["Statement"]
    assert status == 0
    assert not any("smtp" in resource for resource in first["Resource"]), "config_links leaves it out"
    assert any(resource.endswith("smtp-??????") for resource in second["Resource"])


def test_policies_of_google_and_azure(world: Any) -> None:
    pointers = "".join(f"k{number}_secret = s{number}\n" for number in range(20))
    never = {"connections_prefix": None, "variables_prefix": None}
    written(world, "gcp_secret_manager", {"project_id": "p", **never}, pointers)
    bindings = json.loads(world.run("policy", "gcp")[1])["bindings"]
    assert [binding["condition"]["expression"].count("||") for binding in bindings] == [12, 6]
    assert 'resource.name.extract("secrets/{name}/") == "billing-config-s7"' in bindings[0]["condition"]["expression"]
    written(world, "azure_key_vault", {"vault_url": "https://v.example", **never}, pointers)
    [first, *_] = json.loads(world.run("policy", "azure")[1])["roleAssignments"]
    assert first["scope"].endswith("/vaults/VAULT/secrets/billing-config-s0")
    written(world, "azure_key_vault", {"vault_url": "https://v.example"}, pointers)
    [only] = json.loads(world.run("policy", "azure")[1])["roleAssignments"]
    assert only["scope"].endswith("/vaults/VAULT")


def test_a_policy_of_nothing_is_empty(world: Any) -> None:
    assert world.run("policy", "aws") == (1, "", "error: no configured backend is of aws\n")
    never = {f"{kind}_prefix": None for kind in ("connections", "variables", "config")}
    written(world, "aws_ssm", never)
    assert world.run("policy", "aws") == (1, "", "error: the kwargs of aws_ssm exclude every lookup\n")


# the wait


def seen_at_a_terminal(world: Any, seconds: float) -> str:
    """What a person sees on stderr while `dump` resolves one secret that takes so long."""
    world.write(
        "slow_store.py",
        "import time\n\nfrom framework import BaseSecretsBackend\n\n\nclass Slow(BaseSecretsBackend):\n"
        f"    def get_config(self, key):\n        time.sleep({seconds})\n        return '{CANARY}'\n",
    )
    written(world, "slow_store.Slow", {}, "password_secret = smtp\n")
    command = [sys.executable, "-m", "framework", "--project", ".", "dump", "--section", "s"]
    environ = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(world.home)}
    _, shown, out = at_a_terminal(command, stdout=subprocess.PIPE, env=environ, cwd=world.home)
    assert "# password = < hidden >" in out
    assert "resolving" not in out
    assert CANARY not in shown + out
    return shown


def test_waiting_for_a_store_shows_progress(world: Any) -> None:
    """Also during a single long call; and nothing of it remains on the screen."""
    shown = seen_at_a_terminal(world, 3.0)
    lines = shown.split("\r\x1b[K")
    found = re.fullmatch(r"resolving 1 pointer: waiting for Slow since \d\d:\d\d:\d\d \(\d s\)", lines[1])
    assert found and lines[0] == lines[-1] == "", shown


def test_what_is_done_soon_needs_no_line(world: Any) -> None:
    assert seen_at_a_terminal(world, 0.0) == ""


# check


def test_check_knows_the_names_and_numbers_of_secrets_without_a_schema(world: Any) -> None:
    kwargs = {"url": "http://127.0.0.1:9", "tokn": "x"}
    written(world, "vault", kwargs, stale_if_eror_seconds="5", max_workers="0")
    status, out, _ = world.run("check", "--offline")
    assert status == 1
    assert out.splitlines() == [
        "error: billing.cfg:3: [secrets] backend_kwargs: VaultBackend takes no argument 'tokn'. Did you mean 'token'?",
        "error: billing.cfg:5: [secrets] max_workers: expected at least 1, not '0'.",
        "error: billing.cfg:4: [secrets] stale_if_eror_seconds: no such option is declared; "
        "did you mean [secrets] stale_if_error_seconds?",
    ]
    for key in ("cache_ttl_seconds", "negative_cache_ttl_seconds", "stale_if_error_seconds", "resolve_timeout_seconds"):
        written(world, "vault", {"url": "http://127.0.0.1:9"}, **{key: "-1"})
        message = f"error: billing.cfg:4: [secrets] {key}: expected at least 0, not '-1'.\n"
        assert world.run("check", "--offline")[:2] == (1, message)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"logn": "x"}, "a connection has no field 'logn'"),
        ({"conn_type": {"cnst": "x"}}, "the source of 'conn_type' is neither a path nor"),
        ({"port": 5432}, "the source of 'port' is neither a path nor"),
        (["login"], "it is not a JSON object"),
    ],
)
def test_an_invalid_connection_map_is_reported_once_with_its_place(world: Any, mapping: Any, message: str) -> None:
    login = {"url": "http://127.0.0.1:9", "token": "x"}
    written(world, "vault", login, connection_map=json.dumps(mapping))
    status, out, _ = world.run("check", "--offline")
    assert (status, out.count(message)) == (1, 1)
    assert out.startswith("error: billing.cfg:4: [secrets] connection_map: ")
