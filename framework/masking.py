"""The one masker: what is a secret is hidden wherever it is shown.

Two ways lead to `***`. A value under a sensitive name is hidden whole. Free text is searched for every secret that
was registered with `add_mask`, and for passwords inside URLs.

A text is searched as it stands and as it reads once percent-quoting, backslashes (JSON, `repr`) and base64 are undone,
also one inside the other. So only the secrets themselves are filed, not their spellings: registering costs next to
nothing, and the time that a text takes does not depend on how many secrets there are.

Names, structures and `merge` answer as in Airflow; where this masker hides more is in `docs/airflow-differences.md`.
"""

from __future__ import annotations

from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

REPLACEMENT = "***"
#: No secret, line or leaf shorter than this is searched for: it would hide half of every text.
MIN_LENGTH = 5
#: Deeper than this, what is under a sensitive name is hidden as one.
MAX_DEPTH = 5
#: Airflow's names, and three that it lacks. Each is also known without its `_` (`webhookUrl`).
SENSITIVE_NAMES = (
    *("access_key", "access_token", "api_key", "apikey", "auth_header", "authorization", "bearer"),
    *("connection_string", "dsn", "keyfile_dict", "passphrase", "passwd", "password", "private_key", "proxies"),
    *("proxy", "proxy_password", "secret", "service_account", "service_key", "token", "webhook_url"),
    *("cookie", "credentials", "fernet_key"),
)
_BUILT_IN = frozenset(SENSITIVE_NAMES) | {name.replace("_", "") for name in SENSITIVE_NAMES}

#: A structure deeper than this is hidden: nothing that a person wrote is.
_BOTTOM = 100
#: How many spellings may lie one inside the other: the repr of a JSON text that holds a quoted URL makes three.
_NESTING = 3
#: A replacement can complete another secret (`***` is text, too), so a text is searched until it no longer changes.
_PASSES = 8
_BLOCK = 512
_ESCAPES = dict(zip(b"ntrbfav\"'\\/", b"\n\t\r\b\f\a\v\"'\\/", strict=False))
_CODE_WIDTHS = {ord("x"): 2, ord("u"): 4, ord("U"): 8}
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#: The URL-safe alphabet's `-` and `_` become the standard one's `+` and `/`, what is in neither a blank.
_TO_BASE64 = bytes(c if c in _ALPHABET else b"+/ "[b"-_".find(c)] for c in range(256))


class _Index:
    """The registered forms, each filed under its last few bytes together with its length.

    What a look-up finds is a handful of lengths, never the forms themselves; so a hundred thousand secrets that begin
    or end alike cost no more than one.
    """

    __slots__ = ("gram", "forms", "lengths", "spaced", "windows")

    def __init__(self, gram: int) -> None:
        self.gram = gram
        self.forms: set[bytes] = set()
        self.lengths: dict[bytes, tuple[int, ...]] = {}
        self.spaced = False
        self.windows = [slice(at, at + gram) for at in range(_BLOCK)]

    def add(self, form: bytes) -> None:
        ending = form[-self.gram :]
        lengths = self.lengths.get(ending, ())
        self.spaced = self.spaced or b" " in form
        self.forms.add(form)  # before its length: who sees the length must find the form
        if len(form) not in lengths:
            self.lengths[ending] = (*lengths, len(form))

    def find(self, data: bytes) -> list[tuple[int, int]]:
        """Where the forms are. As in Airflow, occurrences of one form that overlap count once."""
        spans: list[tuple[int, int]] = []
        taken: dict[bytes, int] = {}
        for base in range(0, len(data) - self.gram + 1, _BLOCK):
            block = data[base : base + _BLOCK + self.gram - 1]
            windows = self.windows[: len(block) - self.gram + 1]
            if self.lengths.keys().isdisjoint(map(block.__getitem__, windows)):
                continue
            for end, window in enumerate(windows, base + self.gram):
                for length in self.lengths.get(block[window], ()):
                    start = end - length
                    form = data[start:end] if start >= 0 else b""
                    if form in self.forms and taken.get(form, 0) <= start:
                        taken[form] = end
                        spans.append((start, end))
        return spans


class Masker:
    """Knows the secrets of a process, and hides them. An application uses the functions of this module instead."""

    __slots__ = ("_index", "_words", "_hides_names", "_ordinary", "_lock")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self.reset()

    def __repr__(self) -> str:
        return f"<Masker of {len(self._index.forms)} forms>"

    def reset(self) -> None:
        """Forget every secret and every setting."""
        self._index = _Index(MIN_LENGTH)
        self.configure()

    def configure(
        self, *, hide_names: bool = True, names: Iterable[str] = (), min_length: int = MIN_LENGTH, app: str = "airflow"
    ) -> None:
        """Set what is hidden. Airflow's options of the same meaning are named below.

        Args:
            hide_names: whether values under sensitive names are hidden (`hide_sensitive_var_conn_fields`); a secret
                in a text always is.
            names: more sensitive names, in any case and with any separators (`sensitive_var_conn_names`).
            min_length: the shortest secret that is searched for (`min_length_masked_secret`). What was too short
                when it was registered stays out.
            app: the application's name, which is no secret even where it serves as a password.
        """
        with self._lock:
            self._hides_names, self._ordinary = hide_names, app.lower().encode()
            self._words = _BUILT_IN | {word for word in map(_plain_name, names) if word}
            index = _Index(max(1, min_length))
            for form in self._index.forms:
                self._file(form, index)
            self._index = index

    def should_hide_value_for_name(self, name: Any) -> bool:
        """Whether the name says that its value is a secret; case and separators do not matter."""
        if not self._hides_names or not isinstance(name, str):
            return False
        plain = _plain_name(name)
        return any(word in plain for word in self._words)

    def add_mask(self, secret: Any, name: Any = None) -> None:
        """Register a secret: text, bytes, a number, or a structure of them.

        Args:
            secret: of a structure, the values under sensitive names; of a list without a name, every item.
            name: if given, the secret counts only if the name is a sensitive one.
        """
        counts = name is None or self.should_hide_value_for_name(name)
        if isinstance(secret, dict):
            for key, value in secret.items():
                self.add_mask(value, name if counts and name is not None else key)
        elif isinstance(secret, (list, tuple, set, frozenset)):
            for item in secret:
                self.add_mask(item, name)
        elif counts and secret is not None and not isinstance(secret, bool):
            data = secret if isinstance(secret, bytes) else _encode(str(secret))
            forms = list(_parts(data))
            with self._lock:
                for form in forms:
                    self._file(form, self._index)

    def _file(self, form: bytes, index: _Index) -> None:
        length = len(form) if form.isascii() else len(form.decode("utf-8", "replace"))
        # What is part of the replacement cannot be hidden by it.
        if length >= index.gram and form.lower() != self._ordinary and form not in REPLACEMENT.encode():
            index.add(form)

    def redact_text(self, text: str, replacement: str = REPLACEMENT) -> str:
        """Free text with every registered secret, in all its spellings, and every password in a URL replaced.

        Redact first, then cut: half a secret is not recognised.
        """
        if not self._index.forms and "://" not in text and "%" not in text and "\\" not in text:
            return text
        hidden = self._redact_bytes(_encode(text), _encode(replacement))
        try:
            return hidden.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # a secret of bytes that are no text began or ended inside a letter
            return hidden.decode("utf-8", "replace")

    def _redact_bytes(self, data: bytes, replacement: bytes) -> bytes:
        for _ in range(_PASSES):
            before, data = data, _replace(data, self._spans(data, _NESTING, set()), replacement)
            if data == before:
                break
        return data

    def _spans(self, data: bytes, nesting: int, seen: set[bytes]) -> list[tuple[int, int]]:
        """Every place to hide. `seen` holds the readings of one text so far, for several ways lead to the same."""
        seen.add(data)
        index = self._index
        spans = _passwords_in_urls(data)
        if index.forms:
            spans += index.find(data) + self._spans_in_base64(data, nesting, index)
        if nesting:
            for reading, origin in _readings(data, index.spaced):
                if reading not in seen:
                    spans += [(origin[a], origin[b]) for a, b in self._spans(reading, nesting - 1, seen)]
        return spans

    def _spans_in_base64(self, data: bytes, nesting: int, index: _Index) -> list[tuple[int, int]]:
        """A run of base64 letters may begin anywhere in a group of four: each is decoded four times, all in one go."""
        shortest = (4 * index.gram + 2) // 3
        groups: list[bytes] = []
        pieces: list[tuple[int, ...]] = []  # place in what is decoded, place in the data, end of the run
        size = at = 0
        for run in data.translate(_TO_BASE64).split(b" "):
            end = at + len(run)
            for start in range(at, min(at + 4, end - shortest + 1)):
                # Filled up to groups of four, and kept apart by bytes that no text has: //// is three times 255.
                group = run[start - at :] + b"A" * (-(end - start) % 4) + b"////"
                pieces.append((size, start, end))
                groups.append(group)
                size += len(group) // 4 * 3
            at = end + 1
        if not groups:
            return []
        from binascii import a2b_base64
        from bisect import bisect

        decoded = a2b_base64(b"".join(groups))
        found = [(pieces[bisect(pieces, (a + 1,)) - 1], a, b) for a, b in index.find(decoded)]
        for piece in pieces if nesting else ():
            base, start, end = piece
            text = decoded[base : base + (end - start) * 3 // 4]
            margin = len(text) // 4  # for the run may have begun before the base64, and go on after it
            if text[margin:-margin].isascii():  # else it is noise, as three of four decodings are
                found += [(piece, base + a, base + b) for a, b in self._spans(text, nesting - 1, set())]
        spans = ((start + (a - base) * 4 // 3, start - (base - b) * 4 // 3, end) for (base, start, end), a, b in found)
        return [(first, last) for first, last, end in spans if last <= end]

    def redact(
        self, value: Any, name: Any = None, max_depth: int | None = None, *, replacement: str = REPLACEMENT
    ) -> Any:
        """A copy of any value that can be shown: sensitive names hide their values, texts are searched.

        Args:
            value: dict, list, tuple, set (becomes a tuple, as in Airflow), text, or anything else. None, True and
                False tell nothing and stay; what else is under a sensitive name does not, whatever its type.
            name: the name that the value goes by.
            max_depth: deeper than this, what is under a sensitive name is hidden as one; 5 unless given, as in Airflow.
        """
        depth = MAX_DEPTH if max_depth is None else max_depth
        return self._redact(value, self.should_hide_value_for_name(name), depth, replacement, ())

    def _redact(self, value: Any, hide: bool, max_depth: int, replacement: str, path: tuple[int, ...]) -> Any:
        if isinstance(value, (dict, list, tuple, set, frozenset)):
            if id(value) in path or len(path) > _BOTTOM or (hide and len(path) > max_depth):
                return replacement

            def below(item: Any, hide: bool) -> Any:
                return self._redact(item, hide, max_depth, replacement, (*path, id(value)))

            if isinstance(value, dict):
                return {k: below(item, hide or self.should_hide_value_for_name(k)) for k, item in value.items()}
            if isinstance(value, (set, frozenset)):  # in order, so that it reads the same in every process
                return tuple(below(item, hide) for item in sorted(value, key=_shown))
            items = [below(item, hide) for item in value]
            return items if isinstance(value, list) else tuple(items)
        if hasattr(type(value), "__members__"):  # an enum's member stands for its value
            return self._redact(value.value, hide, max_depth, replacement, path)
        if value is None or isinstance(value, bool):
            return value
        if hide:
            return replacement
        if isinstance(value, bytes):
            return self._redact_bytes(value, _encode(replacement))
        return self._redact_shown(value, replacement)

    def _redact_shown(self, value: Any, replacement: str = REPLACEMENT) -> Any:
        """The value as it is if its text shows no secret, else the redacted text."""
        shown = _shown(value)
        hidden = self.redact_text(shown, replacement)
        return value if hidden == shown else hidden

    def merge(self, new: Any, old: Any, name: Any = None, max_depth: int | None = None) -> Any:
        """What a person sends back after editing a redacted value, with what was left redacted taken from `old`.

        Args:
            max_depth: deeper structures are taken from `new`; unless given there is no limit, so that
                `merge(redact(old), old)` restores every secret.
        """
        return self._merge(new, old, self.should_hide_value_for_name(name), max_depth)

    def _merge(self, new: Any, old: Any, hide: bool, levels: int | None) -> Any:
        if isinstance(new, str) and hide and new == REPLACEMENT:
            return old
        if isinstance(new, str) and isinstance(old, str) and new == self.redact_text(old):
            return old
        if levels is not None and levels < 0:
            return new

        def below(new: Any, old: Any, hide: bool) -> Any:
            return self._merge(new, old, hide, None if levels is None else levels - 1)

        if isinstance(new, dict) and isinstance(old, dict):
            hides = self.should_hide_value_for_name
            return {k: below(item, old[k], hide or hides(k)) if k in old else item for k, item in new.items()}
        for kind in (list, tuple):
            if isinstance(new, kind) and isinstance(old, kind):
                return kind((*(below(a, b, hide) for a, b in zip(new, old, strict=False)), *new[len(old) :]))
        return new


def _plain_name(name: str) -> str:
    """`API - Key` becomes `api_key`."""
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception:  # other people's __str__: the masker must not be what fails
        return f"<{type(value).__name__}>"


def _parts(secret: bytes) -> Iterator[bytes]:
    """A secret and what may be shown of it alone: a line, the password of a URL, a text inside JSON."""
    yield secret
    if b"\n" in secret or b"\r" in secret:
        yield from map(bytes.strip, secret.splitlines())
    for start, end in _passwords_in_urls(secret):
        yield secret[start:end]
        yield _undo(secret[start:end], b"%", _read_percent)[0]
    if secret.lstrip()[:1] in (b"{", b"["):
        import json

        try:
            yield from _leaves(json.loads(secret))
        except (ValueError, RecursionError):
            return


def _leaves(value: Any) -> Iterator[bytes]:
    if isinstance(value, str):
        yield from _parts(_encode(value))
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)


def _replace(data: bytes, spans: list[tuple[int, int]], replacement: bytes) -> bytes:
    """Spans that overlap are one; spans that touch are two."""
    shown, hidden = [], 0
    for start, end in sorted(spans):
        if start >= hidden:
            shown += [data[hidden:start], replacement]
        hidden = max(hidden, end)
    return b"".join([*shown, data[hidden:]])


def _passwords_in_urls(data: bytes) -> list[tuple[int, int]]:
    """From the first `:` after `://` to the last `@` of the word, for people paste passwords that should be quoted."""
    spans = []
    at = data.find(b"://")
    while at >= 0:
        start, at = at + 3, data.find(b"://", at + 3)
        url = data[start : at if at >= 0 else len(data)]
        word = url.split(None, 1)[0] if url[:1].strip() else b""
        user, colon, rest = word.partition(b":")
        if not colon or any(c in user for c in b"/?#@["):
            continue
        quoted = rest.split(b'"', 1)[0]  # the URL may be inside JSON; else the quote is a part of the password
        password = (quoted if b"@" in quoted else rest).rpartition(b"@")[0]
        after_digits = password.lstrip(b"0123456789")
        is_port = after_digits != password and after_digits[:1] in (b"/", b"?", b"#")
        if password and not is_port:
            start += len(user) + 1
            spans.append((start, start + len(password)))
    return spans


def _readings(data: bytes, spaced: bool) -> Iterator[tuple[bytes, Sequence[int]]]:
    """The data with one kind of quoting undone; with each, where its bytes came from."""
    if b"%" in data:
        yield _undo(data, b"%", _read_percent)
    if spaced and b"+" in data:
        yield data.replace(b"+", b" "), range(len(data) + 1)
    if b"\\" in data:
        yield _undo(data, b"\\", _read_escape)
        if b"\\x" in data:  # in the repr of bytes it is a byte, in the repr of a text a letter
            yield _undo(data, b"\\x", _read_byte)


def _undo(data: bytes, mark: bytes, read: Callable[[bytes, int], tuple[bytes, int]]) -> tuple[bytes, list[int]]:
    out, origin, at = bytearray(), list[int](), 0
    while (found := data.find(mark, at)) >= 0:
        try:
            piece, end = read(data, found)
        except (ValueError, OverflowError, KeyError):  # no escape after all
            piece, end = mark, found + len(mark)
        out += data[at:found] + piece
        origin += [*range(at, found), *[found] * len(piece)]
        at = end
    return bytes(out + data[at:]), [*origin, *range(at, len(data) + 1)]


def _hex(data: bytes, start: int, end: int) -> int:
    if end > len(data) or not data[start:end].isalnum():  # int() would take a blank, a sign, a `_`
        raise ValueError("no hexadecimal number")
    return int(data[start:end], 16)


def _read_percent(data: bytes, at: int) -> tuple[bytes, int]:
    return bytes((_hex(data, at + 1, at + 3),)), at + 3


def _read_byte(data: bytes, at: int) -> tuple[bytes, int]:
    return bytes((_hex(data, at + 2, at + 4),)), at + 4


def _read_escape(data: bytes, at: int) -> tuple[bytes, int]:
    kind = data[at + 1] if at + 1 < len(data) else 0
    if kind not in _CODE_WIDTHS:
        return bytes((_ESCAPES[kind],)), at + 2
    end = at + 2 + _CODE_WIDTHS[kind]
    code = _hex(data, at + 2, end)
    if (
        0xD800 <= code < 0xDC00 and data[end : end + 3].lower() == b"\\ud"
    ):  # JSON writes what is beyond 16 bits as a pair
        code, end = 0x10000 + ((code - 0xD800) << 10) + (_hex(data, end + 2, end + 6) - 0xDC00), end + 6
    return _encode(chr(code)), end


class RedactingFilter:
    """A `logging` filter that redacts a record in place, so that every handler and formatter sees it redacted."""

    def filter(self, record: logging.LogRecord) -> bool:
        import logging

        message = redact_text(_message(record))
        record.msg = _masker._redact_shown(record.msg)
        if isinstance(record.args, dict):
            record.args = {key: _masker._redact_shown(value) for key, value in record.args.items()}
        elif record.args:
            record.args = tuple(map(_masker._redact_shown, record.args))
        if _message(record) != message:  # the secret came about by putting the two together
            record.msg, record.args = message, None
        trace = record.exc_text or ""
        if not trace and isinstance(record.exc_info, tuple):
            from traceback import format_exception

            trace = "".join(format_exception(*record.exc_info)).rstrip("\n")
        if (hidden := redact_text(trace)) != trace:
            record.exc_text, record.exc_info = hidden, None  # the exception itself would show the secret again
        record.stack_info = record.stack_info and redact_text(record.stack_info)
        fields = vars(record)
        for key in fields.keys() - vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys():
            fields[key] = redact(fields[key], key)
        return True


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # the arguments do not fit the message: logging itself will report that
        return _shown((record.msg, record.args))


def install(logger: logging.Logger | None = None) -> None:
    """Redact what is logged from now on, by handlers that exist and by those added later.

    Args:
        logger: guard the handlers of this one only; without it those of every logger.
    """
    import logging

    def guard(at: logging.Logger | None) -> None:
        while at is not None:
            for handler in at.handlers:
                handler.addFilter(_filter)
            at = at.parent if logger is None and at.propagate else None

    def make_guarded_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        # A record is made before it is handled: the moment to find handlers that are new.
        record = make_record(*args, **kwargs)
        guard(logger or logging.getLogger(record.name))
        return record

    make_record = logging.getLogRecordFactory()
    logging.setLogRecordFactory(make_guarded_record)
    guard(logger or logging.root)
    if logging.lastResort is not None:
        logging.lastResort.addFilter(_filter)


_filter = RedactingFilter()
_masker = Masker()
add_mask = mask_secret = _masker.add_mask
redact, redact_text, merge = _masker.redact, _masker.redact_text, _masker.merge
should_hide_value_for_name = _masker.should_hide_value_for_name
configure, reset = _masker.configure, _masker.reset
