"""The credentials of a role, which AWS STS gives for other credentials or for an identity provider's token."""

from __future__ import annotations

import os

from framework.backends.aws.client import configured
from framework.backends.key_files import read_token
from framework.errors import BackendError, BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

METHODS = ("assume_role", "assume_role_with_web_identity")
_STS = "AWS STS"


class Settings:
    """The kwargs for assuming a role, see `Role`. Without `role_arn` they have no effect."""

    assume_role_method: str | None = None
    assume_role_kwargs: dict[str, Any] | None = None
    assume_role_with_web_identity_federation: str | None = None
    assume_role_with_web_identity_token_file: str | None = None
    assume_role_with_web_identity_federation_audience: str | None = None
    service_config: dict[str, Any] | None = None
    config_kwargs: dict[str, Any] | None = None


FIELDS = tuple(Settings.__annotations__)


class Role:
    """A role to assume, as the kwargs of Airflow's AWS connection describe it.

    Args:
        arn: `role_arn`.
        session: the name of its sessions, unless `assume_role_kwargs` gives one.
        directory: where a relative path of the token's file starts.
        settings: all of `Settings`. `assume_role_kwargs` has ExternalId, RoleSessionName, DurationSeconds, Policy, …;
            `service_config` the endpoint of STS; `config_kwargs` arguments of `botocore.config.Config` for STS, over
            those of the store.

    Raises:
        BackendError: a kwarg has a wrong type, or the method is unknown.
    """

    def __init__(self, arn: str, session: str, directory: str, settings: Mapping[str, Any]) -> None:
        for name in ("assume_role_kwargs", "service_config", "config_kwargs"):
            if not isinstance(settings[name] or {}, dict):
                raise BackendError(f"{name} is not a JSON object", hint="Correct it in backend_kwargs.")
        sts = (settings["service_config"] or {}).get("sts") or {}
        if not isinstance(sts, dict):
            raise BackendError("service_config.sts is not a JSON object", hint='Write {"sts": {"endpoint_url": "…"}}.')
        self._endpoint, self._config = sts.get("endpoint_url"), dict(settings["config_kwargs"] or {})
        self._arguments = {"RoleSessionName": session, **(settings["assume_role_kwargs"] or {}), "RoleArn": arn}
        self._directory, self._settings = directory, settings
        method = settings["assume_role_method"] or "assume_role"
        self._token: Callable[[], str] | None = None
        if method == "assume_role_with_saml":
            hint = f"Use {' or '.join(METHODS)}, or a profile with a credential_process, which may use SAML."
            raise BackendError("the assume_role_method assume_role_with_saml is not supported here", hint=hint)
        if method not in METHODS:
            raise BackendError("the assume_role_method is unknown", hint=f"Use {' or '.join(METHODS)}.")
        if method == "assume_role_with_web_identity":
            tokens = {"file": self._token_of_the_file, "google": self._token_of_google}
            self._token = tokens.get(settings["assume_role_with_web_identity_federation"])
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

        options = {**config, **self._config}
        if self._token is not None or options.get("signature_version") == "unsigned":
            options["signature_version"] = UNSIGNED  # the token is the proof
        elif source.get_credentials() is None:
            raise NoCredentialsError
        settings = configured(options, 1, "config_kwargs", self._config, _STS)

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
            what = "assume_role_kwargs holds an argument that STS does not accept"
            raise BackendError(what, where=_STS, hint=hint) from None

    def _token_of_the_file(self) -> str:
        path = self._settings["assume_role_with_web_identity_token_file"] or os.environ.get(
            "AWS_WEB_IDENTITY_TOKEN_FILE"
        )
        if not path:
            hint = "Set assume_role_with_web_identity_token_file, or AWS_WEB_IDENTITY_TOKEN_FILE."
            raise BackendError("no file is given for the web identity token", where=_STS, hint=hint)
        return read_token(path, self._directory, "assume_role_with_web_identity_token_file")

    def _token_of_google(self) -> str:
        audience = self._settings["assume_role_with_web_identity_federation_audience"]
        try:
            from google.auth.transport.requests import Request
            from google.oauth2.id_token import fetch_id_token

            return str(fetch_id_token(Request(), audience))
        except ImportError:
            hint = "Run pip install 'framework[gcp]'."
            failure: Exception = BackendError("the federation google needs google-auth", where=_STS, hint=hint)
        except Exception as error:
            hint = "Run on Google Cloud or set GOOGLE_APPLICATION_CREDENTIALS, and check the audience."
            what = f"Google issued no identity token ({type(error).__name__})"
            failure = BackendUnavailable(what, where=_STS, hint=hint)
        raise failure
