"""Rows for `RemoteBackend.faults`: what a store's answer means, each meaning in one wording for all stores."""

from __future__ import annotations

from framework.errors import AccessDenied, BackendUnavailable, InvalidSecret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.errors import SecretsError

    Fault = tuple[type[SecretsError], str, str]  # the error, its text, and its hint


def denied(hint: str = "Grant {right}.") -> Fault:
    """The credentials are good, but lack a permission."""
    return AccessDenied, "{doing} is denied ({code})", hint


def refused(hint: str) -> Fault:
    """The credentials themselves are not accepted."""
    return AccessDenied, "the credentials are not accepted ({code})", hint


def invalid(hint: str, what: str = "the request is invalid ({code})") -> Fault:
    """Neither a value nor an absence, and trying again does not help."""
    return InvalidSecret, what, hint


def throttled(hint: str = "Ask less often, or try again later.") -> Fault:
    """The store limits the number of requests."""
    return BackendUnavailable, "too many requests ({code})", hint


def unavailable(
    hint: str = "Check the network, or try again later.", what: str = "the store does not answer ({code})"
) -> Fault:
    """No answer, or not one of the store."""
    return BackendUnavailable, what, hint
