"""Fernet keys, from `[core] fernet_key`. `cryptography` takes 28 ms to import, so the first token imports it."""

from __future__ import annotations

from framework import errors
from framework.masking import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.fernet import Fernet

OPTION = "[core] fernet_key"
MAKE_ONE = "Create one with: python -m framework fernet generate"
_IN_PROJECT = "init --metastore"


def generate() -> str:
    """A new key: 32 random bytes as URL-safe base64, as `Fernet.generate_key` makes it."""
    from binascii import b2a_base64
    from os import urandom

    return b2a_base64(urandom(32), newline=False).translate(bytes.maketrans(b"+/", b"-_")).decode()


@errors.public
class Keys:
    """The configured keys: the first one encrypts, each one decrypts.

    Nothing is checked before the first token, so rows that are not encrypted can be read with a malformed key.

    Args:
        text: one key, or several separated by commas, the newest first (as in Airflow); empty for none. Or a function
            that returns it, called for the first token: the key may be a pointer that runs a command.
    """

    __slots__ = ("_text", "_kept", "_fernets")

    def __init__(self, text: str | Callable[[], str]) -> None:
        self._text = text
        self._kept: list[str] | None = None
        self._fernets: list[Fernet] = []

    @property
    def _parts(self) -> list[str]:
        if self._kept is None:
            text = self._text if isinstance(self._text, str) else self._text()
            self._kept = [part.strip() for part in text.split(",")] if text.strip() else []
        return self._kept

    def __len__(self) -> int:
        return len(self._parts)

    @safe_repr
    def __repr__(self) -> str:
        return "<Keys>" if self._kept is None else f"<Keys: {len(self._kept)}>"

    def encrypt(self, text: str) -> str:
        """The token of `text`.

        Raises:
            NoFernetKey: there is no key, so nothing may be written.
            BackendError: a key is malformed.
            MetastoreError: the text has no UTF-8 form.
        """
        if not self._parts:
            what, hint = (
                "secrets are stored encrypted, and there is no key",
                f"{MAKE_ONE}, or, in a project, {_IN_PROJECT}",
            )
            raise errors.NoFernetKey(what, where=OPTION, hint=hint)
        try:
            data = text.encode()
        except UnicodeEncodeError:
            what = "the text holds characters that UTF-8 cannot store (lone surrogates)"
            raise errors.MetastoreError(what) from None
        return self._opened()[0].encrypt(data).decode()

    def decrypt(self, token: str, where: str) -> str:
        """The text of `token`.

        Args:
            token: the stored text.
            where: the row, for the message.

        Raises:
            InvalidSecret: no key decrypts it.
            BackendError: a key is malformed.
        """
        found = self.find(token)
        if found is None:
            none = f"none of the {len(self)} keys" if len(self) > 1 else "the only key" if self._parts else "no key"
            what = f"{none} in {OPTION} opens it" if len(self) != 1 else f"{none} in {OPTION} does not open it"
            raise errors.InvalidSecret(what, where=where, hint="Add the key that it was written with, after a comma.")
        return found[1]

    def find(self, token: str) -> tuple[int, str] | None:
        """The number of the key that decrypts `token`, from 0, and its text; None if no key does.

        Raises:
            BackendError: a key is malformed.
        """
        if not self._parts:
            return None
        from cryptography.fernet import InvalidToken

        for number, fernet in enumerate(self._opened()):
            try:
                return number, fernet.decrypt(token.encode()).decode()
            except (InvalidToken, ValueError):
                continue
        return None

    def _opened(self) -> list[Fernet]:
        if not self._fernets:
            from cryptography.fernet import Fernet

            opened = []
            for part in self._parts:
                try:
                    opened.append(Fernet(part.encode()))
                except ValueError:
                    break
            if len(opened) < len(self):
                raise errors.BackendError(
                    f"key {len(opened) + 1} of {len(self)} is not 32 bytes as URL-safe base64",
                    where=OPTION,
                    hint=MAKE_ONE,
                )
            self._fernets = opened
        return self._fernets
