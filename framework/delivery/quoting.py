"""How each language writes a text: shells, `.env` dialects, systemd, YAML, TOML, HCL.

A function returns the text quoted, or raises a ValueError that says what the language cannot hold, never the text.
The rules were tried with the real readers.
"""

from __future__ import annotations

from framework.layers.writers import env_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character, which no variable can hold")
    return text


def unicode_only(text: str) -> str:
    """The text. Raises ValueError: some of its bytes are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds bytes that are not UTF-8") from None
    return text


def shell(text: str) -> str:
    """For bash, dash, mksh, busybox, zsh: nothing is special between single quotes."""
    return "'" + _no_nul(text).replace("'", "'\\''") + "'"


def fish(text: str) -> str:
    return "'" + _no_nul(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def docker(text: str) -> str:
    """For `docker run --env-file` and `kubectl --from-env-file`, which know no quotes."""
    unicode_only(_no_nul(text))
    if "\n" in text or text.endswith("\r"):
        raise ValueError("it holds a line break, which this format cannot hold")
    return text


def compose(text: str) -> str:
    """For the `.env` file of Docker Compose."""
    return f'"{_escaped(unicode_only(_no_nul(text)), special="$")}"'


def systemd(text: str) -> str:
    """For `EnvironmentFile=`."""
    return f'"{_escaped(unicode_only(_no_nul(text)), special="$`")}"'


def _escaped(text: str, special: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    for mark in special:
        text = text.replace(mark, f"\\{mark}")
    return text


def dotenv(text: str) -> str:
    """For every reader of `.env` files, and shells: as they all read it alike, or not at all."""
    value = env_value(_no_nul(text))
    if value is None:
        unicode_only(text)
        raise ValueError("the readers of .env files disagree about it: choose one with --dialect python or node")
    return value


def dotenv_python(text: str) -> str:
    """For python-dotenv. With its interpolation on, a `${` is replaced there."""
    unicode_only(_no_nul(text))
    if "\r" in text:
        return f'"{_escaped(text, "").replace(chr(13), chr(92) + "r")}"'
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def dotenv_node(text: str) -> str:
    """For npm's dotenv and `node --env-file`: of three kinds of quotes, one that is not in the text."""
    unicode_only(_no_nul(text))
    if "\r" in text:
        raise ValueError("it holds a carriage return, which dotenv for Node.js reads as a line break")
    for quote in "'`\"":
        if quote not in text and not (quote == '"' and "\\" in text):
            return f"{quote}{text}{quote}"
    raise ValueError("it holds every kind of quote, and dotenv for Node.js has no way to escape one")


def json_text(text: str) -> str:
    import json

    return json.dumps(unicode_only(text), ensure_ascii=False)


#: What a quoted text of YAML or TOML writes by its number; beside the controls, which are computed.
_UNSAFE = frozenset((*range(0x20), *range(0x7F, 0xA1), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF))
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def yaml(text: str) -> str:
    """In double quotes, for every reader of YAML; a text of TOML and HCL reads the same."""
    if unicode_only(text).isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    escaped = (
        _SHORT.get(c) or (f"\\u{ord(c):04X}" if ord(c) in _UNSAFE else f"\\{c}" if c in '"\\' else c) for c in text
    )
    return f'"{"".join(escaped)}"'


toml = yaml


def compose_yaml(text: str) -> str:
    """For a value in a compose file, where `$` begins a variable."""
    return yaml(_no_nul(text)).replace("$", "$$")


def tfvars(text: str) -> str:
    """For Terraform's and OpenTofu's `.tfvars`, where `${` and `%{` begin a template."""
    from unicodedata import is_normalized

    unicode_only(_no_nul(text))
    if "$${" in text or "%%{" in text:
        raise ValueError("it holds '$${' or '%%{', which HCL reads as an escape")
    if not is_normalized("NFC", text):
        raise ValueError("it is not in Unicode's normal form NFC, and HCL changes it to that")
    return yaml(text).replace("${", "$${").replace("%{", "%%{")


def url(text: str) -> str:
    """Every character that is not unreserved, percent-encoded."""
    from urllib.parse import quote

    return quote(text.encode("utf-8", "surrogateescape"), safe="")


def base64(text: str) -> str:
    from binascii import b2a_base64

    return b2a_base64(text.encode("utf-8", "surrogateescape"), newline=False).decode()


def github(text: str) -> str:
    """For the file of `GITHUB_ENV`, as it is between two delimiters."""
    return unicode_only(_no_nul(text))


#: The filters of a template, and how they write a text.
FILTERS: dict[str, Callable[[str], str]] = {
    "json": json_text,
    "yaml": yaml,
    "toml": toml,
    "shell": shell,
    "url": url,
    "base64": base64,
    "dotenv": dotenv,
    "systemd": systemd,
}
