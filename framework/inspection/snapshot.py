"""What a configuration is, without its values: enough to find out later, or elsewhere, whether it is the same.

No fingerprint of a secret is kept unless there is a key: a plain hash of a short secret is found by trying. With a key
it is HMAC-SHA256 over application, section, key and value.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256

from framework.errors import ConfigFileError, FrameworkError, IssuedOnUse
from framework.lifetime import Looking
from framework.masking import redact_text
from framework.masking.shown import shown
from framework.options.values import pointer_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from framework.app import App
    from framework.options.values import Mention

    Names = tuple[str, str]

#: What a snapshot file says that it is.
FORMAT = "framework-snapshot-1"
#: The length of a key in bytes, from `os.urandom`.
KEY_BYTES = 32
_FIELDS = {"origin": str, "form": str, "sensitive": bool, "reference": str, "digest": str, "keyed": bool, "fails": str}


class Entry:
    """One option of a side.

    Attributes:
        origin: where it is set, with the form of a pointer.
        form: `plain`, `secret`, `file` or `cmd`.
        sensitive: whether its value must not be shown.
        reference: what a pointer holds, or None if the pointer was followed.
        value: the typed value; None in a snapshot.
        has_value: whether there is one.
        digest: of the value; None if there is none, or none may be kept.
        keyed: whether the digest is made with a key.
        fails: why the value is not known, or None.
    """

    __slots__ = ("origin", "form", "sensitive", "reference", "value", "has_value", "digest", "keyed", "fails")

    def __init__(self, origin: str, form: str, *, sensitive: bool) -> None:
        self.origin, self.form, self.sensitive = origin, form, sensitive
        self.reference: str | None = None
        self.value: Any = None
        self.has_value = False
        self.digest: str | None = None
        self.keyed = False
        self.fails: str | None = None

    @property
    def place(self) -> str:
        return self.origin if self.form == "plain" else f"{self.origin} ({self.form})"


class Snapshot:
    """All options of one side.

    Attributes:
        name: what the side is called: an environment, a folder, a revision, a file.
        app: the application's name.
        entries: (section, key) -> entry.
        key_id: by which key its digests of secrets are made; None: there are none.
        resolved: whether pointers were followed.
    """

    __slots__ = ("name", "app", "entries", "key_id", "resolved")

    def __init__(self, name: str, app: str, entries: dict[Names, Entry], key_id: str | None, *, resolved: bool) -> None:
        self.name, self.app, self.entries, self.key_id, self.resolved = name, app, entries, key_id, resolved

    def to_json(self, place: Callable[[str], str] = str) -> str:
        """The text of a snapshot file. It holds no value.

        Args:
            place: makes an origin shorter, such as relative to the working directory.
        """
        options: dict[str, dict[str, Any]] = {}
        for (section, key), entry in self.entries.items():
            fields = {field: getattr(entry, field) for field in _FIELDS}
            fields["origin"] = place(entry.origin)
            options.setdefault(section, {})[key] = {
                field: value for field, value in fields.items() if value not in (None, False)
            }
        head = {"format": FORMAT, "app": self.app, "key_id": self.key_id, "resolved": self.resolved}
        return json.dumps({**head, "options": options}, indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def key_id_of(key: bytes) -> str:
    """What a snapshot says of its key: enough to notice a wrong one."""
    return hmac.new(key, b"framework snapshot key id", sha256).hexdigest()[:16]


def taken(app: App, name: str, *, resolve: bool = False, key: bytes | None = None) -> Snapshot:
    """What an application has now.

    Args:
        name: what the side is called.
        resolve: follow pointers and take what they lead to, instead of what they say.
        key: for the digests of secrets. None: there are none.
    """
    failures: dict[Names, FrameworkError] = app.prefetch() if resolve else {}
    entries: dict[Names, Entry] = {}
    for option in app.engine.entries():
        mention = next(app.engine.mentions(*option), None)
        if mention is not None and not _is_own_default(app, option, mention):
            entries[option] = _entry(app, option, mention, failures.get(option), resolve=resolve, key=key)
    return Snapshot(name, app.name, entries, None if key is None else key_id_of(key), resolved=resolve)


def _entry(
    app: App, option: Names, mention: Mention, failure: FrameworkError | None, *, resolve: bool, key: bytes | None
) -> Entry:
    entry = Entry(mention.origin, mention.form, sensitive=mention.is_pointer or app.engine.is_hidden(*option))
    try:
        if mention.is_pointer and not resolve:
            text = pointer_text(mention)
            if may_be_shown(app, option, mention):
                entry.reference = redact_text(text)
                return entry
            entry.value, entry.has_value = text, True
        elif failure is not None:
            raise failure
        else:
            with Looking():
                answer = app.engine.resolve(mention)
            entry.value, entry.has_value = app.conf.typed(answer), True
            entry.sensitive = entry.sensitive or answer.sensitive or shown(entry.value) != entry.value
        digest_into(entry, app.name, option, key)
    except IssuedOnUse:  # it is another one each time
        return _entry(app, option, mention, None, resolve=False, key=key)
    except FrameworkError as fault:
        entry.fails = fault.what if entry.sensitive else str(fault)
    return entry


def _is_own_default(app: App, option: Names, mention: Mention) -> bool:
    """Whether an option of this package has its default, which no person has chosen."""
    declared = app.schema.option(*option)
    return mention.layer == "default" and declared is not None and declared.own


def may_be_shown(app: App, option: Names, mention: Mention) -> bool:
    """Whether a pointer's text may be kept: a command may hold a secret, and so may what is only called a pointer."""
    is_declared = app.schema.option(*option) is not None or app.engine.is_sensitive(*option)
    return is_declared and (mention.form == "file" or app.engine.reference_of(mention) is not None)


def written(value: object) -> str:
    """A value with its type, also of what is inside: 1, 1.0, true and "1" differ."""
    return json.dumps(value, sort_keys=True, default=repr)


def digest_into(entry: Entry, app: str, option: Names, key: bytes | None) -> None:
    """Note the digest of an entry's value: keyed if there is a key, plain if it is not sensitive, else none."""
    if not entry.has_value:
        return
    message = "\0".join((app, *option, written(entry.value))).encode()
    if key is not None and entry.sensitive and entry.value not in ("", None):
        entry.digest, entry.keyed = hmac.new(key, message, sha256).hexdigest(), True
    elif not entry.sensitive or entry.value in ("", None):
        entry.digest, entry.keyed = sha256(message).hexdigest(), False


def read(text: str, path: str) -> Snapshot:
    """A snapshot file.

    Raises:
        ConfigFileError: it is none.
    """
    from framework.parsing import read_json

    try:
        read = read_json(text)
    except ValueError:
        read = None
    if not isinstance(read, dict) or read.get("format") != FORMAT or not isinstance(read.get("options"), dict):
        what = "the file is not a snapshot of this version"
        raise ConfigFileError(what, where=path, hint="Write one with: python -m framework snapshot -o FILE")
    entries: dict[Names, Entry] = {}
    for section, keys in read["options"].items():
        for key, fields in keys.items() if isinstance(keys, dict) else ():
            entries[section, key] = _read_entry(fields, f"{path}: [{section}] {key}")
    key_id = read.get("key_id")
    key_id = key_id if isinstance(key_id, str) else None
    return Snapshot(path, str(read.get("app", "")), entries, key_id, resolved=read.get("resolved") is True)


def _read_entry(fields: Any, where: str) -> Entry:
    known = isinstance(fields, dict) and all(
        isinstance(fields.get(name, kind()), kind) for name, kind in _FIELDS.items()
    )
    if not known or not {"origin", "form"} <= set(fields):
        raise ConfigFileError("the snapshot is damaged", where=where, hint="Take it again.")
    entry = Entry(fields["origin"], fields["form"], sensitive=fields.get("sensitive", False))
    for name in ("reference", "digest", "fails"):
        setattr(entry, name, fields.get(name))
    entry.keyed = fields.get("keyed", False)
    return entry
