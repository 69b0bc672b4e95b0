"""Hides secrets wherever they are shown: the masker of this process.

What searches texts is loaded with the first text that may hold a secret; `RedactingFilter` and `install` when they are
used.
"""

from __future__ import annotations

from framework.masking.masker import MAX_DEPTH as MAX_DEPTH
from framework.masking.masker import MIN_LENGTH as MIN_LENGTH
from framework.masking.masker import REPLACEMENT as REPLACEMENT
from framework.masking.masker import SENSITIVE_NAMES as SENSITIVE_NAMES
from framework.masking.masker import Masker as Masker
from framework.masking.masker import add_mask as add_mask
from framework.masking.masker import configure as configure
from framework.masking.masker import generation as generation
from framework.masking.masker import mask_secret as mask_secret
from framework.masking.masker import merge as merge
from framework.masking.masker import redact as redact
from framework.masking.masker import redact_around as redact_around
from framework.masking.masker import redact_text as redact_text
from framework.masking.masker import reset as reset
from framework.masking.masker import should_hide_value_for_name as should_hide_value_for_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from framework.masking.logs import RedactingFilter as RedactingFilter
    from framework.masking.logs import install as install

    Owner = TypeVar("Owner")


def safe_text(message: str, keep: str = "") -> str:
    """A message as it may be shown: without the secrets in it, control characters as escapes.

    Args:
        keep: characters that stay as they are, such as the line ends of our own texts.
    """
    from framework.masking.search import visible
    from framework.masking.wording import redact_message

    return visible(redact_message(message), keep)


def safe_repr(describe: Callable[[Owner], str]) -> Callable[[Owner], str]:
    """Decorates `__repr__` and `__str__`: the text has no known secret and no control character.

    It never fails: a traceback with local variables may print an object whose constructor has failed.
    """

    def described(self: Owner) -> str:
        try:
            return safe_text(describe(self), keep="\n")
        except Exception:
            return f"<{type(self).__name__}, not built>"

    return described


def __getattr__(name: str) -> Any:
    if name in ("RedactingFilter", "install"):
        from framework.masking import logs

        return getattr(logs, name)
    raise AttributeError(f"module 'framework.masking' has no attribute {name!r}")
