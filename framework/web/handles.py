"""Names in URLs and attributes: percent-encoded, whatever characters they have.

A name may be `..`, `/`, hold a NUL, which HTML cannot, or bytes that are not UTF-8.
"""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

from framework.web.guard import Refused


def handle(name: str) -> str:
    return quote(name, safe="", errors="surrogatepass")


def name_of(handle: str) -> str:
    """The name of a handle.

    Raises:
        Refused: it is malformed.
    """
    try:
        return unquote_to_bytes(handle).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise Refused(400, "a name in the request is not UTF-8") from None


def query_of(text: bytes) -> dict[str, str]:
    """The query of a URL.

    Raises:
        Refused: it is malformed.
    """
    found: dict[str, str] = {}
    for pair in text.decode("latin-1").split("&"):
        word, _, given = pair.partition("=")
        if word:
            found[name_of(word)] = name_of(given.replace("+", " "))
    return found
