"""Places and messages in the form for people."""

from __future__ import annotations

import os

from framework.masking.search import visible

#: What may precede a path in a message. Within a longer path, or a value, nothing is cut out.
_BEFORE_PATHS = " \t\n'\"`([{<,;:="


def short(text: str, folder: str | None = None) -> str:
    """A text for a person, in one line: control characters visible, paths relative to a folder.

    Args:
        text: a message, or a place.
        folder: whose path is left out. None: that of the working directory.
    """
    try:
        here = os.path.join(os.getcwd() if folder is None else folder, "")
    except FileNotFoundError:  # it was removed
        return visible(text)
    if here == os.sep:  # every path begins so
        return visible(text)
    pieces: list[str] = []
    done = at = 0
    while (at := text.find(here, at)) >= 0:
        if at == 0 or text[at - 1] in _BEFORE_PATHS:
            pieces.append(text[done:at])
            done = at + len(here)
        at += len(here)
    return visible("".join([*pieces, text[done:]]))
