"""Redacts a stream that comes in pieces, wherever it is cut, and holds back no more than what may become a secret.

A filter that looks at each piece alone lets `s3c` + `r3t` through. Here the end of what came stays in a buffer as long
as it may be the beginning of a secret in any of its spellings; everything before it goes on at once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from framework.masking import masker
from framework.masking.search import NESTING, PASSES, TO_BASE64, readings, replace_traced, spans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from framework.masking.known import Index

#: A word with a URL in it is held back until it ends, but at most this many bytes.
_LONGEST_WORD = 8_192
#: The longest that one escape can be: `\ud83d\udd11`. A letter of a secret may take this many bytes.
_ESCAPE = 12
#: The longest name of a scheme that is looked at.
_SCHEME = 20
_CUT_ESCAPE = (
    rb"(?:%[0-9A-Fa-f]?|\\(?:x[0-9A-Fa-f]?|u[0-9A-Fa-f]{0,3}|U[0-9A-Fa-f]{0,7}"
    rb"|u[Dd][89ABab][0-9A-Fa-f]{2}(?:\\(?:u[0-9A-Fa-f]{0,3})?)?)?)\Z"
)
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


class Beginnings:
    """Knows whether bytes are the beginning of a registered secret, but not the whole of it."""

    __slots__ = ("size", "longest", "starred", "_forms", "_starts", "_gram")

    def __init__(self, index: Index) -> None:
        self._forms = sorted(index.forms)
        self.size, self.longest = len(self._forms), max(map(len, self._forms), default=0)
        self.starred = any(b"*" in form for form in self._forms)  # a replacement may be a part of it
        self._gram = index.gram
        self._starts = {form[:length] for form in self._forms for length in range(1, index.gram + 1)}

    def first(self, data: bytes) -> int:
        """Where the longest end of the data begins that is the beginning of a secret; its length if there is none."""
        starts, gram, size = self._starts, self._gram, len(data)
        for at in range(max(0, size - self.longest + 1), size):
            if data[at : at + gram] in starts:
                rest = data[at:]
                place = bisect_left(self._forms, rest)
                if place < self.size and self._forms[place] == rest:
                    place += 1
                if place < self.size and self._forms[place].startswith(rest):
                    return at
        return size


class Stream:
    """`feed` every piece, then `close`: what both return is the redacted stream.

    Args:
        known: the masker; the process' own unless given.
    """

    __slots__ = ("_masker", "_buffer", "_beginnings", "_index")

    def __init__(self, known: masker.Masker | None = None) -> None:
        self._masker = known or masker._masker
        self._buffer = b""
        self._index = self._masker._index
        self._beginnings = Beginnings(self._index)

    def feed(self, data: bytes) -> bytes:
        """What may go on of all that came so far."""
        self._buffer += data
        index = self._masker._index
        if self._index is not index or self._beginnings.size != len(index.forms):
            self._index, self._beginnings = index, Beginnings(index)
        text, origin, end = self._redacted()
        place = len(text)
        if end < len(self._buffer):
            # Neither a URL nor a run of base64 is cut in two. Words are longer where a secret with a space is replaced.
            place = _word(text, bisect_right(origin, end) - 1)
            place = bisect_left(origin, origin[place])  # nor is a replacement
        self._buffer = self._buffer[origin[place] :]
        return text[:place]

    def close(self) -> bytes:
        """The rest."""
        rest, self._buffer = self._buffer, b""
        return self._masker.redact_bytes(rest)

    def _redacted(self) -> tuple[bytes, Sequence[int], int]:
        """The buffer redacted, the place in it that every byte came from, and the place where begins what must wait.

        A replacement may complete another secret, so that each pass has its own beginnings of secrets.
        """
        text, end = self._buffer, len(self._buffer)
        origin: Sequence[int] = range(end + 1)
        for _ in range(PASSES):
            end = min(end, origin[self._held_here(text)])
            found = spans(text, self._masker._index, self._masker.should_hide_value_for_name)
            before, (text, moved) = text, replace_traced(text, found, masker.REPLACEMENT.encode())
            if text == before:
                break
            origin = [origin[place] for place in moved]
        return text, origin, end

    def _held_here(self, text: bytes) -> int:
        """The same place, also if what must wait is replaced, and the replacement completes what is before it."""
        held, before = self._held(text, NESTING), len(text) + 1
        while self._beginnings.starred and held < before:
            base = max(0, held - self._beginnings.longest)
            joined = text[base:held] + masker.REPLACEMENT.encode()
            whole = [base + start for start, end in self._index.find(joined) if base + start < held < base + end]
            before, held = held, min(held, base + self._beginnings.first(joined), *whole)
        return held

    def _held(self, data: bytes, nesting: int) -> int:
        """Where that begins in the data which may yet become a secret, as it is or in one of its readings."""
        base = max(0, len(data) - max(_ESCAPE * self._beginnings.longest, _LONGEST_WORD))
        data = data[base:]
        found = min(self._beginnings.first(data), _url(data), len(data))
        if nesting:
            found = min(found, self._held_in_base64(data, nesting))
            spaced = self._index.spaced
            cut = _cut_escape(data)
            if cut < len(data):  # it may continue in two ways: as it is, and with what the escape will be
                found = min(found, cut, self._beginnings.first(data[:cut]))
            for known in (data, data[:cut]) if cut < len(data) else (data,):
                for reading, origin in readings(known, spaced):
                    found = min(found, origin[self._held(reading, nesting - 1)])
        return base + found

    def _held_in_base64(self, data: bytes, nesting: int) -> int:
        """A run of base64 letters at the end may begin anywhere in a group of four."""
        from binascii import a2b_base64

        size = len(data)
        window = data[max(0, size - 2 * self._beginnings.longest - 8) :].translate(TO_BASE64)
        run = window[window.rfind(b" ") + 1 :]
        start = size - len(run)
        found = max(start, size - 3)
        for shift in range(min(4, len(run))):
            letters = run[shift:]
            text = a2b_base64(letters + b"A" * (-len(letters) % 4))[: len(letters) * 3 // 4]
            held = self._beginnings.first(text)
            if text[len(text) // 4 : -(len(text) // 4) or None].isascii():
                held = min(held, self._held(text, nesting - 1))
            found = min(found, start + shift + held // 3 * 4)  # the group that it begins in
        return found


def _word(data: bytes, end: int) -> int:
    """Where the word begins that ends there, or is longer than words are."""
    tail = data[max(0, end - _LONGEST_WORD) : end]
    return end - (len(tail.rsplit(None, 1)[-1]) if tail and not tail[-1:].isspace() else 0)


def _url(data: bytes) -> int:
    """Where a URL begins that has not ended, or what may be its scheme."""
    size, word = len(data), _word(data, len(data))
    if b"://" in data[word:]:
        return word
    end = size - (2 if data.endswith(b":/") else 1 if data.endswith(b":") else 0)
    at = end
    while at > max(0, end - _SCHEME) and data[at - 1] in _LETTERS:
        at -= 1
    return at


def _cut_escape(data: bytes) -> int:
    """Where the escape begins that the data ends in the middle of; its length if there is none."""
    import re

    found = re.compile(_CUT_ESCAPE).search(data, max(0, len(data) - _ESCAPE))
    return found.start() if found else len(data)
