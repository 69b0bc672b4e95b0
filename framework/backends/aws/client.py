"""The client of one AWS service: made once in a process, and its errors told apart.

What AWS says is judged by the code of its error, never by the HTTP status. Its texts are not shown: they repeat names
of people and keys.
"""

from __future__ import annotations

from framework.backends.quiet import Quietly
from framework.backends.session import OnePerProcess
from framework.errors import AccessDenied, BackendError, BackendUnavailable, InvalidSecret, SecretsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from framework.backends.aws.role import Role

    Fault = tuple[str, str]  # the code of an error, and the operation that met it

ABSENT = ("ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound", "ParameterVersionLabelNotFound")
DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "KMSAccessDeniedException")
INVALID = ("InvalidRequestException", "InvalidParameterException", "ValidationException", "ParamValidationError")
_EXPIRED = ("ExpiredTokenException", "ExpiredToken", "RequestExpired")
_REFUSED = (
    *_EXPIRED,
    *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "OptInRequired", "AuthFailure"),
    *("InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "IncompleteSignatureException"),
    *("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
    *("InvalidIdentityToken", "IDPRejectedClaim"),
)
_HINTS = {
    "NoRegionError": "Set region_name.",
    "ProfileNotFound": "Correct profile_name, or write that profile into the AWS configuration.",
    "ValueError": "Check endpoint_url: it begins with http:// or https://.",
}
_NO_SOURCE = ("CredentialRetrievalError", "MetadataRetrievalError", "TokenRetrievalError")

#: Codes that may be about one name of those asked for together: a key that is gone must not fail the other names.
OF_ONE_NAME = (*ABSENT, *DENIED, *INVALID, "DecryptionFailure", "InvalidKeyId", "KMSInvalidStateException")

#: What stands for the code of an answer that lacks what it must have.
CUT_SHORT = ("the answer is cut short", "")
#: The same for an answer that is about another name.
ANOTHERS = ("the answer is for another name", "")

#: The longest wait for one call is about half a minute: four tries, and up to 1, 2 and 4 s between them.
_CONFIG: dict[str, Any] = {
    "connect_timeout": 3,
    "read_timeout": 7,
    "retries": {"mode": "standard", "total_max_attempts": 4},
    "user_agent_extra": "framework",
}


class Client:
    """One botocore client for each process, which is what `boto3.client` gives as well; it serves all threads.

    Args:
        service: AWS's name of it, `ssm`.
        store: our name of it, for messages.
        profile, keys, role: who we are: a profile's name; key id, key and token; the role to assume.
        config: arguments of `botocore.config.Config`, over ours.
        workers: how many calls are made at once: there are no fewer connections.
        **more: further arguments of `create_client`.

    Attributes:
        made: how many clients were made so far.
    """

    __slots__ = ("service", "store", "made", "_profile", "_keys", "_role", "_config", "_workers", "_more", "_one")

    def __init__(
        self,
        service: str,
        store: str,
        profile: str | None,
        keys: Any,
        role: Role | None,
        config: Any,
        workers: int,
        **more: Any,
    ) -> None:
        self.service, self.store, self.made = service, store, 0
        self._profile, self._keys, self._role, self._config, self._more = profile, keys, role, config, more
        self._workers = workers
        self._one = OnePerProcess(self._make)

    def get(self) -> Any:
        """The client of this process.

        Raises:
            BackendError: the SDK is missing, or the settings do not make a client.
            AccessDenied: there are no credentials.
            BackendUnavailable: where the credentials come from does not answer.
        """
        return self._one.get()

    def call(self, operation: str, **arguments: Any) -> tuple[dict[str, Any], Fault | None]:
        """The answer, or the error that is left after the client's own tries.

        A token that has expired is looked for again, once: whoever wrote it may have written a new one.
        """

        def ask(client: Any) -> Any:
            with Quietly("botocore"):
                return getattr(client, operation)(**arguments)

        def is_expired(error: Exception) -> bool:
            return self._keys is None and _fault_of(error, operation)[0] in _EXPIRED

        answer, error = self._one.ask(ask, is_expired)
        return (answer, None) if error is None else ({}, _fault_of(error, operation))

    def pages(self, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """The entries of a list that comes in pages.

        Raises:
            AccessDenied, BackendUnavailable: what AWS says.
        """
        token: dict[str, str] = {}
        while True:
            answer, fault = self.call(operation, **arguments, **token)
            entries = answer.get(key)
            if entries is None:
                raise self.failure(fault or CUT_SHORT, "") or BackendUnavailable("there is no list", where=self.store)
            yield from entries
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def failure(self, fault: Fault, name: str) -> SecretsError | None:
        """The error as one of ours; None if it says that the secret is not there."""
        code, operation = fault
        where = f"{self.store} {name}".rstrip()
        if operation.startswith("Assume"):
            where = f"AWS STS, which gives the role for {where}"
        if code in ABSENT:
            return None
        if code in DENIED:
            action = f"{'sts' if operation.startswith('Assume') else self.service}:{operation}"
            return AccessDenied(f"access is denied ({code})", where=where, hint=f"Allow {action}.")
        if code in _REFUSED:
            return AccessDenied(f"the credentials are refused ({code})", where=where, hint="Renew or correct them.")
        if code == "NoCredentialsError":
            hint = "Set profile_name, or aws_access_key_id and aws_secret_access_key, or give this machine a role."
            return AccessDenied(f"there are no credentials ({code})", where=where, hint=hint)
        if code == "InvalidRequestException":
            what = f"the secret is marked for deletion, or cannot be read as it is ({code})"
            return InvalidSecret(what, where=where, hint="Restore it, or store a value.")
        if code in INVALID:
            return InvalidSecret(f"the request is malformed ({code})", where=where, hint="Check name and version.")
        if code in _NO_SOURCE:
            what, hint = f"no credentials can be fetched ({code})", "Check the place that they come from."
        elif code in ("DecryptionFailure", "InvalidKeyId") or code.startswith("KMS"):
            what, hint = f"the secret cannot be decrypted ({code})", "Check the state of its KMS key."
        else:
            what = f"the store does not answer as it should ({code})"
            hint = "Check region_name, endpoint_url and the network, or try again later."
        return BackendUnavailable(what, where=where, hint=hint)

    def _make(self) -> Any:
        try:
            import botocore.session  # noqa: F401 - its loggers have to be there

            with Quietly("botocore"):  # credentials may be fetched
                client = self._new()
            self.made += 1
            return client
        except ImportError:
            code = ""
        except BackendError:
            raise
        except Exception as error:
            code = type(error).__name__
        if not code:
            raise BackendError(f"{self.store} needs botocore", hint="pip install 'framework[aws]'")
        if code == "NoCredentialsError" or code in _NO_SOURCE:
            raise self.failure((code, ""), "") or BackendUnavailable(code)
        hint = _HINTS.get(code, "Check the kwargs of the backend.")
        raise BackendError(f"the client of {self.store} cannot be made ({code})", hint=hint)

    def _new(self) -> Any:
        from botocore.session import Session

        config = self._configured()
        session = Session(profile=self._profile)
        if self._keys is not None:
            session.set_credentials(*self._keys)
        if self._role is not None:
            said = {"max_pool_connections": 2 * self._workers, **_CONFIG, **self._config}
            credentials = self._role.credentials(session, self._more["region_name"], said)
            session = Session(profile=self._profile)
            session.register_component("credential_provider", _Source(credentials))
        return session.create_client(self.service, config=config, **self._more)

    def _configured(self) -> Any:
        """botocore's settings: the user's over ours. Raises BackendError for one that it does not know."""
        from botocore.config import Config

        said = {"max_pool_connections": 2 * self._workers, **_CONFIG, **self._config}
        try:
            said["max_pool_connections"] = max(said["max_pool_connections"], self._workers)
            said["retries"] = {**_CONFIG["retries"], **said["retries"]}
            return Config(**said)
        except Exception as error:
            what = type(error).__name__
        hint = f"It has {', '.join(sorted(self._config))}: see botocore.config.Config for what each may be."
        raise BackendError(f"the kwarg config holds what botocore does not take ({what})", where=self.store, hint=hint)


class _Source:
    """What a session asks for its credentials."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        return self._credentials


def _fault_of(error: Exception, operation: str) -> Fault:
    """Code and operation of what a client raised; nothing else of it is ever shown."""
    response = getattr(error, "response", None)
    name = getattr(error, "operation_name", None) or operation
    return (shown(response.get("Error", {}).get("Code")) if isinstance(response, dict) else type(error).__name__), name


def shown(code: object) -> str:
    """A code that is spelt like one; anything else may be somebody's page."""
    text = str(code).rpartition("#")[2]
    return text if text.isascii() and text.replace(".", "").isalpha() and len(text) <= 60 else "an unknown error"


def consists_of(text: str, others: str) -> bool:
    """Whether a text is letters and digits of ASCII and these, and not empty."""
    return bool(text) and all(char.isascii() and (char.isalnum() or char in others) for char in text)
