"""Finds secrets in bytes, also if they are encoded: percent-quoting, backslashes, base64, nested."""

from __future__ import annotations

from framework.masking.known import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from framework.masking.known import Index

_ESCAPES = dict(zip(b"ntrbfav\"'\\/", b"\n\t\r\b\f\a\v\"'\\/", strict=False))
_CODE_WIDTHS = {ord("x"): 2, ord("u"): 4, ord("U"): 8}
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#: `-` and `_` of the URL-safe alphabet become `+` and `/` of the standard one; characters of neither become a space.
TO_BASE64 = bytes(c if c in _ALPHABET else b"+/ "[b"-_".find(c)] for c in range(256))

#: Schemes whose user names have no `/`: a port followed by a `/` is a place, and no password.
_WEB = frozenset((b"http", b"https", b"ws", b"wss", b"ftp", b"ftps", b"s3", b"gs", b"docker", b"grpc"))
#: The placeholder in our own messages.
_EXAMPLE = b"LOGIN:PASSWORD@HOST"


def parts(secret: bytes, is_sensitive: Callable[[str], bool]) -> Iterator[bytes]:
    """A secret, and its parts that may be shown alone: a line, a password in a URL, a text inside JSON."""
    yield secret
    if b"\n" in secret or b"\r" in secret:
        yield from map(bytes.strip, secret.splitlines())
    for start, end in passwords_in_urls(secret, is_sensitive):
        password = secret[start:end]
        if password.lower() not in (b"false", b"none"):
            yield password
            yield _undo(password, b"%", _read_percent)[0]
    if secret.lstrip()[:1] in (b"{", b"["):
        from framework.parsing import Malformed, read_json

        try:
            inside = read_json(secret)
        except Malformed:
            return
        yield from _leaves(inside, is_sensitive)


#: Kwargs of backends that hold no secret but a place or a way to look, which messages must be able to show.
_PLACES = frozenset(
    [
        *("mount_point", "auth_mount_point", "namespace", "region", "region_name", "profile_name", "project_id"),
        *("folder_id", "endpoint", "context", "kubeconfig", "sep", "auth_type", "access_type", "gcp_scopes"),
        *(f"{kind}_{what}" for kind in ("connections", "variables", "config") for what in ("prefix", "lookup_pattern")),
        *(f"{kind}_{what}" for kind in ("connections", "variables", "config") for what in ("label", "data_key")),
        *("role", "static_role", "conn_type", "host", "schema"),  # of a connection whose credentials are issued
    ]
)


def is_place(name: str) -> bool:
    """Whether this is the name of a kwarg that says where or how to look, so that its text is not hidden."""
    return name.lower() in _PLACES or name.lower().endswith("path")


def _leaves(value: object, is_sensitive: Callable[[str], bool]) -> Iterator[bytes]:
    """The texts inside JSON, except those under a name like `variables_file_path`."""
    if isinstance(value, str):
        if value.lower() != "false":
            yield from parts(encode(value), is_sensitive)
    elif isinstance(value, dict):
        for name, item in value.items():
            if not (isinstance(item, str) and is_place(name)) or is_sensitive(name):
                yield from _leaves(item, is_sensitive)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, is_sensitive)


def replace(data: bytes, spans: list[tuple[int, int]], replacement: bytes) -> bytes:
    """Replace the spans. Overlapping spans are one, adjacent spans are two."""
    shown, hidden = [], 0
    for start, end in sorted(spans):
        if start >= hidden:
            shown += [data[hidden:start], replacement]
        hidden = max(hidden, end)
    return b"".join([*shown, data[hidden:]])


def replace_traced(data: bytes, spans: list[tuple[int, int]], replacement: bytes) -> tuple[bytes, Sequence[int]]:
    """The same, and the position that every byte came from: those of a replacement from where its span begins."""
    origin, hidden = list[int](), 0
    for start, end in sorted(spans):
        if start >= hidden:
            origin += [*range(hidden, start), *[start] * len(replacement)]
        hidden = max(hidden, end)
    return replace(data, spans, replacement), [*origin, *range(hidden, len(data) + 1)]


#: How many encodings may be nested: the repr of a JSON text with a quoted URL has three.
NESTING = 3
#: A replacement can complete another secret (`***` is text, too), so a text is searched until it no longer changes,
#: at most so often.
PASSES = 8


def redacted(data: bytes, index: Index, is_sensitive: Callable[[str], bool], replacement: bytes) -> bytes:
    """The data with everything replaced that has to be hidden."""
    for _ in range(PASSES):
        before, data = data, replace(data, spans(data, index, is_sensitive), replacement)
        if data == before:
            break
    return data


def redacted_around(
    text: str,
    index: Index,
    is_sensitive: Callable[[str], bool],
    replacement: str,
    kept: Callable[[str], Iterable[tuple[int, int]]],
) -> str:
    """The same of a text, except inside the pieces that `kept` finds, each as its start and end."""
    for _ in range(PASSES):
        data = encode(text)
        ours = [(len(encode(text[:start])), len(encode(text[:end]))) for start, end in kept(text)]
        found = [
            (a, b)
            for a, b in spans(data, index, is_sensitive)
            if not any(start <= a and b <= end for start, end in ours)
        ]
        if not found:
            break
        text = replace(data, found, encode(replacement)).decode("utf-8", "replace")
    return text


def spans(
    data: bytes,
    index: Index,
    is_sensitive: Callable[[str], bool],
    nesting: int = NESTING,
    seen: set[bytes] | None = None,
) -> list[tuple[int, int]]:
    """Every place to hide.

    Args:
        data: any text.
        index: the registered forms.
        is_sensitive: whether the value of a name is hidden.
        nesting: how many encodings are undone.
        seen: the decoded texts so far: different decodings may give the same one.
    """
    seen = set() if seen is None else seen
    seen.add(data)
    found = passwords_in_urls(data, is_sensitive)
    if index.forms:
        found += index.find(data) + _spans_in_base64(data, index, is_sensitive, nesting)
    if nesting:
        for reading, origin in readings(data, index.spaced):
            if reading not in seen:
                inside = spans(reading, index, is_sensitive, nesting - 1, seen)
                found += [(origin[a], origin[b]) for a, b in inside]
    return found


def _spans_in_base64(
    data: bytes, index: Index, is_sensitive: Callable[[str], bool], nesting: int
) -> list[tuple[int, int]]:
    """Places inside base64. A run may begin anywhere in a group of four, so each is decoded at four offsets."""
    shortest = (4 * index.shortest + 2) // 3
    groups: list[bytes] = []
    pieces: list[tuple[int, int, int]] = []  # place in what is decoded, place in the data, end of the run
    size = at = 0
    for run in data.translate(TO_BASE64).split(b" "):
        end = at + len(run)
        for start in range(at, min(at + 4, end - shortest + 1)):
            # Padded to groups of four, and separated by bytes that no text has: //// is three times 255.
            group = run[start - at :] + b"A" * (-(end - start) % 4) + b"////"
            pieces.append((size, start, end))
            groups.append(group)
            size += len(group) // 4 * 3
        at = end + 1
    if not groups:
        return []
    from binascii import a2b_base64

    decoded = a2b_base64(b"".join(groups))
    found = [(_piece_at(pieces, a), a, b) for a, b in index.find(decoded)]
    for piece in pieces if nesting else ():
        base, start, end = piece
        text = decoded[base : base + (end - start) * 3 // 4]
        margin = len(text) // 4  # the run may have begun before the base64, and may go on after it
        if text[margin:-margin].isascii():  # three of four offsets give noise
            found += [(piece, base + a, base + b) for a, b in spans(text, index, is_sensitive, nesting - 1)]
    shown = ((start + (a - base) * 4 // 3, start - (base - b) * 4 // 3, end) for (base, start, end), a, b in found)
    return [(first, last) for first, last, end in shown if last <= end]


def _piece_at(pieces: list[tuple[int, int, int]], place: int) -> tuple[int, int, int]:
    """The last piece that begins at this place of the decoded bytes, or before it."""
    from bisect import bisect

    return pieces[bisect(pieces, (place + 1,)) - 1]


def passwords_in_urls(data: bytes, is_sensitive: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Where URLs have passwords: before the last `@` of a word, and as values of sensitive names in the query.

    Passwords are pasted without quoting, so nearly every character may be part of one.

    Args:
        data: any text.
        is_sensitive: whether the value of a name is hidden.
    """
    spans: list[tuple[int, int]] = []
    at = data.find(b"://")
    while at >= 0:
        start, scheme, at = at + 3, _scheme(data, at), data.find(b"://", at + 3)
        url = data[start : at if at >= 0 else len(data)]
        word = url.split(None, 1)[0] if url[:1].strip() else b""
        spans += _values_in_query(word, start, is_sensitive)
        is_cut = at >= 0 and len(word) == len(url) and b":" in word and b"@" not in word.partition(b":")[2]
        if is_cut and not any(c in word for c in b"\"',;&"):  # the password may hold `://`
            after = data.find(b"://", at + 3)
            word = data[start : after if after >= 0 else len(data)].split(None, 1)[0]
        user, colon, rest = word.partition(b":")
        is_web = scheme in _WEB
        if not colon or b"[" in user or any(c in user for c in (b"/?#" if is_web else b"")) or user[:1] == b"/":
            continue
        quoted = rest.split(b'"', 1)[0]  # the URL may be inside JSON; else the quote is a part of the password
        password = (quoted if b"@" in quoted else rest).rpartition(b"@")[0]
        after_digits = password.lstrip(b"0123456789")
        is_port = 0 < len(password) - len(after_digits) <= 5 and after_digits[:1] in (b"/", b"?", b"#")
        is_whole = b"@" not in quoted and quoted != rest  # `"postgres://h:5432/db","mail":"a@b"`
        if password and not (is_port and (is_web or is_whole)) and not word.startswith(_EXAMPLE):
            start += len(user) + 1
            spans.append((start, start + len(password)))
    return spans


def _scheme(data: bytes, end: int) -> bytes:
    start = end
    while start > max(0, end - 20) and data[start - 1 : start].isalnum():
        start -= 1
    return data[start:end].lower()


def _values_in_query(word: bytes, start: int, is_sensitive: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Values of sensitive names: `?token=…`, `;password=…`."""
    if b"=" not in word:
        return
    import re

    at = 0
    while named := re.compile(rb"[?&;]([^?&;=#\"']*)=").search(word, at):
        at = named.end()
        if is_sensitive(named[1].decode("utf-8", "replace")):
            ending = re.compile(rb"[&;#\"']").search(word, at)
            end = ending.start() if ending else len(word)
            if value := word[at:end].rstrip(b"\\"):  # of a quote that is escaped
                yield start + at, start + at + len(value)
            at = end


def readings(data: bytes, spaced: bool) -> Iterator[tuple[bytes, Sequence[int]]]:
    """The data with one kind of encoding decoded; with each, the position that every byte came from."""
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
        except (ValueError, OverflowError, KeyError):  # it is not an escape
            piece, end = mark, found + len(mark)
        out += data[at:found] + piece
        origin += [*range(at, found), *[found] * len(piece)]
        at = end
    return bytes(out + data[at:]), [*origin, *range(at, len(data) + 1)]


def _hex(data: bytes, start: int, end: int) -> int:
    if end > len(data) or not data[start:end].isalnum():  # int() would accept a space, a sign, a `_`
        raise ValueError("not a hexadecimal number")
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
    if 0xD800 <= code < 0xDC00 and data[end : end + 3].lower() == b"\\ud":  # JSON writes larger codes as a pair
        code, end = 0x10000 + ((code - 0xD800) << 10) + (_hex(data, end + 2, end + 6) - 0xDC00), end + 6
    return encode(chr(code)), end


#: Characters that are printable for Python but invisible: joiners, fillers, variation selectors.
_UNSEEN = frozenset(
    map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810)))
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))


def visible(text: str, keep: str = "") -> str:
    """The text with invisible and control characters as escapes, as `repr` writes them.

    These are terminal escapes, line ends, C1 controls, direction marks and zero-width characters. On a terminal they
    must be seen, and must have no effect.

    Args:
        keep: characters that stay as they are, such as the line ends of our own texts.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if (char.isprintable() and char not in _UNSEEN) or char in keep else ascii(char)[1:-1] for char in text
    )


def counted(number: int, what: str, several: str = "") -> str:
    """`1 row`, `2,000 rows`, `2 entries`."""
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"
