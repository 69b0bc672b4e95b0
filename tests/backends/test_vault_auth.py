"""Every way to log in to Vault: on a real OpenBao where it has the method, else by what goes over the socket."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

hvac = pytest.importorskip("hvac", reason="hvac is not installed")

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: E402
from patience import Clock, until  # noqa: E402
from servers_tls import Authority  # noqa: E402
from servers_vault import Bao, Relay, Speaker, bao, relay, speaker, vault_of  # noqa: E402, F401
from store_checks import by_threads, refused  # noqa: E402

from framework import errors  # noqa: E402
from framework.backends import retries  # noqa: E402
from framework.backends.vault import VaultBackend  # noqa: E402
from framework.backends.vault import login as vault_auth  # noqa: E402

CANARY = "canary-s3cret"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("VAULT_TOKEN", "VAULT_ADDR", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(retries, "FIRST", 0.01)


@pytest.fixture
def store(bao: Bao) -> dict[str, str]:  # noqa: F811
    """A mount with the variable x, and a policy that reads it."""
    mount = bao.mount()
    bao.put(mount, "variables/x", {"value": "1"})
    return {"mount": mount, "policy": bao.reading(mount)}


@pytest.fixture
def make(relay: Relay, store: dict[str, str]) -> Callable[..., VaultBackend]:  # noqa: F811
    return lambda **kwargs: VaultBackend(**{"url": relay.url, "mount_point": store["mount"], **kwargs})


def signed(claims: dict[str, Any]) -> str:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "RS256", "typ": "JWT"}).encode()) + "." + part(json.dumps(claims).encode())
    return head + "." + part(KEY.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256()))


def claims_of(jwt: str) -> dict[str, Any]:
    """The claims, once the signature is seen to be KEY's."""
    head, claims, signature = jwt.split(".")
    KEY.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(claims + "=="))
    return read


# -- on OpenBao ----------------------------------------------------------------------------------------


def test_token(bao: Bao, make: Any, store: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # noqa: F811
    token = bao.token(store["policy"])
    assert make(token=f" {token}\n").get_variable("x") == "1"
    (tmp_path / "token").write_text(f"{token}\n")
    by_file = make(token_path="token", token="wrong")
    by_file.bind("billing", str(tmp_path))
    assert by_file.get_variable("x") == "1"
    assert make(token_path="~/token").get_variable("x") == "1"
    monkeypatch.setenv("VAULT_TOKEN", token)
    monkeypatch.setenv("VAULT_ADDR", bao.url)
    assert make(url=None).get_variable("x") == "1"


def test_a_token_without_the_right_to_look_itself_up(bao: Bao, make: Any, store: dict[str, str]) -> None:  # noqa: F811
    backend = make(token=bao.token(store["policy"], no_default_policy=True))
    assert backend.get_variable("x") == "1"
    refused(errors.AccessDenied, lambda: backend.get_config("../x") or backend._ask("config", "read", "secret", "x"))


@pytest.mark.parametrize(("text", "error"), [(None, errors.BackendUnavailable), ("", errors.AccessDenied)])
def test_a_token_file_without_a_token(make: Any, tmp_path: Path, text: str | None, error: Any) -> None:
    if text is not None:
        (tmp_path / "token").write_text(text)
    assert "token" in refused(error, lambda: make(token_path=str(tmp_path / "token")).get_variable("x")).where


def test_a_token_file_of_bytes(make: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff" + CANARY.encode())
    refused(errors.InvalidSecret, lambda: make(token_path=str(tmp_path / "token")).get_variable("x"), CANARY)


def test_approle_elsewhere(bao: Bao, make: Any, relay: Relay, store: dict[str, str]) -> None:  # noqa: F811
    bao.root.sys.enable_auth_method("approle", path="team/approle")
    role = bao.root.auth.approle
    role.create_or_update_approle(
        "r", token_policies=[store["policy"]], bind_secret_id=False, token_bound_cidrs=["127.0.0.0/8"],
        mount_point="team/approle",
    )  # fmt: skip
    role_id = role.read_role_id("r", mount_point="team/approle")["data"]["role_id"]
    backend = make(auth_type="approle", role_id=role_id, auth_mount_point="team/approle")
    assert backend.get_variable("x") == "1"
    assert relay.asked[0] == "POST /v1/auth/team/approle/login"


def test_userpass(bao: Bao, make: Any, store: dict[str, str]) -> None:  # noqa: F811
    bao.root.sys.enable_auth_method("userpass")
    bao.root.auth.userpass.create_or_update_user("it.is-me", password=CANARY, policies=[store["policy"]])
    login = {"auth_type": "userpass", "username": "it.is-me"}
    assert make(**login, password=CANARY).get_variable("x") == "1"
    refused(errors.AccessDenied, lambda: make(**login, password=f"no {CANARY}").get_variable("x"), CANARY)
    odd = make(auth_type="userpass", username="a?b#c/../d", password=CANARY)
    refused(errors.AccessDenied, lambda: odd.get_variable("x"), CANARY)


def test_jwt(bao: Bao, make: Any, store: dict[str, str], tmp_path: Path) -> None:  # noqa: F811
    public = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    bao.root.sys.enable_auth_method("jwt")
    bao.root.write_data("auth/jwt/config", data={"jwt_validation_pubkeys": [public.decode()]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["v"], "token_policies": [store["policy"]]}
    bao.root.write_data("auth/jwt/role/reader", data=role)
    jwt = signed({"sub": "me", "aud": "v", "iat": int(time.time()), "exp": int(time.time()) + 60})
    login = {"auth_type": "jwt", "jwt_role": "reader"}
    assert make(**login, jwt_token=f"{jwt}\n").get_variable("x") == "1"
    (tmp_path / "jwt").write_text(jwt)
    assert make(**login, jwt_token_path=str(tmp_path / "jwt")).get_variable("x") == "1"
    late = signed({"sub": "me", "aud": "v", "exp": int(time.time()) - 600})
    refused(errors.AccessDenied, lambda: make(**login, jwt_token=late).get_variable("x"), late)


def test_kubernetes(bao: Bao, make: Any, store: dict[str, str], speaker: Any, tmp_path: Path) -> None:  # noqa: F811
    def review(method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
        good = claims_of(body["spec"]["token"])["sub"] == "system:serviceaccount:prod:billing"
        user = {"username": "system:serviceaccount:prod:billing", "uid": "u", "groups": ["system:serviceaccounts"]}
        return 201, {**body, "status": {"authenticated": good, "user": user if good else {}}}

    cluster = speaker(review)
    bao.root.sys.enable_auth_method("kubernetes")
    config = {"kubernetes_host": cluster.url, "token_reviewer_jwt": signed({}), "disable_local_ca_jwt": True}
    authority = Authority(tmp_path).certificate.decode()
    bao.root.write_data("auth/kubernetes/config", data={**config, "kubernetes_ca_cert": authority})
    bound = {"bound_service_account_names": ["billing"], "bound_service_account_namespaces": ["prod"]}
    bao.root.write_data("auth/kubernetes/role/reader", data={**bound, "token_policies": [store["policy"]]})
    names = {"name": "billing", "uid": "u"}
    inside = {"namespace": "prod", "serviceaccount": names}
    person = {"sub": "system:serviceaccount:prod:billing", "kubernetes.io": inside, "exp": int(time.time()) + 60}
    (tmp_path / "jwt").write_text(signed(person) + "\n")
    login = {"auth_type": "kubernetes", "kubernetes_role": "reader", "kubernetes_jwt_path": str(tmp_path / "jwt")}
    assert make(**login).get_variable("x") == "1"
    assert cluster.asked[-1][1] == "/apis/authentication.k8s.io/v1/tokenreviews"
    refused(errors.AccessDenied, lambda: make(**{**login, "kubernetes_role": "no"}).get_variable("x"))
    (tmp_path / "jwt").unlink()
    assert "jwt" in refused(errors.BackendUnavailable, lambda: make(**login).get_variable("x")).where


# -- what goes over the socket -------------------------------------------------------------------------


def shown(speaker: Any, **kwargs: Any) -> tuple[str, dict[str, Any]]:  # noqa: F811
    """Path and body of the login; what it gives can be read with."""
    server: Speaker = speaker(vault_of(x="1"))
    backend = VaultBackend(url=server.url, **kwargs)
    assert backend.get_variable("x") == "1"
    method, path, body, headers = server.asked[0]
    assert (method, len(server.asked), backend.logins) == ("POST", 2, 1)
    assert "x-vault-token" not in headers
    return path, body


@pytest.mark.parametrize("kind", ["ldap", "radius"])
@pytest.mark.parametrize("mount", [None, "corp"])
def test_by_name_and_password(speaker: Any, kind: str, mount: str | None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("VAULT_TOKEN", "another's")
    more = {"radius_host": "radius.example", "radius_secret": CANARY, "radius_port": 1812} if kind == "radius" else {}
    path, body = shown(speaker, auth_type=kind, username="mé@corp", password=CANARY, auth_mount_point=mount, **more)
    assert path == f"/v1/auth/{mount or kind}/login/m%C3%A9%40corp"
    assert body == {"password": CANARY}


@pytest.mark.parametrize("mount", [None, "hub"])
def test_github(speaker: Any, mount: str | None, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "token").write_text("ghp_1\n")
    for kwargs in ({"token": "ghp_1"}, {"token_path": str(tmp_path / "token")}):
        path, body = shown(speaker, auth_type="github", auth_mount_point=mount, **kwargs)
        assert (path, body) == (f"/v1/auth/{mount or 'github'}/login", {"token": "ghp_1"})


def aws_login(speaker: Any, **kwargs: Any) -> tuple[dict[str, list[str]], dict[str, Any]]:  # noqa: F811
    path, body = shown(speaker, auth_type="aws_iam", role_id="reader", **kwargs)
    assert path == "/v1/auth/aws/login"
    assert (body["role"], body["iam_http_request_method"]) == ("reader", "POST")
    assert base64.b64decode(body["iam_request_url"]) == b"https://sts.amazonaws.com/"
    assert parse_qs(base64.b64decode(body["iam_request_body"]).decode())["Action"] == ["GetCallerIdentity"]
    headers: dict[str, list[str]] = json.loads(base64.b64decode(body["iam_request_headers"]))
    return headers, body


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_aws_iam_with_keys(speaker: Any) -> None:  # noqa: F811
    headers, body = aws_login(speaker, key_id="AKIA1", secret_id=CANARY)
    assert "Credential=AKIA1/" in headers["Authorization"][0]
    assert "/us-east-1/sts/" in headers["Authorization"][0]
    assert CANARY not in json.dumps(body)
    headers, _ = aws_login(speaker, key_id="AKIA1", secret_id=CANARY, region="eu-west-1")
    assert "/eu-west-1/sts/" in headers["Authorization"][0]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    pytest.importorskip("botocore", reason="botocore is not installed")
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return monkeypatch


def test_aws_iam_with_what_aws_finds(speaker: Any, aws: pytest.MonkeyPatch) -> None:  # noqa: F811
    with pytest.raises(errors.BackendError, match="no AWS credentials"):
        VaultBackend(auth_type="aws_iam").get_variable("x")
    aws.setenv("AWS_ACCESS_KEY_ID", "AKIA2")
    aws.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    aws.setenv("AWS_SESSION_TOKEN", "session")
    aws.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    headers, _ = aws_login(speaker)
    assert "Credential=AKIA2/" in headers["Authorization"][0]
    assert "/eu-central-1/" in headers["Authorization"][0]
    assert headers["X-Amz-Security-Token"] == ["session"]


def test_aws_iam_by_an_assumed_role(speaker: Any, aws: pytest.MonkeyPatch) -> None:  # noqa: F811
    answer = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        "<AccessKeyId>ASIA3</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>of the role</SessionToken>"
        "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    status = 200
    sts = speaker(lambda *_: (status, answer))
    aws.setenv("AWS_ENDPOINT_URL_STS", sts.url)
    aws.setenv("AWS_ACCESS_KEY_ID", "AKIA2")
    aws.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    role = {"RoleArn": "arn:aws:iam::123456789012:role/reader", "RoleSessionName": "billing"}
    headers, _ = aws_login(speaker, assume_role_kwargs=role)
    assert "Credential=ASIA3/" in headers["Authorization"][0]
    assert headers["X-Amz-Security-Token"] == ["of the role"]
    assert role["RoleArn"] in parse_qs(sts.asked[0][2]["text"])["RoleArn"]
    status, answer = (
        403,
        f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{CANARY}</Message></Error></ErrorResponse>",
    )
    backend = VaultBackend(auth_type="aws_iam", assume_role_kwargs=role)
    refused(errors.AccessDenied, lambda: backend.get_variable("x"), CANARY)
    aws.setattr("framework.backends.session.REFUSED_FOR", 0)
    aws.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    refused(errors.BackendUnavailable, lambda: backend.get_variable("x"), CANARY)


def gcp_key() -> dict[str, str]:
    private = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "kid1",
        "private_key": private,
        "client_email": "billing@p.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1:9",
    }


def test_gcp_with_a_key(speaker: Any, tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip("google.auth", reason="google-auth is not installed")
    (tmp_path / "key.json").write_text(json.dumps(gcp_key()))
    for kwargs in ({"gcp_keyfile_dict": gcp_key()}, {"gcp_key_path": str(tmp_path / "key.json"), "gcp_scopes": "a,b"}):
        path, body = shown(speaker, auth_type="gcp", role_id="reader", **kwargs)
        assert (path, body["role"]) == ("/v1/auth/gcp/login", "reader")
        claims = claims_of(body["jwt"])
        assert (claims["sub"], claims["aud"]) == ("billing@p.iam.gserviceaccount.com", "vault/reader")
        assert claims["exp"] - claims["iat"] <= 900
        head = json.loads(base64.urlsafe_b64decode(body["jwt"].partition(".")[0] + "=="))
        assert head["kid"] == "kid1"


def test_gcp_on_a_machine_of_google_s(speaker: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    pytest.importorskip("google.auth", reason="google-auth is not installed")

    def metadata(method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
        if path.endswith(":signJwt"):
            assert headers["authorization"] == "Bearer of-the-machine"
            return 200, {"signedJwt": signed(json.loads(body["payload"]))}
        if path.partition("?")[0].endswith("/token"):
            return 200, {"access_token": "of-the-machine", "expires_in": 600, "token_type": "Bearer"}
        if "service-accounts" in path:
            return 200, {"email": "machine@p.iam.gserviceaccount.com", "scopes": [], "aliases": ["default"]}
        return 200, '"p"'

    google = speaker(metadata)
    reply = google.RequestHandlerClass.reply
    monkeypatch.setattr(
        google.RequestHandlerClass,
        "reply",
        lambda self, status, body=b"", headers=None: reply(self, status, body, {"Metadata-Flavor": "Google"}),
    )
    monkeypatch.setenv("GCE_METADATA_HOST", google.url[7:])
    monkeypatch.setenv("GCE_METADATA_IP", google.url[7:])
    # Whoever imported this before has made it read the environment as it was then.
    metadata_of = pytest.importorskip("google.auth.compute_engine._metadata", reason="google-auth is not installed")
    monkeypatch.setattr(metadata_of, "_GCE_METADATA_HOST", google.url[7:])
    monkeypatch.setattr(metadata_of, "_NO_GCE_CHECK", False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setattr(vault_auth, "_SIGN_JWT", google.url + "/v1/projects/-/serviceAccounts/{}:signJwt")
    _, body = shown(speaker, auth_type="gcp", role_id="reader")
    claims = claims_of(body["jwt"])
    assert (claims["sub"], claims["aud"]) == ("machine@p.iam.gserviceaccount.com", "vault/reader")


def test_gcp_without_a_good_key(tmp_path: Path) -> None:
    pytest.importorskip("google.auth", reason="google-auth is not installed")
    (tmp_path / "key.json").write_text(f'{{"private_key": "{CANARY}"')
    for kwargs in (
        {"gcp_key_path": str(tmp_path / "key.json")},
        {"gcp_keyfile_dict": {**gcp_key(), "private_key": CANARY}},
    ):
        backend = VaultBackend(auth_type="gcp", role_id="reader", **kwargs)
        refused(errors.BackendUnavailable, lambda backend=backend: backend.get_variable("x"), CANARY)


def test_azure_by_the_machine_s_identity(speaker: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    pytest.importorskip("azure.identity", reason="azure-identity is not installed")
    status = 200
    answer = {"access_token": "of-azure", "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
    azure = speaker(lambda *_: (status, answer))
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IDENTITY_ENDPOINT", azure.url)
    monkeypatch.setenv("IDENTITY_HEADER", "h")
    login = {"auth_type": "azure", "azure_resource": "https://vault.example/", "role_id": "reader"}
    path, body = shown(speaker, **login, azure_tenant_id="t")
    assert (path, body) == ("/v1/auth/azure/login", {"role": "reader", "jwt": "of-azure"})
    assert parse_qs(azure.asked[0][1].partition("?")[2])["resource"] == ["https://vault.example/"]
    status, answer = 400, {"error": CANARY, "message": CANARY}
    refused(errors.AccessDenied, lambda: VaultBackend(**login).get_variable("x"), CANARY)


def test_azure_by_a_secret(speaker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # noqa: F811
    identity = pytest.importorskip("azure.identity", reason="azure-identity is not installed")
    authority = Authority(tmp_path)

    def answer(method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
        place = f"{azure.url}/t"
        if method == "GET":
            return 200, {"token_endpoint": f"{place}/token", "authorization_endpoint": place, "issuer": place}
        asked = {name: found for name, [found] in parse_qs(body["text"]).items()}
        if asked["client_secret"] != "good":
            return 401, {"error": "invalid_client", "error_description": CANARY}
        assert (asked["client_id"], asked["scope"]) == ("me", "https://vault.example/.default")
        return 200, {"access_token": "of-azure", "expires_in": 3600, "token_type": "Bearer"}

    azure = speaker(answer, authority.context())

    class Here(identity.ClientSecretCredential):  # type: ignore[misc,name-defined]
        def __init__(self, *args: Any) -> None:
            where = {"authority": azure.url, "connection_verify": str(authority.pem)}
            super().__init__(*args, **where, disable_instance_discovery=True)

    monkeypatch.setattr(identity, "ClientSecretCredential", Here)
    login = {"auth_type": "azure", "azure_resource": "https://vault.example", "azure_tenant_id": "t", "key_id": "me"}
    path, body = shown(speaker, **login, secret_id="good", auth_mount_point="cloud")
    assert (path, body["jwt"]) == ("/v1/auth/cloud/login", "of-azure")
    refused(errors.AccessDenied, lambda: VaultBackend(**login, secret_id=CANARY).get_variable("x"), CANARY)


@pytest.mark.parametrize(
    ("module", "kwargs", "extra"),
    [
        ("botocore.session", {"auth_type": "aws_iam"}, "aws"),
        ("google.auth", {"auth_type": "gcp", "role_id": "r"}, "gcp"),
        ("azure.identity", {"auth_type": "azure", "azure_resource": "r"}, "azure"),
    ],
)
def test_a_missing_sdk_is_named(monkeypatch: pytest.MonkeyPatch, module: str, kwargs: Any, extra: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(errors.BackendError, match=rf"framework\[{extra}\]"):
        VaultBackend(**kwargs).get_variable("x")


@pytest.mark.parametrize("auth", [None, {}, {"client_token": ""}, {"client_token": "", "mfa_requirement": {}}])
def test_a_login_that_gives_no_token(speaker: Any, auth: Any) -> None:  # noqa: F811
    server = speaker(lambda *_: (200, {"auth": auth}))
    backend = VaultBackend(url=server.url, auth_type="github", token=CANARY)
    refused(errors.AccessDenied, lambda: backend.get_variable("x"), CANARY)


# -- the life of a token -------------------------------------------------------------------------------


def renewals(relay: Relay) -> int:  # noqa: F811
    return sum("renew-self" in line for line in relay.asked)


def test_a_token_is_renewed_before_it_ends(
    bao: Bao,  # noqa: F811
    make: Any,
    relay: Relay,  # noqa: F811
    store: dict[str, str],
    clock: Clock,
) -> None:
    """Our clock runs, and that of the server does not."""
    backend = make(**bao.approle(store["policy"], token_ttl="600s", token_max_ttl="6000s"))
    for number in range(4):
        assert backend.get_variable("x") == "1"
        assert renewals(relay) == number
        clock.now += 300
        assert backend.get_variable("x") == "1"
        assert renewals(relay) == number, "half of its time is left"
        clock.now += 150
    assert (relay.logins(), backend.logins) == (1, 1)


def test_a_token_near_its_longest_time_is_fetched_again(bao: Bao, make: Any, store: dict[str, str]) -> None:  # noqa: F811
    backend, reads = make(**bao.approle(store["policy"], token_ttl="4s", token_max_ttl="6s")), list[str]()
    until(lambda: reads.append(backend.get_variable("x")) or backend.logins >= 2)
    assert set(reads) == {"1"}


def test_a_token_that_cannot_be_renewed_is_fetched_again(
    bao: Bao,  # noqa: F811
    make: Any,
    relay: Relay,  # noqa: F811
    store: dict[str, str],
    clock: Clock,
) -> None:
    backend = make(**bao.approle(store["policy"], token_ttl="600s", token_type="batch"))
    for number in range(1, 4):
        assert backend.get_variable("x") == "1"
        clock.now += 300
        assert backend.get_variable("x") == "1"
        assert backend.logins == number
        clock.now += 150
    assert renewals(relay) == 0


def test_a_token_that_ended_unseen_is_replaced_once(bao: Bao, make: Any, relay: Relay, store: dict[str, str]) -> None:  # noqa: F811
    backend = make(**bao.approle(store["policy"]))
    backend.get_variable("x")
    bao.root.auth.token.revoke(backend._clients.get()._token)
    assert by_threads(lambda: backend.get_variable("x")) == ["1"] * 32
    assert (relay.logins(), backend.logins) == (2, 2)


def test_a_token_that_ended_and_a_login_that_fails(bao: Bao, make: Any, store: dict[str, str]) -> None:  # noqa: F811
    login = bao.approle(store["policy"], secret_id_num_uses=1)
    backend = make(**login)
    backend.get_variable("x")
    bao.root.auth.token.revoke(backend._clients.get()._token)
    fault = refused(errors.AccessDenied, lambda: backend.get_variable("x"), login["secret_id"])
    assert fault.where == "login by approle"


def test_an_agent_writes_another_token(
    bao: Bao,  # noqa: F811
    make: Any,
    store: dict[str, str],
    tmp_path: Path,
    clock: Clock,
) -> None:
    file = tmp_path / "token"
    file.write_text(bao.token(store["policy"], ttl="600s", renewable=False))
    backend = make(token_path=str(file))
    assert backend.get_variable("x") == "1"
    file.write_text(bao.token(store["policy"]))
    clock.now += 601
    assert backend.get_variable("x") == "1"
    bao.root.auth.token.revoke(file.read_text())
    refused(errors.AccessDenied, lambda: backend.get_variable("x"))
    file.write_text(bao.token(store["policy"]))
    assert backend.get_variable("x") == "1"


def test_a_renewal_that_fails_does_not_hurt_while_the_token_is_good(
    bao: Bao,  # noqa: F811
    make: Any,
    relay: Relay,  # noqa: F811
    store: dict[str, str],
    clock: Clock,
) -> None:
    backend = make(**bao.approle(store["policy"], token_ttl="600s"))
    backend.get_variable("x")
    relay.fault = lambda method, path: 500 if "renew-self" in path else None
    clock.now += 420
    assert backend.get_variable("x") == "1"
    relay.fault = lambda method, path: None
    assert backend.get_variable("x") == "1"
    assert renewals(relay) == 1, "it is not tried at each question"
    clock.now += 100
    assert backend.get_variable("x") == "1"
    assert (backend.logins, renewals(relay)) == (1, 2)


def test_nothing_of_a_cloud_s_answer_is_logged(
    speaker: Any,  # noqa: F811
    aws: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>ASIA3</AccessKeyId><SecretAccessKey>{CANARY}</SecretAccessKey>"
        f"<SessionToken>{CANARY}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        "</AssumeRoleResult></AssumeRoleResponse>"
    )
    sts = speaker(lambda *_: (200, answer))
    aws.setenv("AWS_ENDPOINT_URL_STS", sts.url)
    aws.setenv("AWS_ACCESS_KEY_ID", "AKIA2")
    aws.setenv("AWS_SECRET_ACCESS_KEY", "key")
    aws.setenv("AWS_SESSION_TOKEN", CANARY)
    caplog.set_level(1)
    caplog.set_level(1, "botocore")
    aws_login(
        speaker, assume_role_kwargs={"RoleArn": "arn:aws:iam::123456789012:role/reader", "RoleSessionName": "billing"}
    )
    assert CANARY not in caplog.text
