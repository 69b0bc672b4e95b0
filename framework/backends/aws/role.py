"""The credentials of a role, which AWS STS gives for other credentials or for the token of an identity provider."""

from __future__ import annotations

import os

from framework.backends.key_files import read_token
from framework.errors import BackendError, BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

METHODS = ("assume_role", "assume_role_with_web_identity")
_STS = "AWS STS"


class Settings:
    """The kwargs that say how a role is assumed, see `Role`; without `role_arn` they have no effect."""

    assume_role_method: str | None = None
    assume_role_kwargs: dict[str, Any] | None = None
    assume_role_with_web_identity_federation: str | None = None
    assume_role_with_web_identity_token_file: str | None = None
    assume_role_with_web_identity_federation_audience: str | None = None
    service_config: dict[str, Any] | None = None
    config_kwargs: dict[str, Any] | None = None


#: Names that messages may always show.
FIELDS = tuple(Settings.__annotations__)


class Role:
    """A role to assume, as the kwargs of Airflow's AWS connection describe it.

    Args:
        arn: `role_arn`.
        session: the name of its sessions, unless `assume_role_kwargs` gives one.
        directory: where a relative path of the token's file starts.
        said: all of `Settings`. `assume_role_kwargs` has ExternalId, RoleSessionName, DurationSeconds, Policy, …;
            `service_config` the endpoint of STS; `config_kwargs` arguments of `botocore.config.Config` for STS, over
            those of the store.

    Raises:
        BackendError: a way to log in that is not known here.
    """

    def __init__(self, arn: str, session: str, directory: str, said: Mapping[str, Any]) -> None:
        for name in ("assume_role_kwargs", "service_config", "config_kwargs"):
            if not isinstance(said[name] or {}, dict):
                raise BackendError(f"{name} is not a JSON object", hint="Correct it in backend_kwargs.")
        sts = (said["service_config"] or {}).get("sts") or {}
        if not isinstance(sts, dict):
            raise BackendError("service_config.sts is not a JSON object", hint='Write {"sts": {"endpoint_url": "…"}}.')
        self._endpoint, self._config = sts.get("endpoint_url"), dict(said["config_kwargs"] or {})
        self._arguments = {"RoleSessionName": session, **(said["assume_role_kwargs"] or {}), "RoleArn": arn}
        self._directory, self._said = directory, said
        method = said["assume_role_method"] or "assume_role"
        self._token: Callable[[], str] | None = None
        if method == "assume_role_with_saml":
            hint = f"Use {' or '.join(METHODS)}, or a profile with a credential_process, which may speak SAML."
            raise BackendError("the assume_role_method assume_role_with_saml is not supported here", hint=hint)
        if method not in METHODS:
            raise BackendError("the assume_role_method is unknown", hint=f"Use {' or '.join(METHODS)}.")
        if method == "assume_role_with_web_identity":
            tokens = {"file": self._token_of_the_file, "google": self._token_of_google}
            self._token = tokens.get(said["assume_role_with_web_identity_federation"])
            if self._token is None:
                what = "assume_role_with_web_identity_federation is neither file nor google"
                raise BackendError(what, hint="State where the token of the web identity comes from.")

    def credentials(self, source: Any, region: str | None, config: Mapping[str, Any]) -> Any:
        """Credentials that are fetched at the first call, and again before they end.

        Args:
            source: the session whose credentials may assume the role.
            region: that of STS.
            config: arguments of `botocore.config.Config`.
        """
        from botocore import UNSIGNED
        from botocore.credentials import DeferredRefreshableCredentials
        from botocore.exceptions import NoCredentialsError

        said = {**config, **self._config}
        if self._token is not None or said.get("signature_version") == "unsigned":
            said["signature_version"] = UNSIGNED  # the token says who we are
        elif source.get_credentials() is None:
            raise NoCredentialsError
        settings = self._configured(said)

        def fetch() -> dict[str, Any]:
            client = source.create_client("sts", region_name=region, endpoint_url=self._endpoint, config=settings)
            given = self._assume(client)["Credentials"]
            return {
                "access_key": given["AccessKeyId"],
                "secret_key": given["SecretAccessKey"],
                "token": given["SessionToken"],
                "expiry_time": given["Expiration"].isoformat(),
            }

        return DeferredRefreshableCredentials(fetch, "assume-role")

    def _configured(self, said: dict[str, Any]) -> Any:
        from botocore.config import Config

        what = ""
        try:
            return Config(**said)
        except Exception as error:
            what = type(error).__name__
        hint = f"It has {', '.join(sorted(self._config))}: see botocore.config.Config for what each may be."
        raise BackendError(f"config_kwargs holds what botocore does not take ({what})", where=_STS, hint=hint)

    def _assume(self, client: Any) -> Any:
        from botocore.exceptions import ParamValidationError

        arguments = self._arguments
        try:
            if self._token is None:
                return client.assume_role(**arguments)
            return client.assume_role_with_web_identity(**arguments, WebIdentityToken=self._token())
        except ParamValidationError:
            names = ", ".join(sorted(set(arguments) - {"RoleArn"}))
            hint = f"Check the types of {names} and role_arn: see AssumeRole in AWS's reference for what each may be."
            raise BackendError("assume_role_kwargs holds what STS does not take", where=_STS, hint=hint) from None

    def _token_of_the_file(self) -> str:
        path = self._said["assume_role_with_web_identity_token_file"] or os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        if not path:
            hint = "Set assume_role_with_web_identity_token_file, or AWS_WEB_IDENTITY_TOKEN_FILE."
            raise BackendError("no file holds the token of the web identity", where=_STS, hint=hint)
        return read_token(path, self._directory, "assume_role_with_web_identity_token_file")

    def _token_of_google(self) -> str:
        missing, what = False, ""
        try:
            from google.auth.transport.requests import Request
            from google.oauth2.id_token import fetch_id_token

            return str(fetch_id_token(Request(), self._said["assume_role_with_web_identity_federation_audience"]))
        except ImportError:
            missing = True
        except Exception as error:
            what = type(error).__name__
        if missing:
            raise BackendError("the federation google needs google-auth", hint="pip install 'framework[gcp]'")
        hint = "Run on Google Cloud or set GOOGLE_APPLICATION_CREDENTIALS, and check the audience."
        raise BackendUnavailable(f"Google gives no token of an identity ({what})", where=_STS, hint=hint)
