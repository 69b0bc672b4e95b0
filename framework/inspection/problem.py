"""One problem of a configuration, and the codes of all kinds of problems."""

from __future__ import annotations

from framework.masking import safe_repr

#: Every kind of problem: its code, which stays the same in all releases, and what it means.
CODES = {
    "access-denied": "a secret store refuses access",
    "answered-below": "a secret is answered by the environment or the database although a custom backend is set",
    "backend": "a secrets backend cannot be built from its configuration",
    "blank-at-end": "a value begins or ends with white space",
    "carriage-return": "a value ends with a Windows line ending",
    "comma-too-many": "a list has an empty item",
    "comment-in-value": "what looks like a comment is part of the value",
    "cut-by-comment": "a secret in a .env file ends where a comment begins",
    "deprecated": "an option is deprecated",
    "dynaconf-token": "a dynaconf token is not evaluated",
    "environment": "there is no such environment, or it has no file",
    "expanded-by-chance": "part of a secret was taken for the name of a variable",
    "ignored-pointer": "a pointer is ignored, because its option is not declared sensitive",
    "invalid": "the configuration cannot be used as it is written",
    "invisible-character": "a value holds a character that is not visible",
    "key": "the encryption key cannot be used",
    "link-failed": "a secret store or the database does not answer",
    "list-not-json": "the brackets of a list are part of its items",
    "looks-like-pointer": "an option is named like a pointer but is an option in its own right",
    "looks-sensitive": "an option is named like a secret but not declared sensitive",
    "metastore": "the URL of the database cannot be used",
    "misspelt-variable": "an environment variable is probably misspelt",
    "null": "null in a file means that a text option is not set",
    "old-name": "an option is written under an older name",
    "pattern": "an entry in the list of sensitive options is not the name of an option",
    "quotes-in-value": "quotes are part of the value",
    "read-otherwise": "a value in a file is not read as the text that is written",
    "required": "a required option is not set",
    "required-empty": "a required option is set to an empty text",
    "required-in": "an option is required in an environment that does not exist",
    "schema-unmapped": "a schema of another tool has something that has no counterpart here",
    "shared-cache": "the URL or the key of the shared cache cannot be used, or has no effect",
    "shell-in-command": "a command uses shell syntax, but no shell runs it",
    "two-forms": "an option is written in two forms in one place",
    "unknown-option": "no such option is declared",
    "unread-setting": "a setting is not read",
    "unreadable": "a file cannot be read or has a syntax error",
    "unresolved-pointer": "a pointer leads nowhere",
    "workers": "the backend for workers is not used here, or its arguments are ignored",
    "wrong-value": "a value has the wrong type, is not one of the choices, or breaks a constraint",
}


class Problem:
    """What is wrong, where, and what to do.

    Attributes:
        level: `error`, `warning` or `note`.
        code: one of `CODES`.
        where: `path:line`, a variable's name, or another place.
        what: a sentence, with the hint. It holds no secret.
        name: the section and key of the option that it is about, or None.
    """

    __slots__ = ("level", "code", "where", "what", "name")

    def __init__(self, level: str, code: str, where: str, what: str, name: tuple[str, str] | None = None) -> None:
        self.level, self.code, self.where, self.what, self.name = level, code, where, what, name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.level, self.code, self.where, self.what

    @safe_repr
    def __repr__(self) -> str:
        return f"<Problem {self.level} {self.code}>"

    @property
    def file(self) -> tuple[str, int] | None:
        """The file and the line, if it is in one."""
        path, _, line = self.where.rpartition(":")
        if path and line.isdecimal():
            return path, int(line)
        is_path = ("/" in self.where or "." in self.where) and " " not in self.where and "[" not in self.where
        return (self.where, 1) if is_path else None
