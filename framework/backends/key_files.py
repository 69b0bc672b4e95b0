"""Files that kwargs name: keys, tokens, certificates. Messages may show a path, but never the content of a file."""

from __future__ import annotations

import os

from framework.errors import AccessDenied, BackendError, BackendUnavailable, InvalidSecret
from framework.files import trust
from framework.files.text import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from framework.errors import FrameworkError

_ENDINGS = (".json", ".txt", ".pem", ".key", ".token", ".jwt")


def read_token(path: str, directory: str, kwarg: str) -> str:
    """The text of a file that another program writes while this one runs, without white space around it.

    Args:
        path, kwarg: the path, and the kwarg that names it.
        directory: where a relative path starts; the file is trusted as that directory is.

    Raises:
        AccessDenied: the file is empty, or this user may not read it.
        BackendUnavailable: the file is missing, too large or not a regular file.
        InvalidSecret: the file is not text.
        BackendError: other users can write to the file.
    """
    where = shown_path(path, kwarg)
    try:
        if token := _text(path, directory, kwarg).strip():
            return token
        fault: FrameworkError = AccessDenied("the file is empty", where=where, hint="Write a token into it.")
    except PermissionError:
        fault = AccessDenied("the file cannot be read", where=where, hint="Allow this user to read it.")
    except OSError as error:
        hint = "Correct the path, or write the file."
        fault = BackendUnavailable(f"the file cannot be read ({_reason(error)})", where=where, hint=hint)
    except UnicodeDecodeError:
        fault = InvalidSecret("the file is not text", where=where, hint="Write UTF-8.")
    raise fault


def read_key(key: Mapping[str, Any] | str, directory: str, kwarg: str) -> dict[str, Any]:
    """A key that a kwarg gives as an object, as JSON text or as the path of a JSON file.

    Args:
        key, kwarg: the value, and the kwarg that gives it.
        directory: see `read_token`.

    Raises:
        BackendError: the file cannot be read, or other users can write to it.
        ValueError: it is not a JSON object.
    """
    from framework.parsing import read_json

    if isinstance(key, str):
        text = key if key.lstrip().startswith("{") else _key_text(key, directory, kwarg)
        key = read_json(text)
    if not isinstance(key, dict):
        raise ValueError("not a JSON object")
    return dict(key)


def client_file(path: str, directory: str, kwarg: str) -> str:
    """The absolute path of a file that the client library opens itself, such as a certificate.

    A missing file is the library's to report. Args, Raises: as `read_key`.
    """
    path = trust.inside(directory, os.path.expanduser(path))
    try:
        return trust.check(path)
    except trust.Untrusted as doubt:
        refusal = _refusal(doubt, path, kwarg)
    except OSError:
        return path
    raise refusal


def verification(verify: bool | str | None, directory: str, kwarg: str) -> bool | str | None:
    """Whether to check the server's certificate, or the path of the trusted authorities. A flag may be text, as from
    the environment. Args, Raises: as `client_file`."""
    if not isinstance(verify, str):
        return verify
    flag = {"true": True, "false": False}.get(verify.lower())
    return client_file(verify, directory, kwarg) if flag is None else flag


def shown_path(path: str, kwarg: str) -> str:
    """The path for a message. A text that does not look like one may be the secret itself: then the kwarg is named."""
    is_path = "/" in path or path.lower().endswith(_ENDINGS)
    return path if is_path and len(path) < 300 and path.isprintable() and "{" not in path else f"the kwarg {kwarg}"


def _key_text(path: str, directory: str, kwarg: str) -> str:
    try:
        return _text(path, directory, kwarg)
    except OSError as error:
        what = f"the key file cannot be read ({_reason(error)})"
    raise BackendError(what, where=shown_path(path, kwarg), hint="Correct the path, or write the file.")


def _text(path: str, directory: str, kwarg: str) -> str:
    try:
        return read_bytes(trust.inside(directory, os.path.expanduser(path)))[0].decode()
    except trust.Untrusted as doubt:
        refusal = _refusal(doubt, path, kwarg)
    raise refusal


def _refusal(doubt: trust.Untrusted, path: str, kwarg: str) -> BackendError:
    return BackendError(doubt.what, where=f"{kwarg} ({shown_path(path, kwarg)})", hint=doubt.hint)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
