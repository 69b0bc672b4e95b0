"""What a `_secret` pointer holds: a reference to a config secret, and how a pasted value is recognized."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Reference:
    """What a `_secret` pointer holds: `name[?version=V][#/json/pointer]`, the convention of vals.

    Attributes:
        name: the config secret's name.
        version: which version of it, or None for the newest.
        part: a JSON pointer (RFC 6901) into its value, or None for the whole.
    """

    __slots__ = ("name", "version", "part")

    def __init__(self, name: str, version: str | None, part: str | None) -> None:
        self.name, self.version, self.part = name, version, part


def parse_reference(text: str, *, allow_token_like: bool = False) -> Reference:
    """Read a reference.

    Args:
        text: what the pointer holds.
        allow_token_like: whether a name may have the shape of a token or key (`[secrets] allow_token_like_names`).

    Raises:
        ValueError: it looks like a pasted value, or breaks the grammar. The text is not in the message.
    """
    if not text:
        raise ValueError("the reference is empty")
    if "://" in text or any(char.isspace() for char in text):
        raise ValueError("this looks like a value, not like the name of a secret: it holds '://' or white space")
    rest, hash_, part = text.partition("#")
    name, mark, query = rest.partition("?")
    if not allow_token_like and (looks_like_token(name) or looks_like_token(text)):
        raise ValueError(
            "this looks like a token or key, not like the name of a secret; if the store really has such names, "
            "set [secrets] allow_token_like_names = true"
        )
    if not name:
        raise ValueError("the reference has no name")
    if hash_ and not part.startswith("/"):
        raise ValueError("what follows '#' must be a JSON pointer and start with '/'")
    if "%" in part:  # as RFC 6901 §6 writes a pointer after a `#`: a space is %20
        from urllib.parse import unquote_to_bytes

        try:
            part = unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            part = ""
        if not part:
            raise ValueError("what follows '#' holds a percent sign whose bytes are not UTF-8: write it as %25")
    if not mark:
        return Reference(name, None, part if hash_ else None)
    word, _, version = query.partition("=")
    if word != "version" or not version or "&" in version:
        raise ValueError("what follows '?' must be version=…")
    return Reference(name, version, part if hash_ else None)


def part_of(text: str, pointer: str) -> str:
    """The part of a JSON text that a JSON pointer (RFC 6901) names, as text.

    Raises:
        ValueError: no JSON, or no such part. Neither is in the message.
    """
    from framework.convert import to_text
    from framework.parsing import Malformed, read_json

    fault = ""
    try:
        value = read_json(text)
    except Malformed as error:
        fault = f"cannot be read as JSON ({error.what})" if error.is_beyond else "is not JSON"
    if fault:
        raise ValueError(f"its value {fault}, so it has no parts")
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and len(step) < 10 and int(step) < len(value):
            value = value[int(step)]
        else:
            raise ValueError("its value has no such part")
    if value is None:
        raise ValueError("its value has null there, which is not a value")
    return to_text(value)


#: How well-known tokens begin: those of GitHub, GitLab, Slack, Stripe, OpenAI, AWS, Google, Vault, JWT and so on.
_TOKEN_PREFIXES = (
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glsa_"),
    *("xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.", "xapp-", "sk_live_", "sk_test_", "rk_live_"),
    *("rk_test_", "pk_live_", "pk_test_", "whsec_", "sk-", "hf_", "r8_", "gsk_", "AKIA", "ASIA", "ABSK", "AIza"),
    *("ya29.", "GOCSPX-", "hvs.", "hvb.", "hvr.", "eyJ", "gAAAA", "npm_", "pypi-", "dop_v1_", "doo_v1_", "SG."),
    *("shpat_", "shpss_", "shpca_", "key-", "NRAK-", "PMAK-", "lin_api_", "ntn_", "dckr_pat_", "ATATT3", "ATCTT3"),
    *("figd_", "AGE-SECRET-KEY-", "sq0atp-", "sq0csp-", "EAAA", "dapi", "pul-", "tskey-", "rubygems_", "oauth2:"),
    *("AccountKey=", "SharedAccessKey=", "-----BEGIN", "PRIVATE-KEY"),
)
#: So many characters after its prefix make a token; `npm_token` and `sk-billing` are names.
_TOKEN_REST = 12
#: A run of this many letters in both cases and digits is a token, of this many hexadecimal digits a key.
_RUN, _HEX_RUN = 20, 32
_AWS_KEY = 40
_HEX = frozenset("0123456789abcdef")


def looks_like_token(text: str) -> bool:
    """Whether a text has the shape of a token or key, which is not the name of a secret.

    It begins as known tokens do; or it ends with the padding of base64; or letters in both cases and digits follow
    each other without a separator, 20 or more, or 32 hexadecimal digits; or it is base64 that happens to hold `/`,
    `+`, `-` or `_`.
    """
    if text.endswith("="):
        return True
    if text.startswith(_TOKEN_PREFIXES) and any(
        len(rest := text[len(start) :]) >= _TOKEN_REST and _is_mixed(rest)
        for start in _TOKEN_PREFIXES
        if text.startswith(start)
    ):
        return True
    for run in _runs(text):
        if len(run) >= _RUN and run != run.lower() and run != run.upper() and any(map(str.isdigit, run)):
            return True
        if len(run) >= _HEX_RUN and _HEX.issuperset(run.lower()) and not run.isdecimal():
            return True
    return _is_random(text)


def _is_mixed(text: str) -> bool:
    """Whether there are digits or capitals between other letters, as in a generated text."""
    return any(map(str.isdigit, text)) or (text != text.lower() and text != text.upper())


def _runs(text: str) -> Iterator[str]:
    """The longest pieces that hold letters and digits only."""
    start = 0
    for at, char in enumerate(text):
        if not (char.isascii() and char.isalnum()):
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _is_random(text: str) -> bool:
    """Whether 32 or more characters of base64 change between capitals, small letters and digits as chance does it.

    In a name a word or number has several characters: about a third of them begin another kind. A secret
    key of AWS has 40 characters, and is refused without counting.
    """
    letters = [char for char in text if char not in "/+-_"]
    if len(text) < 32 or not all(char.isascii() and char.isalnum() for char in letters):
        return False
    kinds = ["d" if char.isdigit() else "u" if char.isupper() else "l" for char in letters]
    changes = sum(kinds[at] != kinds[at - 1] for at in range(1, len(kinds)))
    is_aws_key = len(text) == _AWS_KEY and "-" not in text and "_" not in text
    return len(set(kinds)) == 3 and (is_aws_key or changes >= 0.42 * len(letters))
