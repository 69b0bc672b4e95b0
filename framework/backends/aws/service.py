"""What all backends over a service of AWS have in common: where it is, and who asks."""

from __future__ import annotations

import os

from framework.backends.aws import client as botocores
from framework.backends.aws.client import FAULTS
from framework.backends.aws.role import FIELDS, Role, Settings
from framework.backends.key_files import verification
from framework.backends.remote import RemoteBackend
from framework.errors import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from framework.errors import FrameworkError, SecretsError

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_ENVIRON = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

#: The wording of assuming a role, see `RemoteBackend.acts`.
ROLE_ACTS = {name: ("assuming the role", f"sts:{name}") for name in ("AssumeRole", "AssumeRoleWithWebIdentity")}


class AwsService(RemoteBackend):
    """A backend over one service of AWS.

    Args:
        region_name, profile_name, aws_access_key_id, aws_secret_access_key, aws_session_token: as for any AWS client.
        role_arn: a role to assume; its credentials are renewed before they end.
        assume_role_method, assume_role_kwargs, assume_role_with_web_identity_*: how it is assumed, see `Role`.
        session_kwargs: its aws_access_key_id, aws_secret_access_key and aws_session_token count if ours are not given.
        service_config: `{"sts": {"endpoint_url": …}}`, the address of STS.
        config_kwargs: arguments of `botocore.config.Config` for STS alone, as in Airflow.
        endpoint_url, api_version, use_ssl: as for any AWS client.
        verify: whether to check the server's certificate, or the path of a CA bundle.
        config: arguments of `botocore.config.Config`, over ours.
        **retired: kwargs that are ignored with a warning, see the attribute.

    Attributes:
        service: AWS's name of the service.
        retired: kwargs that have no effect -> what to do instead.

    Raises:
        BackendError: a kwarg has a wrong type, or half of a key is given.
    """

    service = ""
    packages = {"botocore.session": "botocore"}
    extra = "aws"
    quiet = ("botocore",)
    faults = FAULTS
    settings = Settings
    retired: Mapping[str, str] = {}

    def __init__(
        self,
        region_name: str | None = None,
        profile_name: str | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        role_arn: str | None = None,
        endpoint_url: str | None = None,
        verify: bool | str | None = None,
        api_version: str | None = None,
        use_ssl: bool | None = None,
        config: dict[str, Any] | None = None,
        session_kwargs: dict[str, Any] | None = None,
        **retired: Any,
    ) -> None:
        RemoteBackend.__init__(self)  # a store has more than one base
        how = self.settings_of({name: retired.pop(name) for name in FIELDS if name in retired})
        session = session_kwargs or {}
        if not isinstance(session, dict):
            raise self.misconfigured("session_kwargs is not a JSON object")
        if not (aws_access_key_id or aws_secret_access_key):
            aws_access_key_id, aws_secret_access_key = map(session.get, _KEYS[:2])
        if bool(aws_access_key_id) != bool(aws_secret_access_key):
            what = "aws_access_key_id and aws_secret_access_key belong together"
            raise self.misconfigured(what, "Set both, or neither.")
        keys = (aws_access_key_id, aws_secret_access_key, aws_session_token or session.get(_KEYS[2]))
        self._role = (role_arn, how)
        self._new_role()  # which checks its kwargs
        self._warn_of(retired, {} if role_arn else how, session, how["service_config"] if role_arn else None)
        self._settings: dict[str, Any] = {
            "profile": profile_name,
            "keys": keys if aws_access_key_id else None,
            "config": config or {},
            "region_name": region_name,
            "endpoint_url": endpoint_url,
            "verify": verify,
            "api_version": api_version,
            "use_ssl": use_ssl is not False,
        }

    def _new_role(self) -> Role | None:
        arn, how = self._role
        name = f"{self.app_name}_{type(self).__name__}__connection".lower()  # as in Airflow
        return Role(arn, name, self.directory, how) if arn else None

    def where(self, name: str = "", version: str | None = None) -> str:
        return f"{self.store} {name}".rstrip()

    def open(self) -> Any:
        settings = {**self._settings, "verify": verification(self._settings["verify"], self.directory, "verify")}
        role = self._new_role()
        assume = None if role is None else role.credentials
        made, self._whose = botocores.made(self.service, self.store, settings, assume, self.max_workers)
        self.logins += 1
        return made

    def identity(self) -> str | None:
        return self._identity_without_client() or super().identity()

    def _identity_without_client(self) -> str:
        """Who asks, where kwargs and environment say all of it; else an empty text.

        A process that finds its secrets in the shared cache then never loads botocore, which takes longest.
        """
        given, env = self._settings, os.environ
        token = env.get("AWS_SESSION_TOKEN") or env.get("AWS_SECURITY_TOKEN")
        key, secret, token = given["keys"] or (env.get(_ENVIRON[0]), env.get(_ENVIRON[1]), token)
        region, endpoint = given["region_name"] or env.get("AWS_DEFAULT_REGION"), given["endpoint_url"] or ""
        if given["profile"] or self._role[0] or token or not (key and secret and region):
            return ""
        if not endpoint:
            file = os.path.expanduser(env.get("AWS_CONFIG_FILE") or "~/.aws/config")
            if os.path.exists(file) or any(name.startswith("AWS_ENDPOINT_URL") for name in env):
                return ""  # which may name another server
        return f"{region} {endpoint} {key} {secret}"

    def who(self, client: Any) -> str:
        sts = (self._role[1]["service_config"] or {}).get("sts") or {}
        return f"{client.meta.region_name} {client.meta.endpoint_url} {self._whose(sts.get('endpoint_url'))}"

    def not_opened(self, fault: Exception) -> FrameworkError:
        code = type(fault).__name__
        if code == "NoCredentialsError" or code in botocores.NO_SOURCE:
            return self.failed(code, code, self.where())
        hint = botocores.HINTS.get(code, "Check backend_kwargs.")
        return self.misconfigured(f"the client cannot be built ({code})", hint)

    def code_of(self, fault: Exception) -> str | tuple[str, str]:
        code = botocores.code_of(fault)
        return ("KMS", code) if code.startswith("KMS") and code not in FAULTS else code

    def is_expired(self, fault: Exception) -> bool:
        """There may be a new token; keys in the kwargs do not change."""
        return self._settings["keys"] is None and self.code_of(fault) in botocores.EXPIRED

    def failure(self, fault: Exception, where: str, act: str = "read") -> SecretsError | None:
        operation = str(getattr(fault, "operation_name", None) or "")
        if operation.startswith("Assume"):
            return super().failure(fault, f"AWS STS, which gives the role for {where}", operation)
        return super().failure(fault, where, act)

    def _warn_of(
        self,
        retired: Mapping[str, object],
        of_a_role: Mapping[str, object],
        session: Mapping[str, object],
        services: Any,
    ) -> None:
        """Warn once of all kwargs that have no effect. Raises TypeError for an unknown kwarg."""
        if unknown := [name for name in retired if name not in self.retired]:
            raise TypeError(f"{type(self).__name__} takes no argument {unknown[0]!r}")
        ignored = {name: self.retired[name] for name in retired}
        ignored |= {name: "it is for a role: set role_arn" for name, given in of_a_role.items() if given}
        ignored |= {f"session_kwargs.{name}": f"set {name}" for name in session if name not in _KEYS}
        ignored |= {f"service_config.{name}": "only sts is used" for name in services or () if name != "sts"}
        if ignored:
            reasons = ", ".join(f"{name} ({reason})" for name, reason in ignored.items())
            warn(f"{type(self).__name__}: these have no effect here, as in Airflow: {reasons}. Remove them.")
