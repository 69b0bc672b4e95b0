"""Fills in the placeholders of a template: `@section.key|filter@`. Nothing is evaluated, and all else is copied."""

from __future__ import annotations

import re
from bisect import bisect

from framework.delivery.quoting import FILTERS
from framework.delivery.values import Faults, Source, resolve
from framework.errors import ConfigError, FrameworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.app import App
    from framework.delivery.values import Prefetch, Value

    Filter = tuple[str, int | None]

#: `section.key`, the key after the last dot; or a name in the chain, with what a reference may hold.
_NAME = rb"(?:[A-Za-z0-9_-]+\.)+[A-Za-z0-9_-]+|(?:conn|var|secret):[A-Za-z0-9_.:/#?=~%+-]+"
_FILTERS = rb"(?:\|[A-Za-z0-9_-]+(?::[0-9]+)?)*"
DELIMITERS = "@ @"

#: Line ends and control characters. In the middle of a line they would break what the template is.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WIDEST = 1000


class Rendered:
    """A template that is filled in.

    Attributes:
        data: all of it.
        secrets: where the values of secrets are in it, as start and end.
    """

    __slots__ = ("data", "secrets")

    def __init__(self, data: bytes, secrets: list[tuple[int, int]]) -> None:
        self.data, self.secrets = data, secrets


class Template:
    """A template.

    Args:
        data: its bytes, in any encoding that has ASCII in it.
        path: what messages call it.
        delimiters: what begins and what ends a placeholder, separated by a space.

    Raises:
        ConfigError: the delimiters are not valid.
    """

    def __init__(self, data: bytes, path: str, delimiters: str = DELIMITERS) -> None:
        marks = delimiters.split()
        if len(marks) != 2 or any(letter.isalnum() or letter == "|" for mark in marks for letter in mark):
            what = "the delimiters are two marks with a space between them, without letters, digits and |"
            raise ConfigError(what, where="--delimiters", hint="For example '<< >>'.")
        start, end = (re.escape(mark.encode()) for mark in marks)
        self._data, self._path = data, path
        self._pattern = re.compile(rb"%s((?:%s)(?:%s))%s" % (start, _NAME, _FILTERS, end))
        self._lines: list[int] | None = None

    def fill(self, app: App, prefetch: Prefetch | None = None) -> Rendered:
        """The template with its values.

        Raises:
            Faults: every placeholder that is unknown, cannot be resolved, or does not fit its place.
        """
        placeholders = [(found, *_parse(found[1].decode())) for found in self._pattern.finditer(self._data)]
        values = resolve(app, (source for _, source, _ in placeholders), prefetch)
        faults: list[tuple[tuple[str, str], FrameworkError]] = []
        pieces: list[bytes] = []
        secrets: list[tuple[int, int]] = []
        done = size = 0
        for found, source, filters in placeholders:
            value = values[source]
            try:
                if isinstance(value, FrameworkError):
                    raise value
                text = self._written(found, source, value, filters)
            except FrameworkError as fault:
                name = source.name if source.kind == "option" else ("", source.text)
                faults.append((name, self._at(found.start(), fault)))
                continue
            before = self._data[done : found.start()]
            done = found.end()
            pieces += [before, text]
            size += len(before) + len(text)
            if value.sensitive:
                secrets.append((size - len(text), size))
        if faults:
            raise Faults(faults)
        return Rendered(b"".join([*pieces, self._data[done:]]), secrets)

    def _written(self, found: re.Match[bytes], source: Source, value: Value, filters: list[Filter]) -> bytes:
        text = value.text
        for name, number in filters:
            try:
                text = _filtered(text, name, number)
            except ValueError as fault:
                raise ConfigError(f"{source} cannot be written as {name}: {fault}") from None
        if not filters and _BREAKS.search(text) and not self._is_alone(found):
            what = f"{source} holds a line break or a control character, and the placeholder is not alone on its line"
            hint = "Add a filter: |json, |yaml, |indent:4, …; or |raw, to write it unchanged."
            raise ConfigError(what, hint=hint)
        return text.encode("utf-8", "surrogateescape")

    def _is_alone(self, found: re.Match[bytes]) -> bool:
        before, after = self._data[: found.start()][-1:], self._data[found.end() : found.end() + 1]
        return before in (b"", b"\n", b"\r") and after in (b"", b"\n", b"\r")

    def _at(self, place: int, fault: FrameworkError) -> FrameworkError:
        """The same error with the place of the placeholder: file, line and column."""
        if self._lines is None:
            self._lines = [0, *(found.end() for found in re.finditer(b"\n", self._data))]
        line = bisect(self._lines, place)
        column = len(self._data[self._lines[line - 1] : place].decode("utf-8", "replace")) + 1
        located = fault.again()
        located.where = f"{self._path}:{line}:{column}" + (f": {fault.where}" if fault.where else "")
        located.__cause__ = fault.__cause__
        return located


def _parse(text: str) -> tuple[Source, list[Filter]]:
    """The source and the filters of a placeholder."""
    name, *filters = text.split("|")
    return Source(name), list(map(_filter, filters))


def _filter(text: str) -> Filter:
    name, _, number = text.partition(":")
    return name, int(number) if number else None


def _filtered(text: str, name: str, number: int | None) -> str:
    """A text after a filter.

    Raises:
        ConfigError: there is no such filter.
        ValueError: it cannot write the text.
    """
    if name == "indent":
        if number is None or number > _WIDEST:
            raise ConfigError("the filter indent takes a number of spaces", hint="For example |indent:4.")
        first, *rest = text.split("\n")
        return "\n".join([first, *(f"{' ' * number}{line}" if line.strip("\r") else line for line in rest)])
    if name != "raw" and name not in FILTERS:
        from difflib import get_close_matches

        known = [*FILTERS, "indent", "raw"]
        near = get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(known)}."
        raise ConfigError(f"there is no filter {name}", hint=hint)
    if number is not None:
        raise ConfigError(f"the filter {name} takes no number", hint=f"Write |{name}.")
    return text if name == "raw" else FILTERS[name](text)


def shown_lines(rendered: Rendered) -> Iterator[tuple[str, str]]:
    """Each line as it is, and as it may be shown: with `***` where a secret is, or a part of one."""
    data, at, number = rendered.data, 0, 0
    for line in data.split(b"\n"):
        end = at + len(line)
        while number < len(rendered.secrets) and rendered.secrets[number][1] <= at:
            number += 1
        shown, done, k = "", at, number
        while k < len(rendered.secrets) and rendered.secrets[k][0] < end:
            first, last = rendered.secrets[k]
            shown += _text(data[done : max(first, done)]) + ("***" if last > first else "")
            done, k = min(last, end), k + 1
        yield _text(line), shown + _text(data[done:end])
        at = end + 1


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
