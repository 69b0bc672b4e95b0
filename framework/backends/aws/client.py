"""The client of one AWS service, and the meaning of its codes.

Only the code of an error counts, never the HTTP status. The texts of AWS are not shown: they repeat names and keys.
"""

from __future__ import annotations

from math import inf

from framework.backends.faults import denied, invalid, refused, throttled, unavailable
from framework.backends.retries import NO_DEADLINE, TRIES, TRIES_OF_A_FAILURE
from framework.deadlines import seconds_left
from framework.errors import AccessDenied, BackendError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from framework.backends.faults import Fault

    Assume = Callable[[Any, str | None, Mapping[str, Any]], Any]  # see `Role.credentials`

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

#: Too many requests.
THROTTLED = (
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException", "RequestThrottled"),
    *("TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException", "SlowDown"),
    *(
        "ProvisionedThroughputExceededException",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    ),
)
#: Codes that may concern only one of several names: a lost key must not fail the other names.
OF_ONE_NAME = (*ABSENT, *DENIED, *INVALID, "DecryptionFailure", "InvalidKeyId", "KMSInvalidStateException")

#: The codes of both services, see `RemoteBackend`. `KMS` means all that begin with it.
FAULTS: dict[str, Fault | None] = {
    **dict.fromkeys(ABSENT),
    **dict.fromkeys(DENIED, denied("Allow {right}.")),
    **dict.fromkeys(_REFUSED, refused("Renew or correct them.")),
    "NoCredentialsError": (
        AccessDenied,
        "there are no credentials ({code})",
        "Set profile_name, or aws_access_key_id and aws_secret_access_key, or give this machine a role.",
    ),
    **dict.fromkeys(INVALID, invalid("Check name and version.")),
    "InvalidRequestException": invalid(
        "Restore it, or store a value.", "the secret is marked for deletion, or cannot be read in its state ({code})"
    ),
    **dict.fromkeys(THROTTLED, throttled()),
    **dict.fromkeys(NO_SOURCE, unavailable("Check where they come from.", "no credentials can be fetched ({code})")),
    **dict.fromkeys(
        ("DecryptionFailure", "InvalidKeyId", "KMS"),
        unavailable("Check the state of its KMS key.", "the secret cannot be decrypted ({code})"),
    ),
    "": unavailable("Check region_name, endpoint_url and the network, or try again later."),
}
#: Instead of a code: an answer without the value that it must have, and one about another name.
CUT_SHORT, OTHER_NAME = "the response is truncated", "the answer is for another name"

#: What is not repeated if it is throttled: there is another way, with another quota.
_NOT_REPEATED = ("BatchGetSecretValue",)
#: A throttled call is repeated, ever more slowly, until its deadline; another failure as often as for any store.
_CONFIG: dict[str, Any] = {
    "connect_timeout": 3,
    "read_timeout": 7,
    "retries": {"mode": "adaptive", "total_max_attempts": TRIES},
    "user_agent_extra": "framework",
}


def made(
    service: str, store: str, settings: Mapping[str, Any], assume: Assume | None, workers: int
) -> tuple[Any, Callable[[str | None], str]]:
    """A botocore client, the same as from `boto3.client`, which serves all threads; and what says whose keys it has,
    given the address of STS.

    Args:
        service: AWS's name of it, `ssm`.
        store: our name of it, for messages.
        settings: `profile`, a name; `keys`, the key's id, the key and the token; `config`, arguments of
            `botocore.config.Config` over ours; the others are arguments of `create_client`.
        assume: assumes a role.
        workers: how many calls are made at once; at least as many connections are kept.

    Raises:
        BackendError: botocore does not accept a setting.
    """
    from botocore.session import Session

    more = dict(settings)
    profile, keys, given = more.pop("profile"), more.pop("keys"), more.pop("config")
    options = {"max_pool_connections": 2 * workers, **_CONFIG, **given}
    config = configured(options, workers, "the kwarg config", given, store)
    session = Session(profile=profile)
    if keys is not None:
        session.set_credentials(*keys)
    if assume is not None:
        credentials = assume(session, more["region_name"], options)
        session = Session(profile=profile)
        session.register_component("credential_provider", _Source(credentials))
    client = session.create_client(service, config=config, **more)
    watch = _Watch(inf if "retries" in given else TRIES_OF_A_FAILURE)
    client.meta.events.register_first(f"needs-retry.{client.meta.service_model.service_id.hyphenize()}", watch)

    def whose(sts: str | None) -> str:
        keys = session.get_credentials().get_frozen_credentials()
        if not keys.token:  # they do not change, and identify one principal
            return f"{keys.access_key} {keys.secret_key}"
        asked = session.create_client("sts", region_name=more["region_name"], endpoint_url=sts, config=config)
        arn = str(asked.get_caller_identity()["Arn"])
        return arn.rpartition("/")[0] if ":assumed-role/" in arn else arn  # each process has its own session

    return client, whose


class _Watch:
    """Ends botocore's retries early, by raising the last failure.

    It is called before botocore's own handlers. So a throttled batch, which has its own quota, does not slow down
    the single calls that follow it.

    Args:
        tries: how often a call is tried that fails for another reason than throttling.
    """

    def __init__(self, tries: float) -> None:
        self._tries = tries

    def __call__(
        self, response: Any, operation: Any, attempts: int, caught_exception: Exception | None, **_: object
    ) -> None:
        code = "" if response is None else response[1].get("Error", {}).get("Code", "")
        is_throttled = code in THROTTLED
        if caught_exception is None and response[0].status_code < 300:
            return
        pause = min(2 ** (attempts - 1), 20) / 2  # botocore's, on average
        is_over = operation.name in _NOT_REPEATED if is_throttled else attempts >= self._tries
        if not is_over and pause < seconds_left(NO_DEADLINE):
            return
        from botocore.exceptions import ClientError

        raise caught_exception or ClientError(response[1], operation.name)


def configured(options: Mapping[str, Any], workers: int, kwarg: str, given: Mapping[str, Any], where: str) -> Any:
    """botocore's Config with our retries, unless the options have other ones. Raises BackendError that names the
    given arguments: botocore does not accept one of them."""
    from botocore.config import Config

    try:
        connections = max(options["max_pool_connections"], workers)
        retries = {**_CONFIG["retries"], **options["retries"]}
        return Config(**{**options, "max_pool_connections": connections, "retries": retries})
    except Exception as error:
        what = f"{kwarg} holds an argument that botocore does not accept ({type(error).__name__})"
    hint = f"It has {', '.join(sorted(given))}: see botocore.config.Config for what each may be."
    raise BackendError(what, where=where, hint=hint)


class _Source:
    """The credential provider of a session."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> object:
        return self._credentials


def code_of(error: Exception) -> str:
    """The code of an exception of the client; nothing else of it is ever shown."""
    response = getattr(error, "response", None)
    return shown(response.get("Error", {}).get("Code")) if isinstance(response, dict) else type(error).__name__


def shown(code: object) -> str:
    """A code for messages. A text that is not spelt like one may be part of a gateway's page."""
    text = str(code).rpartition("#")[2]
    return text if text.isascii() and text.replace(".", "").isalpha() and len(text) <= 60 else "an unknown error"


def consists_of(text: str, others: str) -> bool:
    """Whether a text is not empty, and has only ASCII letters, digits and these characters."""
    return bool(text) and all(char.isascii() and (char.isalnum() or char in others) for char in text)
