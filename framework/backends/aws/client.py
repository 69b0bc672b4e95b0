"""The client of one AWS service, and what its codes mean.

What AWS says is judged by the code of its error, never by the HTTP status. Its texts are not shown: they repeat names
of people and keys.
"""

from __future__ import annotations

from framework.errors import AccessDenied, BackendError, BackendUnavailable, InvalidSecret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from framework.backends.aws.role import Role

ABSENT = ("ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound", "ParameterVersionLabelNotFound")
DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "KMSAccessDeniedException")
INVALID = ("InvalidRequestException", "InvalidParameterException", "ValidationException", "ParamValidationError")
EXPIRED = ("ExpiredTokenException", "ExpiredToken", "RequestExpired")
_REFUSED = (
    *EXPIRED,
    *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "OptInRequired", "AuthFailure"),
    *("InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "IncompleteSignatureException"),
    *("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
    *("InvalidIdentityToken", "IDPRejectedClaim"),
)
HINTS = {
    "NoRegionError": "Set region_name.",
    "ProfileNotFound": "Correct profile_name, or write that profile into the AWS configuration.",
    "ValueError": "Check endpoint_url: it begins with http:// or https://.",
}
NO_SOURCE = ("CredentialRetrievalError", "MetadataRetrievalError", "TokenRetrievalError")

#: Codes that may be about one name of those asked for together: a key that is gone must not fail the other names.
OF_ONE_NAME = (*ABSENT, *DENIED, *INVALID, "DecryptionFailure", "InvalidKeyId", "KMSInvalidStateException")

#: What an answer says that lacks what it must have, and one that is about another name.
CUT_SHORT, ANOTHERS = "the answer is cut short", "the answer is for another name"

_CREDENTIALS = "Set profile_name, or aws_access_key_id and aws_secret_access_key, or give this machine a role."
_LOCKED = (BackendUnavailable, "the secret cannot be decrypted ({code})", "Check the state of its KMS key.")
#: What the codes of both services mean, see `RemoteBackend`. `KMS` stands for all that begin so.
FAULTS: dict[str, Any] = {
    **dict.fromkeys(ABSENT),
    **dict.fromkeys(DENIED, (AccessDenied, "access is denied ({code})", "Allow {right}.")),
    **dict.fromkeys(_REFUSED, (AccessDenied, "the credentials are refused ({code})", "Renew or correct them.")),
    "NoCredentialsError": (AccessDenied, "there are no credentials ({code})", _CREDENTIALS),
    **dict.fromkeys(INVALID, (InvalidSecret, "the request is malformed ({code})", "Check name and version.")),
    "InvalidRequestException": (
        InvalidSecret,
        "the secret is marked for deletion, or cannot be read as it is ({code})",
        "Restore it, or store a value.",
    ),
    **dict.fromkeys(
        NO_SOURCE,
        (BackendUnavailable, "no credentials can be fetched ({code})", "Check the place that they come from."),
    ),
    **dict.fromkeys(("DecryptionFailure", "InvalidKeyId", "KMS"), _LOCKED),
    "": (
        BackendUnavailable,
        "the store does not answer as it should ({code})",
        "Check region_name, endpoint_url and the network, or try again later.",
    ),
}

#: The longest wait for one call is about half a minute: four tries, and up to 1, 2 and 4 s between them.
_CONFIG: dict[str, Any] = {
    "connect_timeout": 3,
    "read_timeout": 7,
    "retries": {"mode": "standard", "total_max_attempts": 4},
    "user_agent_extra": "framework",
}


def made(service: str, store: str, settings: Mapping[str, Any], role: Role | None, workers: int) -> Any:
    """A botocore client, which is what `boto3.client` gives as well; it serves all threads.

    Args:
        service: AWS's name of it, `ssm`.
        store: our name of it, for messages.
        settings: `profile`, a name; `keys`, the key's id, the key and the token; `config`, arguments of
            `botocore.config.Config` over ours; the others are arguments of `create_client`.
        role: the role to assume.
        workers: how many calls are made at once: there are no fewer connections.

    Raises:
        BackendError: a setting that botocore does not know.
    """
    from botocore.session import Session

    more = dict(settings)
    profile, keys, given = more.pop("profile"), more.pop("keys"), more.pop("config")
    config = _configured(store, given, workers)
    session = Session(profile=profile)
    if keys is not None:
        session.set_credentials(*keys)
    if role is not None:
        said = {"max_pool_connections": 2 * workers, **_CONFIG, **given}
        credentials = role.credentials(session, more["region_name"], said)
        session = Session(profile=profile)
        session.register_component("credential_provider", _Source(credentials))
    return session.create_client(service, config=config, **more)


def _configured(store: str, given: Mapping[str, Any], workers: int) -> Any:
    """botocore's settings: the user's over ours. Raises BackendError for one that it does not know."""
    from botocore.config import Config

    said = {"max_pool_connections": 2 * workers, **_CONFIG, **given}
    try:
        said["max_pool_connections"] = max(said["max_pool_connections"], workers)
        said["retries"] = {**_CONFIG["retries"], **said["retries"]}
        return Config(**said)
    except Exception as error:
        what = type(error).__name__
    hint = f"It has {', '.join(sorted(given))}: see botocore.config.Config for what each may be."
    raise BackendError(f"the kwarg config holds what botocore does not take ({what})", where=store, hint=hint)


class _Source:
    """What a session asks for its credentials."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        return self._credentials


def code_of(error: Exception) -> str:
    """The code of what a client raised; nothing else of it is ever shown."""
    response = getattr(error, "response", None)
    return shown(response.get("Error", {}).get("Code")) if isinstance(response, dict) else type(error).__name__


def shown(code: object) -> str:
    """A code that is spelt like one; anything else may be somebody's page."""
    text = str(code).rpartition("#")[2]
    return text if text.isascii() and text.replace(".", "").isalpha() and len(text) <= 60 else "an unknown error"


def consists_of(text: str, others: str) -> bool:
    """Whether a text is letters and digits of ASCII and these, and not empty."""
    return bool(text) and all(char.isascii() and (char.isalnum() or char in others) for char in text)
