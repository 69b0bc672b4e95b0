"""The one masker: it hides secrets wherever text or data is shown.

Two ways lead to `***`. A value under a sensitive name is hidden whole. Free text is searched for every secret that
was registered with `add_mask`, and for passwords inside URLs.

A text is searched as it is, and with percent-quoting, backslashes (JSON, `repr`) and base64 decoded, also nested. So
only the secrets themselves are indexed, not their spellings: registering one is cheap, and the time for a text does not
depend on the number of secrets.

Names, structures and `merge` behave as in Airflow. `docs/reference/airflow-differences.md` says where this masker
hides more.
"""

from __future__ import annotations

import os
from _thread import allocate_lock

from framework.limits import DEPTH
from framework.masking.known import Index, Words, checked, encode, plain_name, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

REPLACEMENT = "***"
#: Shorter secrets, lines and leaves are not searched for: they would hide half of every text.
MIN_LENGTH = 5
#: Deeper structures under a sensitive name are hidden whole.
MAX_DEPTH = 5
#: Airflow's names, and three that it lacks. Each is also known without its `_` (`webhookUrl`).
SENSITIVE_NAMES = (
    *("access_key", "access_token", "api_key", "apikey", "auth_header", "authorization", "bearer"),
    *("connection_string", "dsn", "keyfile_dict", "passphrase", "passwd", "password", "private_key", "proxies"),
    *("proxy", "proxy_password", "secret", "service_account", "service_key", "token", "webhook_url"),
    *("cookie", "credentials", "fernet_key"),
)
_BUILT_IN = frozenset(SENSITIVE_NAMES) | {name.replace("_", "") for name in SENSITIVE_NAMES}


class Masker:
    """Knows the secrets of a process, and hides them. An application uses the functions of this module instead."""

    __slots__ = ("_index", "_words", "_hides_names", "_ordinary", "_lock", "_done", "_generation")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self.reset()

    def acquire(self) -> None:
        """Keep other threads from registering a secret until `release`."""
        self._lock.acquire()

    def release(self) -> None:
        """After `acquire`."""
        self._lock.release()

    def __repr__(self) -> str:
        return f"<Masker of {len(self._index.forms) if hasattr(self, '_index') else 0} forms>"

    def reset(self) -> None:
        """Forget every secret and every setting."""
        self._index = Index(MIN_LENGTH)
        self.configure()

    def configure(
        self, *, hide_names: bool = True, names: Iterable[str] = (), min_length: int = MIN_LENGTH, app: str = "airflow"
    ) -> None:
        """Set what is hidden. Airflow's options of the same meaning are named below.

        Args:
            hide_names: whether values under sensitive names are hidden (`hide_sensitive_var_conn_fields`); a secret
                in a text always is.
            names: more sensitive names, in any case and with any separators (`sensitive_var_conn_names`).
            min_length: the shortest secret that is searched for (`min_length_masked_secret`); a part of one has 5
                characters at least. What was too short when it was registered stays out.
            app: the application's name, which is never hidden, even if it is also a password.
        """
        index = Index(max(1, checked(min_length, "min_length", int, "a whole number")))
        words = {word for name in texts(names, "names") if (word := plain_name(name))}
        with self._lock:
            self._hides_names, self._ordinary = hide_names, checked(app, "app", str).lower().encode()
            self._words = Words(_BUILT_IN | words)
            self._done, self._generation = set[bytes](), object()
            for form in self._index.forms:
                self._file(form, index)
            self._index = index

    def generation(self) -> object:
        """An object that is replaced when the sensitive names change or all secrets are forgotten.

        A caller that registers a secret only once has to do so again then.
        """
        return self._generation

    def should_hide_value_for_name(self, name: object) -> bool:
        """Whether the name is that of a secret; case and separators do not matter."""
        return self._hides_names and isinstance(name, str) and self._words.are_in(name)

    def add_mask(self, secret: object, name: object = None) -> None:
        """Register a secret: text, bytes, a number, or a structure of them.

        Args:
            secret: of a structure, the values under sensitive names; of a list without a name, every item.
            name: if given, the secret is registered only if the name is a sensitive one.
        """
        pending = [(secret, name)]
        seen: set[tuple[int, bool | None]] = set()  # shared and recursive structures are registered once
        while pending:
            secret, name = pending.pop()
            counts = name is None or self.should_hide_value_for_name(name)
            if isinstance(secret, (dict, list, tuple, set, frozenset)):
                known = (id(secret), None if name is None else counts)
                if known in seen:
                    continue
                seen.add(known)
                if isinstance(secret, dict):
                    inherits = counts and name is not None
                    pending += [(value, name if inherits else key) for key, value in secret.items()]
                else:
                    pending += [(item, name) for item in secret]
            elif counts and secret is not None and not isinstance(secret, bool):
                data = secret if isinstance(secret, bytes) else encode(_as_text(secret))
                done = self._done
                if data in done:
                    continue
                from framework.masking.search import parts

                forms = list(parts(data, self.should_hide_value_for_name))
                with self._lock:
                    for form in (form for form in forms if form is data or len(form) >= MIN_LENGTH):
                        self._file(form, self._index)
                done.add(data)  # now that all of it is hidden

    def _file(self, form: bytes, index: Index) -> None:
        length = len(form) if form.isascii() else len(form.decode("utf-8", "replace"))
        # A part of the replacement cannot be hidden by it; any URL may begin with `sqlite://`.
        is_ordinary = form.lower() == self._ordinary or form in REPLACEMENT.encode() or form.endswith(b"://")
        if length >= index.gram and not is_ordinary:
            index.add(form)

    def redact_text(self, text: str, replacement: str = REPLACEMENT) -> str:
        """Free text with every registered secret, in all its spellings, and every password in a URL replaced.

        Redact first, then cut: half a secret is not recognised.
        """
        text, replacement = checked(text, "text", str), checked(replacement, "replacement", str)
        if not self._index.forms and "://" not in text and "%" not in text and "\\" not in text:
            return text
        hidden = self.redact_bytes(encode(text), replacement)
        try:
            return hidden.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # a secret of bytes that are not text began or ended inside a letter
            return hidden.decode("utf-8", "replace")

    def redact_around(self, text: str, kept: Callable[[str], Iterable[tuple[int, int]]]) -> str:
        """As `redact_text`, except inside the pieces that `kept` finds, each as its start and end."""
        from framework.masking.search import redacted_around

        return redacted_around(text, self._index, self.should_hide_value_for_name, REPLACEMENT, kept)

    def redact_bytes(self, data: bytes, replacement: str = REPLACEMENT) -> bytes:
        """As `redact_text`, of bytes."""
        from framework.masking.search import redacted

        return redacted(data, self._index, self.should_hide_value_for_name, encode(replacement))

    def redact(
        self, value: object, name: object = None, max_depth: int | None = None, *, replacement: str = REPLACEMENT
    ) -> Any:
        """A copy of any value that can be shown: values under sensitive names are hidden, texts are searched.

        Args:
            value: dict, list, tuple, set (becomes a tuple, as in Airflow), text, or anything else. None, True and
                False stay, because they reveal nothing; all other values under a sensitive name are hidden.
            name: the name of the value.
            max_depth: deeper structures under a sensitive name are hidden whole; 5 by default, as in Airflow.
        """
        depth = MAX_DEPTH if max_depth is None else max_depth
        return self._redact(value, self.should_hide_value_for_name(name), depth, replacement, (), {})

    def _redact(
        self,
        value: Any,
        hide: bool,
        max_depth: int,
        replacement: str,
        path: tuple[int, ...],
        done: dict[tuple[int, bool, int], object],
    ) -> object:
        """The copy. `done` has the structures that were copied before: a shared one is copied once for each level."""
        if isinstance(value, (dict, list, tuple, set, frozenset)):
            if id(value) in path or len(path) > DEPTH or (hide and len(path) > max_depth):
                return replacement
            known = (id(value), hide, len(path))
            if known not in done:
                done[known] = self._redact_items(value, hide, max_depth, replacement, (*path, id(value)), done)
            return done[known]
        if hasattr(type(value), "__members__") and not isinstance(value, type):  # an enum's member stands for its value
            return self._redact(value.value, hide, max_depth, replacement, path, done)
        if value is None or isinstance(value, bool):
            return value
        if hide:
            return replacement
        if isinstance(value, bytes):
            return self.redact_bytes(value, replacement)
        return self._redact_shown(value, replacement)

    def _redact_items(
        self,
        value: Any,
        hide: bool,
        max_depth: int,
        replacement: str,
        path: tuple[int, ...],
        done: dict[tuple[int, bool, int], object],
    ) -> object:
        def below(item: object, hide: bool) -> object:
            return self._redact(item, hide, max_depth, replacement, path, done)

        if isinstance(value, dict):
            return {k: below(item, hide or self.should_hide_value_for_name(k)) for k, item in value.items()}
        if isinstance(value, (set, frozenset)):  # sorted, so that it is the same in every process
            return tuple(below(item, hide) for item in sorted(value, key=_as_text))
        items = [below(item, hide) for item in value]
        return items if isinstance(value, list) else tuple(items)

    def _redact_shown(self, value: object, replacement: str = REPLACEMENT) -> object:
        """The value itself if its text shows no secret, else the redacted text."""
        shown = _as_text(value)
        hidden = self.redact_text(shown, replacement)
        return value if hidden == shown else hidden

    def merge(self, new: object, old: object, name: object = None, max_depth: int | None = None) -> Any:
        """A redacted value that a person has edited, with its unchanged redacted parts taken from `old`.

        Args:
            max_depth: deeper structures are taken from `new`; 100 by default, as deep as `redact` goes, so that
                `merge(redact(old), old)` restores every secret.
        """
        levels = DEPTH if max_depth is None else max_depth
        return self._merge(new, old, self.should_hide_value_for_name(name), levels, {})

    def _merge(self, new: object, old: object, hide: bool, levels: int, done: dict[tuple[int, ...], object]) -> object:
        if isinstance(new, str) and hide and new == REPLACEMENT:
            return old
        if isinstance(new, str) and isinstance(old, str) and new == self.redact_text(old):
            return old
        if levels < 0:
            return new

        def below(new: object, old: object, hide: bool) -> object:
            if not isinstance(new, (dict, list, tuple)):
                return self._merge(new, old, hide, levels - 1, done)
            known = (id(new), id(old), hide, levels)
            if known not in done:
                done[known] = self._merge(new, old, hide, levels - 1, done)
            return done[known]

        if isinstance(new, dict) and isinstance(old, dict):
            hides = self.should_hide_value_for_name
            return {k: below(item, old[k], hide or hides(k)) if k in old else item for k, item in new.items()}
        for kind in (list, tuple):
            if isinstance(new, kind) and isinstance(old, kind):
                return kind((*(below(a, b, hide) for a, b in zip(new, old, strict=False)), *new[len(old) :]))
        return new


def _as_text(value: object) -> str:
    if type(value) is str:
        return value
    from framework.masking.shown import shown_text

    return shown_text(value)


_masker = Masker()
# The child of a fork must not wait for a thread that it does not have, nor know only half of a secret.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_masker.acquire, after_in_parent=_masker.release, after_in_child=_masker.release)
add_mask = mask_secret = _masker.add_mask
redact, redact_text, redact_around = _masker.redact, _masker.redact_text, _masker.redact_around
merge, configure, reset = _masker.merge, _masker.configure, _masker.reset
should_hide_value_for_name, generation = _masker.should_hide_value_for_name, _masker.generation
