"""Common mistakes in a connection's URI or JSON, and how to correct each."""

from __future__ import annotations

#: Marks around a text that were probably not intended: quotes of all kinds, and the brackets of placeholders.
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "<": ">"}
_UNREPLACED = ("${", "$(", "{{", "<%", "%(")
_URI = "TYPE://LOGIN:PASSWORD@HOST:PORT/SCHEMA"


def is_in_quotes(text: str) -> bool:
    """Whether the text begins and ends with quotes of one kind."""
    text = text.strip()
    return len(text) > 1 and text[0] in _QUOTES and text.endswith(_QUOTES[text[0]])


def mistake_in(text: str) -> tuple[str, str] | None:
    """What is wrong with a text that is neither, and what to do; None: unknown. Neither repeats a secret."""
    if text.startswith(("\ufeff", "ï»¿")):
        return "it begins with a byte order mark", "Save it as UTF-8 without a byte order mark (BOM)."
    text = text.strip()
    if text[:1] in _QUOTES:
        closed = text.endswith(_QUOTES[text[0]])
        what = "it is in quotes" if closed else "it begins with a quote"
        return what, "Remove them: docker's env_file and many stores keep quotes as part of the value."
    if text.startswith(_UNREPLACED):
        return "it is a placeholder that nothing has replaced", "Write the value, or have it filled in."
    if text.startswith("["):
        return "it is a JSON list", "Write one JSON object, or a URI."
    return _mistake_in_the_type(text) or _mistake_of_format(text)


def _mistake_in_the_type(text: str) -> tuple[str, str] | None:
    """What is wrong with the part before the host."""
    kind, separator, rest = text.partition("://")
    name = kind.replace("_", "").replace("-", "").replace("+", "").replace(".", "")
    is_word = 0 < len(kind) <= 40 and kind.isascii() and name.isalnum() and kind[0].isalpha()
    if separator and is_word and "_" in kind:
        return "the type in a URI has no _", f"Write - for _, which means the same: {kind.replace('_', '-')}://"
    if kind.lower().startswith("jdbc:"):
        return "it is a JDBC URL", f"Leave out jdbc:, and write login and password before the host: {_URI}"
    if separator and "=" in kind and kind.partition("=")[0].replace("_", "").isalnum():
        return "it begins with a variable's name", "Write what follows the =."
    if separator and kind != kind.rstrip():
        return "there is a space before ://", "Remove it."
    if separator and not is_word:
        return "what comes before :// is not a type", f"Write {_URI}, where TYPE has letters, digits, + - and . alone."
    head, colon, rest = text.partition(":")
    if colon and rest.startswith(("\\\\", "\\/")):
        return "its slashes are written with a backslash", "Write TYPE:// with two plain slashes."
    if (
        colon
        and head.isascii()
        and head.replace("-", "").replace("_", "").isalnum()
        and rest.startswith("/")
        and rest[1:2] != "/"
    ):
        return "there is one slash after the type", "Write two: TYPE://HOST"
    return None


def _mistake_of_format(text: str) -> tuple[str, str] | None:
    """What it is instead, where it is something else as a whole."""
    if "%3a%2f%2f" in text.lower():
        return "it is percent-encoded as a whole", "Encode the parts alone, and write :// as it is."
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(line[:1].isspace() or ": " in f"{line} " or line[0] in "#-" for line in lines):
        return "it looks like YAML", "Write JSON, or a URI."
    words = text.split()
    if len(words) > 1 and all("=" in word for word in words):
        return "it is a list of NAME=VALUE", f"Write {_URI}?NAME=VALUE, or JSON."
    if _is_base64_of_one(text):
        return "it is base64", "Store the text itself: Kubernetes and other stores encode it on their own."
    return None if "//" in text else ("it does not begin with TYPE://", f"Write {_URI}")


def _is_base64_of_one(text: str) -> bool:
    """Whether it decodes to a URI or to JSON."""
    from base64 import b64decode

    try:
        inner = b64decode("".join(text.split()), validate=True)
    except ValueError:
        return False
    return inner.lstrip().startswith(b"{") or b"://" in inner[:60]
