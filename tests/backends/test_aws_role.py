"""Roles of AWS: what STS is asked for by the kwargs of Airflow's AWS connection. STS is moto's, behind a relay that
writes down what comes by; refusals are ministack's."""

from __future__ import annotations

import base64
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD

pytest.importorskip("moto", reason="moto is not installed")

from servers_aws import Aws, Guarded, aws, guarded, ministack_port, moto_port, no_aws_around  # noqa: E402, F401
from servers_tls import Server  # noqa: E402
from store_checks import refused  # noqa: E402

from framework import App, errors  # noqa: E402
from framework.backends import build  # noqa: E402
from framework.backends.aws import SecretsManagerBackend, SystemsManagerParameterStoreBackend  # noqa: E402

# ruff: noqa: F811 - fixtures
BACKENDS = [SecretsManagerBackend, SystemsManagerParameterStoreBackend]
ROLE = "arn:aws:iam::123456789012:role/reader"
CANARY = "cAnArY-7"
WEB = {"role_arn": ROLE, "assume_role_method": "assume_role_with_web_identity"}
FEDERATION = "assume_role_with_web_identity_federation"
TOKEN_FILE = "assume_role_with_web_identity_token_file"


class Sts:
    """A relay to an STS.

    Attributes:
        asked: the parameters of each request.
        heads: its headers.
    """

    def __init__(self, port: int) -> None:
        self._port, self.asked, self.heads = port, list[dict[str, str]](), list[Any]()
        self._server = Server(self._pass_on)
        self.service = {"service_config": {"sts": {"endpoint_url": f"http://127.0.0.1:{self._server.port}"}}}

    def _pass_on(self, handler: Any, method: str) -> None:
        body = handler.body()
        self.asked.append(dict(urllib.parse.parse_qsl(body.decode())))
        self.heads.append(handler.headers)
        names = ("Authorization", "Content-Type", "X-Amz-Date")
        head = {name: handler.headers[name] for name in names if name in handler.headers}
        head["Host"] = "sts.eu-west-1.amazonaws.com"
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/", body, head, method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=GUARD) as answer:
            handler.reply(answer.status, answer.read(), {"Content-Type": "text/xml"})

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def sts(moto_port: int) -> Iterator[Sts]:
    made = Sts(moto_port)
    yield made
    made.stop()


@pytest.fixture(params=BACKENDS, ids=["secrets", "parameters"])
def backend_class(request: pytest.FixtureRequest, aws: Aws) -> Any:
    aws.put_secret("airflow/config/x", "found")
    aws.put_parameter("/airflow/config/x", "found")
    return request.param


def test_arguments_of_the_role(backend_class: Any, aws: Aws, sts: Sts) -> None:
    arguments = {"ExternalId": "ext-4711", "RoleSessionName": "billing", "DurationSeconds": 3600}
    backend = backend_class(**aws.kwargs(role_arn=ROLE, assume_role_kwargs=arguments, **sts.service))
    assert [backend.get_config("x") for _ in range(3)] == ["found"] * 3
    [asked] = sts.asked
    assert (asked["Action"], asked["RoleArn"]) == ("AssumeRole", ROLE)
    assert {name: asked[name] for name in arguments} == {**arguments, "DurationSeconds": "3600"}


def test_the_name_of_a_session_is_airflows(aws: Aws, sts: Sts) -> None:
    aws.put_secret("airflow/config/x", "found")
    given = aws.kwargs(role_arn=ROLE, assume_role_method="assume_role", **sts.service)
    backend = SecretsManagerBackend(**given)
    backend.get_config("x")
    assert sts.asked[0]["RoleSessionName"] == "airflow_secretsmanagerbackend__connection"
    backend = SecretsManagerBackend(**given)
    backend.bind("billing", "")
    backend.get_config("x")
    assert sts.asked[1]["RoleSessionName"] == "billing_secretsmanagerbackend__connection"


def test_config_kwargs_are_for_sts_alone(backend_class: Any, aws: Aws, sts: Sts) -> None:
    given = aws.kwargs(role_arn=ROLE, config_kwargs={"user_agent_extra": "of-the-test"}, **sts.service)
    assert backend_class(**given).get_config("x") == "found"
    assert "of-the-test" in sts.heads[0]["User-Agent"]
    assert all(b"of-the-test" not in head for head in aws.proxy.heads)
    backend = backend_class(**{**given, "config_kwargs": {"no_such_setting": CANARY}})
    fault = refused(errors.BackendError, lambda: backend.get_config("x"))
    assert "config_kwargs" in fault.what
    assert "no_such_setting" in fault.hint
    assert CANARY not in str(fault)


def test_a_web_identity_from_a_file(
    backend_class: Any, aws: Aws, sts: Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{CANARY}\n")
    given = {
        "region_name": "eu-west-1",
        "endpoint_url": aws.kwargs()["endpoint_url"],
        **WEB,
        FEDERATION: "file",
        **sts.service,
    }
    backend = backend_class(**given, **{TOKEN_FILE: "token"}, assume_role_kwargs={"DurationSeconds": 900})
    backend.bind("airflow", str(tmp_path))  # there relative paths begin
    assert backend.get_config("x") == "found"
    [asked] = sts.asked
    assert (asked["Action"], asked["WebIdentityToken"]) == ("AssumeRoleWithWebIdentity", CANARY)
    assert asked["DurationSeconds"] == "900"
    assert "Authorization" not in sts.heads[0]
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    assert backend_class(**given).get_config("x") == "found"


def test_a_web_identity_without_its_token(backend_class: Any, tmp_path: Path) -> None:
    kwargs = {"region_name": "eu-west-1", **WEB, FEDERATION: "file"}
    fault: Any = refused(errors.BackendError, lambda: backend_class(**kwargs).get_config("x"))
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in fault.hint
    backend = backend_class(**kwargs, **{TOKEN_FILE: str(tmp_path / "none.token")})
    fault = refused(errors.BackendUnavailable, lambda: backend.get_config("x"))
    assert str(tmp_path / "none.token") in str(fault)
    (tmp_path / "none.token").write_bytes(b"\xff" + CANARY.encode())
    fault = refused(errors.InvalidSecret, lambda: backend.get_config("x"))
    assert CANARY not in str(fault)


def test_a_web_identity_of_google(aws: Aws, sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("google.auth", reason="google-auth is not installed")
    aws.put_secret("airflow/config/x", "found")
    part = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) + 3600}).encode()).rstrip(b"=").decode()
    paths = []

    def metadata(handler: Any, method: str) -> None:
        paths.append(handler.path)
        text = (
            f"e30.{part}.{CANARY}" if "/identity" in handler.path else '{"email": "reader@acme.example", "scopes": []}'
        )
        handler.reply(
            200,
            text.encode(),
            {
                "Metadata-Flavor": "Google",
                "Content-Type": "application/text" if "/identity" in handler.path else "application/json",
            },
        )

    server = Server(metadata)
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"):
        monkeypatch.setenv(name, f"127.0.0.1:{server.port}")
    monkeypatch.delenv("NO_GCE_CHECK", raising=False)
    try:
        given = {"region_name": "eu-west-1", "endpoint_url": aws.kwargs()["endpoint_url"], **WEB, **sts.service}
        audience = {f"{FEDERATION}_audience": "of-the-test"}
        assert SecretsManagerBackend(**given, **{FEDERATION: "google"}, **audience).get_config("x") == "found"
    finally:
        server.stop()
    assert any("audience=of-the-test" in path for path in paths)
    assert sts.asked[0]["WebIdentityToken"] == f"e30.{part}.{CANARY}"


def test_keys_of_the_session(backend_class: Any, aws: Aws) -> None:
    kwargs = aws.kwargs()
    keys = {name: kwargs.pop(name) for name in ("aws_access_key_id", "aws_secret_access_key")}
    assert backend_class(**kwargs, session_kwargs=keys).get_config("x") == "found"
    half = {"aws_access_key_id": "a"}
    with pytest.raises(errors.BackendError, match="belong together"):
        backend_class(**kwargs, session_kwargs=half)


@pytest.mark.parametrize(
    ("more", "what", "hint"),
    [
        ({"assume_role_method": "assume_role_with_saml"}, "saml is not supported", "web_identity"),
        ({"assume_role_method": CANARY}, "the assume_role_method is unknown", "Use assume_role or"),
        ({"assume_role_method": WEB["assume_role_method"]}, "neither file nor google", "State where"),
        ({**WEB, FEDERATION: CANARY}, "neither file nor google", "State where"),
        ({"assume_role_kwargs": [CANARY]}, "assume_role_kwargs is not a JSON object", "Correct it"),
        ({"config_kwargs": CANARY}, "config_kwargs is not a JSON object", "Correct it"),
        ({"service_config": {"sts": CANARY}}, "service_config.sts is not a JSON object", "endpoint_url"),
        ({"session_kwargs": CANARY}, "session_kwargs is not a JSON object", "Correct it"),
    ],
)
def test_unknown_methods(backend_class: Any, more: Any, what: str, hint: str) -> None:
    with pytest.raises(errors.BackendError) as caught:
        backend_class(**{"role_arn": ROLE, **more})
    assert what in caught.value.what
    assert hint in caught.value.hint
    assert CANARY not in str(caught.value)


def test_arguments_that_sts_does_not_take(backend_class: Any, aws: Aws, sts: Sts) -> None:
    backend = backend_class(**aws.kwargs(role_arn=ROLE, assume_role_kwargs={"ExternalID": CANARY}, **sts.service))
    fault = refused(errors.BackendError, lambda: backend.get_config("x"))
    assert "assume_role_kwargs holds an argument that STS does not accept" in fault.what
    assert "ExternalID" in fault.hint
    assert CANARY not in str(fault)
    assert sts.asked == []


def test_a_role_that_is_refused(guarded: Guarded) -> None:
    user = guarded.user()
    endpoint = {"sts": {"endpoint_url": user["endpoint_url"]}}
    role = "arn:aws:iam::000000000000:role/reader"
    more = {"role_arn": role, "service_config": endpoint, "assume_role_kwargs": {"ExternalId": CANARY}}
    backend = SecretsManagerBackend(**user, **more)
    fault = refused(errors.AccessDenied, lambda: backend.get_config("x"))
    assert "AWS STS" in fault.where
    assert "sts:AssumeRole" in fault.hint
    assert CANARY not in str(fault)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (
            {"full_url_mode": False, "are_secret_values_urlencoded": True},
            ["full_url_mode", "are_secret_values_urlencoded"],
        ),
        ({"external_id": CANARY}, ["external_id (set ExternalId in assume_role_kwargs)"]),
        (
            {"aws_account_id": "1", "aws_iam_role": "r"},
            ["aws_account_id (set role_arn)", "aws_iam_role (set role_arn)"],
        ),
        ({"s3_config_file": "f", "profile": "p"}, ["s3_config_file (set profile_name)", "profile (set profile_name)"]),
        ({"assume_role_kwargs": {"ExternalId": "e"}}, ["assume_role_kwargs (it is for a role: set role_arn)"]),
        ({"session_kwargs": {"region_name": "r"}}, ["session_kwargs.region_name (set region_name)"]),
        ({"role_arn": ROLE, "service_config": {"ssm": {"endpoint_url": "e"}}}, ["service_config.ssm"]),
    ],
)
def test_what_has_no_effect_in_airflow_is_ignored_with_one_warning(
    backend_class: Any, given: Any, names: list[str], tmp_path: Path
) -> None:
    kwargs = json.dumps({"region_name": "eu-west-1", **given})
    environ = {"BILLING__SECRETS__BACKEND": "aws_ssm", "BILLING__SECRETS__BACKEND_KWARGS": kwargs}
    if backend_class is SecretsManagerBackend:
        environ["BILLING__SECRETS__BACKEND"] = "aws_secrets_manager"
    app = App("billing", home=str(tmp_path), environ=environ)
    with pytest.warns(errors.FrameworkWarning, match="these have no effect") as caught:
        build(app, "secrets")
    assert len(caught) == 1
    assert all(name in str(caught[0].message) for name in names)
    assert CANARY not in str(caught[0].message)


def test_an_unknown_kwarg_is_still_an_error(backend_class: Any, tmp_path: Path) -> None:
    kwargs = json.dumps({"assume_role_kwarg": {}, "full_url_mode": True})
    environ = {"BILLING__SECRETS__BACKEND": "aws_ssm", "BILLING__SECRETS__BACKEND_KWARGS": kwargs}
    app = App("billing", home=str(tmp_path), environ=environ)
    with pytest.raises(errors.BackendError, match="takes no argument 'assume_role_kwarg'") as caught:
        build(app, "secrets")
    assert caught.value.hint == "Did you mean 'assume_role_kwargs'?"
