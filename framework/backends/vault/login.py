"""The ways to log in to a Vault server: what each needs, and what it sends as proof."""

from __future__ import annotations

import os

from framework import given
from framework.backends.key_files import read_key, read_token
from framework.backends.quiet import Quietly
from framework.backends.remote import import_packages
from framework.errors import AccessDenied, BackendError, BackendUnavailable, SecretsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

#: Way to log in -> what it needs: one argument of each group.
LOGINS: dict[str, tuple[tuple[str, ...], ...]] = {
    "approle": (("role_id",),),
    "aws_iam": (),
    "azure": (("azure_resource",),),
    "gcp": (("role_id",),),
    "github": (("token", "token_path"),),
    "jwt": (("jwt_role",), ("jwt_token", "jwt_token_path")),
    "kubernetes": (("kubernetes_role",), ("kubernetes_jwt_path",)),
    "ldap": (("username",), ("password",)),
    "radius": (("username",), ("password",)),
    "token": (("token", "token_path"),),
    "userpass": (("username",), ("password",)),
}

#: Way to log in -> what it asks a cloud with, and the extra that installs it.
_SDKS = {
    "aws_iam": ("botocore.session", "aws"),
    "gcp": ("google.auth.transport.requests", "gcp"),
    "azure": ("azure.identity", "azure"),
}

_SIGN_JWT = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{}:signJwt"
_CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


class Settings:
    """How the server is reached, and how to log in: kwargs of `VaultBackend`, which describes each."""

    url: str | None = None
    auth_type: str = "token"
    auth_mount_point: str | None = None
    token: str | None = None
    token_path: str | None = None
    username: str | None = None
    password: str | None = None
    key_id: str | None = None
    secret_id: str | None = None
    role_id: str | None = None
    assume_role_kwargs: dict[str, Any] | None = None
    region: str | None = None
    kubernetes_role: str | None = None
    kubernetes_jwt_path: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    gcp_key_path: str | None = None
    gcp_keyfile_dict: dict[str, Any] | None = None
    gcp_scopes: str | None = None
    azure_tenant_id: str | None = None
    azure_resource: str | None = None
    radius_host: str | None = None
    radius_secret: str | None = None
    radius_port: int | None = None
    jwt_role: str | None = None
    jwt_token: str | None = None
    jwt_token_path: str | None = None
    namespace: str | None = None
    verify: bool | str | None = None
    cert: str | Sequence[str] | None = None
    timeout: float | None = None
    proxies: dict[str, str] | None = None
    allow_redirects: bool | None = None
    strict_http: bool = False
    request_header: bool = True


def check(kwargs: Mapping[str, object]) -> None:
    """Check the arguments of the login.

    Raises:
        BackendError: names what is missing.
    """
    kind = given.text(kwargs["auth_type"], "auth_type")
    if kind not in LOGINS:
        raise BackendError("auth_type is unknown", hint=f"Use one of {', '.join(LOGINS)}.")
    for group in LOGINS[kind]:
        if not any(kwargs[name] for name in group) and not (kind == "token" and os.environ.get("VAULT_TOKEN")):
            hint = "Add it to backend_kwargs." + (" Or set VAULT_TOKEN." if kind == "token" else "")
            raise BackendError(f"the login by {kind} needs {' or '.join(group)}", hint=hint)


def prepared(kwargs: Mapping[str, Any], directory: str) -> Callable[[Any], Any]:
    """The login with its proof, ready to be sent through hvac's `auth`.

    Azure and radius log in; in Airflow, these two configure the method on the server.

    Args:
        directory: where the relative paths of files start.

    Raises:
        AccessDenied, BackendUnavailable, InvalidSecret: a cloud or a file did not give the proof.
        BackendError: a package is missing, or a key file cannot be read.
    """
    failure: SecretsError
    sdk = _SDKS.get(kwargs["auth_type"])
    if sdk is not None:
        package(*sdk)  # before its loggers are silenced
    try:
        with Quietly("botocore", "google", "azure", "msal"):
            return _prepared(kwargs, lambda kwarg: read_token(kwargs[kwarg], directory, kwarg), directory)
    except (BackendError, SecretsError):
        raise
    except Exception as fault:  # whatever the clouds' SDKs raise
        failure = _no_credentials(fault, kwargs["auth_type"])
    raise failure


def _prepared(kwargs: Mapping[str, Any], text_of: Callable[[str], str], directory: str) -> Callable[[Any], Any]:
    kind, role, mount = kwargs["auth_type"], kwargs["role_id"], kwargs["auth_mount_point"]
    at = {"use_token": False, **({"mount_point": mount} if mount else {})}
    if kind == "approle":
        return lambda auth: auth.approle.login(role, kwargs["secret_id"], **at)
    if kind == "userpass":  # the one whose name hvac does not quote
        from urllib.parse import quote

        return lambda auth: auth.userpass.login(quote(kwargs["username"]), kwargs["password"], **at)
    if kind in ("ldap", "radius"):
        return lambda auth: getattr(auth, kind).login(kwargs["username"], kwargs["password"], **at)
    if kind == "github":
        token = text_of("token_path") if kwargs["token_path"] else kwargs["token"]
        return lambda auth: auth.github.login(token, **at)
    if kind == "jwt":
        jwt = (kwargs["jwt_token"] or text_of("jwt_token_path")).strip()
        return lambda auth: auth.jwt.jwt_login(kwargs["jwt_role"], jwt, use_token=False, path=mount or None)
    if kind == "kubernetes":
        jwt = text_of("kubernetes_jwt_path")
        return lambda auth: auth.kubernetes.login(kwargs["kubernetes_role"], jwt, **at)
    if kind == "aws_iam":
        keys = _aws_keys(kwargs)
        return lambda auth: auth.aws.iam_login(role=role, **keys, **at)
    jwt = _gcp_jwt(kwargs, directory) if kind == "gcp" else _azure_jwt(kwargs)
    return lambda auth: getattr(auth, kind).login(role, jwt, **at)


def _aws_keys(kwargs: Mapping[str, Any]) -> dict[str, object]:
    """The keys that sign the request: those given, or what AWS's SDK finds, or those of a role that it assumes."""
    region = kwargs["region"]
    if kwargs["key_id"] and kwargs["secret_id"]:
        keys = {"access_key": kwargs["key_id"], "secret_key": kwargs["secret_id"]}
        return {**keys, "region": region or "us-east-1"}
    session = package("botocore.session", "aws").get_session()
    region = region or session.get_config_variable("region") or "us-east-1"
    if kwargs["assume_role_kwargs"]:
        sts = session.create_client("sts", region_name=region)
        given = sts.assume_role(**kwargs["assume_role_kwargs"])["Credentials"]
        found = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    else:
        credentials = session.get_credentials()
        if credentials is None:
            raise BackendError("there are no AWS credentials for the login", hint="Give key_id and secret_id.")
        found = tuple(credentials.get_frozen_credentials())[:3]
    return {**dict(zip(("access_key", "secret_key", "session_token"), found, strict=True)), "region": region}


def _gcp_jwt(kwargs: Mapping[str, Any], directory: str) -> str:
    """A JWT of the service account: signed here if its key is given, else by Google."""
    import json
    from time import time

    account = package("google.oauth2.service_account", "gcp").Credentials
    scopes = [scope.strip() for scope in (kwargs["gcp_scopes"] or _CLOUD_PLATFORM).split(",")]
    kwarg = "gcp_keyfile_dict" if kwargs["gcp_keyfile_dict"] else "gcp_key_path"
    key = kwargs[kwarg]
    if key:
        credentials = account.from_service_account_info(read_key(key, directory, kwarg), scopes=scopes)
    else:
        credentials, _ = package("google.auth", "gcp").default(scopes=scopes)
    http = package("google.auth.transport.requests", "gcp")
    if not key and getattr(credentials, "service_account_email", None) == "default":  # of the machine: ask its name
        credentials.refresh(http.Request())
    email = getattr(credentials, "service_account_email", None)
    if not email or email == "default":
        raise BackendError("the Google credentials are not those of a service account", hint="Give gcp_key_path.")
    now = int(time())
    # Vault takes no token that is good for more than 15 minutes.
    claims = {"iat": now, "exp": now + 600, "sub": email, "aud": f"vault/{kwargs['role_id']}"}
    if isinstance(credentials, account):
        return str(package("google.auth.jwt", "gcp").encode(credentials.signer, claims), "ascii")
    payload = {"payload": json.dumps(claims)}
    answer = http.AuthorizedSession(credentials).post(_SIGN_JWT.format(email), json=payload, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["signedJwt"])


def _azure_jwt(kwargs: Mapping[str, object]) -> str:
    identity = package("azure.identity", "azure")
    credential = (
        identity.ClientSecretCredential(kwargs["azure_tenant_id"], kwargs["key_id"], kwargs["secret_id"])
        if kwargs["key_id"] and kwargs["secret_id"]
        else identity.DefaultAzureCredential()
    )
    return str(credential.get_token(f"{kwargs['azure_resource']}/.default").token)


def package(name: str, extra: str) -> Any:
    """A module of a package that is installed by one of our extras. Raises BackendError: it is not installed."""
    from importlib import import_module

    import_packages({name: name.partition(".")[0]}, extra, "Vault")
    return import_module(name)


def _no_credentials(fault: Exception, kind: str) -> SecretsError:
    """The error for a cloud that gave no proof. The text of its SDK may hold a secret, and is left out."""
    answer = getattr(fault, "response", None)  # of botocore a dictionary, of requests an object
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(answer, dict) else None
    status, name = status or getattr(answer, "status_code", None), type(fault).__name__
    is_refused = status in (400, 401, 403) or name in ("ClientAuthenticationError", "RefreshError")
    error = AccessDenied if is_refused else BackendUnavailable
    hint = "Check the arguments of the login, and the permissions of this machine."
    return error(f"there are no credentials for the login ({name})", where=f"login by {kind}", hint=hint)
