"""The formats of `export`: one small table."""

from __future__ import annotations

from framework.delivery import quoting
from framework.delivery.values import Faults
from framework.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from framework.delivery.selection import Item

    #: Puts names and quoted values together; the last argument says what the document is called.
    Layout = Callable[[list[tuple[str, str]], str, str], str]

#: Neither Docker nor kubectl reads a line of this many bytes.
_LONGEST_LINE = 65_536

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_DIGITS = frozenset("0123456789")


def is_variable(name: str) -> bool:
    """Whether every shell can set a variable of this name."""
    return name[:1] in _LETTERS and (_LETTERS | _DIGITS).issuperset(name)


def _is_kubernetes_key(name: str) -> bool:
    return (_LETTERS | _DIGITS | frozenset("-.")).issuperset(name) and len(name) <= 253 and name not in (".", "..")


def is_object_name(name: str, longest: int = 253) -> bool:
    """Whether Kubernetes takes it for the name of an object; a namespace has 63 letters at most and no dot."""
    plain = name.replace("-", "").replace(".", "") if longest > 63 else name.replace("-", "")
    parts = name.split(".")
    return (
        0 < len(name) <= longest
        and plain.isascii()
        and plain.isalnum()
        and plain == plain.lower()
        and all(part and part[0] != "-" and part[-1] != "-" for part in parts)
    )


def _is_word(name: str) -> bool:
    return "=" not in name and not name.startswith("#")


def _lines(start: str = "", middle: str = "=") -> Layout:
    return lambda pairs, name, namespace: "".join(f"{start}{key}{middle}{value}\n" for key, value in pairs)


def _yaml_key(name: str) -> str:
    """A key that no reader takes for a boolean, a null or a number."""
    plain = is_variable(name) and "_" in name and name[0] != "_"
    return name if plain else quoting.yaml(name)


def _yaml(pairs: list[tuple[str, str]], name: str, namespace: str) -> str:
    return "".join(f"{_yaml_key(key)}: {value}\n" for key, value in pairs) or "{}\n"


def _compose_yaml(pairs: list[tuple[str, str]], name: str, namespace: str) -> str:
    return "environment:" + (_indented(pairs) or " {}\n")


def _indented(pairs: list[tuple[str, str]]) -> str:
    return "".join(["\n", *(f"  {_yaml_key(key)}: {value}\n" for key, value in pairs)]) if pairs else ""


def _kubernetes(kind: str) -> Layout:
    def document(pairs: list[tuple[str, str]], name: str, namespace: str) -> str:
        lines = ["apiVersion: v1", f"kind: {kind}", "metadata:", f"  name: {quoting.yaml(name)}"]
        lines += [f"  namespace: {quoting.yaml(namespace)}"] if namespace else []
        lines += ["type: Opaque"] if kind == "Secret" else []
        return "\n".join([*lines, "data:"]) + (_indented(pairs) or " {}\n")

    return document


def _quoted_base64(text: str) -> str:
    return f'"{quoting.base64(text)}"'  # without the quotes `true` and `1234` would not be texts


def _json(pairs: list[tuple[str, str]], name: str, namespace: str) -> str:
    if not pairs:
        return "{}\n"
    return "{\n" + ",\n".join(f"  {quoting.json_text(key)}: {value}" for key, value in pairs) + "\n}\n"


def _toml(pairs: list[tuple[str, str]], name: str, namespace: str) -> str:
    from framework.layers.writers import toml_key

    return "".join(f"{toml_key(key)} = {value}\n" for key, value in pairs)


def _github(pairs: list[tuple[str, str]], name: str, namespace: str) -> str:
    import secrets

    blocks = []
    for key, value in pairs:
        delimiter = f"ghadelimiter_{secrets.token_hex(16)}"
        while delimiter in value.split("\n"):  # by a chance of 1 in 2 to the 128th
            delimiter = f"ghadelimiter_{secrets.token_hex(16)}"
        blocks.append(f"{key}<<{delimiter}\n{value}\n{delimiter}\n")
    return "".join(blocks)


class Format:
    """One format.

    Attributes:
        quote: writes a value.
        layout: writes the whole.
        takes: whether an entry may have this name.
    """

    __slots__ = ("quote", "layout", "takes")

    def __init__(self, quote: Callable[[str], str], layout: Layout, takes: Callable[[str], bool] = is_variable) -> None:
        self.quote, self.layout, self.takes = quote, layout, takes


def _any_name(name: str) -> bool:
    return True


FORMATS = {
    "shell": Format(quoting.shell, _lines("export ")),
    "fish": Format(quoting.fish, _lines("set -gx ", " ")),
    "dotenv": Format(quoting.dotenv, _lines()),
    "docker": Format(quoting.docker, _lines(), _is_word),
    "compose": Format(quoting.compose, _lines()),
    "compose-yaml": Format(quoting.compose_yaml, _compose_yaml, _any_name),
    "systemd": Format(quoting.systemd, _lines()),
    "k8s-secret": Format(_quoted_base64, _kubernetes("Secret"), _is_kubernetes_key),
    "k8s-configmap": Format(quoting.yaml, _kubernetes("ConfigMap"), _is_kubernetes_key),
    "github": Format(quoting.github, _github),
    "json": Format(quoting.json_text, _json, _any_name),
    "yaml": Format(quoting.yaml, _yaml, _any_name),
    "toml": Format(quoting.toml, _toml, _any_name),
    "tfvars": Format(quoting.tfvars, _lines(middle=" = ")),
}

#: The dialects of `dotenv` beside the portable form.
DIALECTS = {"python": quoting.dotenv_python, "node": quoting.dotenv_node}

#: What GitHub's runner does not take from a file.
_REFUSED_BY_GITHUB = ("NODE_OPTIONS", "GITHUB_", "RUNNER_")


def written(items: Iterable[Item], format: str, *, dialect: str = "", name: str = "", namespace: str = "") -> bytes:
    """The items in a format.

    Args:
        format: one of `FORMATS`.
        dialect: one of `DIALECTS`, for `dotenv`; empty: the form that all readers share.
        name: what a document of Kubernetes is called.
        namespace: where it belongs; empty: nowhere.

    Raises:
        Faults: every name and every value that the format cannot hold.
    """
    form = FORMATS[format]
    faults: list[Any] = []
    pairs: list[tuple[str, str]] = []
    quote = DIALECTS.get(dialect, form.quote)
    for item in items:
        try:
            _check_name(form, format, item.name)
            quoted = quote(item.text)
            if format == "docker" and len(f"{item.name}={quoted}".encode()) >= _LONGEST_LINE:
                raise ValueError(f"it is too long: Docker reads no line of {_LONGEST_LINE:,} bytes or more")
            pairs.append((item.name, quoted))
        except ValueError as fault:
            hint = "" if form.takes(item.name) else f"Give it another name: --map {item.source.text}=NAME."
            error = ConfigError(f"{item.source} cannot be written as {format}: {fault}", hint=hint)
            faults.append((("", item.source.text), error))
    if faults:
        raise Faults(faults)
    return form.layout(pairs, name, namespace).encode("utf-8", "surrogateescape")


def _check_name(form: Format, format: str, name: str) -> None:
    if not form.takes(name):
        raise ValueError(f"{name!r} is not a valid name there")
    if format == "github" and name.startswith(_REFUSED_BY_GITHUB):
        raise ValueError(f"GitHub does not let a step set {name}")


def masks(items: Iterable[Item]) -> str:
    """The commands that have GitHub's runner hide each secret in its log."""
    return "".join(
        f"::add-mask::{item.text.replace('%', '%25').replace(chr(13), '%0D').replace(chr(10), '%0A')}\n"
        for item in items
        if item.sensitive and item.text.strip()
    )
