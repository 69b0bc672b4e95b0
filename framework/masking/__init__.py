"""Hides secrets wherever they are shown: the masker of this process.

`RedactingFilter` and `install` are loaded when they are first used.
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
    from typing import Any

    from framework.masking.logs import RedactingFilter as RedactingFilter
    from framework.masking.logs import install as install


def __getattr__(name: str) -> Any:
    if name in ("RedactingFilter", "install"):
        from framework.masking import logs

        return getattr(logs, name)
    raise AttributeError(f"module 'framework.masking' has no attribute {name!r}")
