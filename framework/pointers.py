"""Follows what an option may hold instead of its value: `_cmd`, `_secret`, `_file`."""

from __future__ import annotations

import os

from framework.convert import expand
from framework.errors import AccessDenied, FrameworkError, NotFound, PointerError, SecretsError
from framework.link import is_restricted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from framework.answer import Mention
    from framework.chain import Chain
    from framework.environment import Environment


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


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        ValueError: it looks like a pasted value, or breaks the grammar. The text is not in the message.
    """
    if not text:
        raise ValueError("the reference is empty")
    if "://" in text or any(char.isspace() for char in text):
        raise ValueError("this looks like a value, not like the name of a secret: it holds '://' or white space")
    rest, hash_, part = text.partition("#")
    name, query, said = rest.partition("?")
    if not name:
        raise ValueError("the reference has no name")
    if hash_ and not part.startswith("/"):
        raise ValueError("what follows '#' must be a JSON pointer and start with '/'")
    if not query:
        return Reference(name, None, part if hash_ else None)
    word, _, version = said.partition("=")
    if word != "version" or not version or "&" in version:
        raise ValueError("what follows '?' must be version=…")
    return Reference(name, version, part if hash_ else None)


def text_of(mention: Mention) -> str:
    """What a pointer holds: the command, the reference or the path, as its layer means it.

    Raises:
        ConfigError: a bad `%`.
    """
    section, key = mention.name
    text: str = mention.source.reference(mention.raw, section, f"{key}_{mention.form}", mention.origin)
    return text


def reference_of(mention: Mention) -> Reference | None:
    """What a `_secret` mention refers to; None if it cannot be read, which is told when it is followed."""
    try:
        return parse_reference(text_of(mention))
    except (ValueError, FrameworkError):
        return None


def part_of(text: str, pointer: str) -> str:
    """The part of a JSON text that a JSON pointer (RFC 6901) names, as text.

    Raises:
        ValueError: no JSON, or no such part. Neither is in the message.
    """
    import json

    from framework.convert import to_text

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = json
    if value is json:
        raise ValueError("its value is no JSON, so it has no parts")
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise ValueError("its value has no such part")
    return to_text(value)


class Pointers:
    """Follows pointers; what they give is kept with the layer that they stand in, by their text."""

    def __init__(self, environment: Environment, chain: Callable[[], Chain], timeout: Callable[[], float]) -> None:
        self._environment, self._chain, self._timeout = environment, chain, timeout

    def is_followed(self, mention: Mention, reach: int | None) -> bool:
        """Whether it is known where a pointer leads."""
        try:
            return (mention.form, text_of(mention), reach) in mention.source.followed
        except FrameworkError:  # told when it is followed
            return False

    def follow(self, mention: Mention, reach: int | None) -> tuple[str, str | None]:
        """Where the pointer leads.

        Args:
            mention: the pointer, with its origin.
            reach: which strata of the chain may be asked, see `Chain`.

        Returns:
            The value, and the link that gave it (None for a command or a file).

        Raises:
            PointerError: it leads nowhere. It names both ends and never the value.
        """
        text = text_of(mention)
        followed, key = mention.source.followed, (mention.form, text, reach)
        kept: tuple[str, str | None] | None = followed.get(key)
        if kept is not None:
            return kept
        if mention.form != "secret":
            kept = followed[key] = (self._cmd if mention.form == "cmd" else self._file)(mention, text), None
            return kept
        kept = self._secret(self._chain(), mention, text, reach)
        if not is_restricted():  # else the whole chain may say otherwise
            followed[key] = kept
        return kept

    def _secret(self, chain: Chain, mention: Mention, text: str, reach: int | None) -> tuple[str, str | None]:
        try:
            reference = parse_reference(text)
        except ValueError as fault:
            raise lost(mention, str(fault), "Write name[?version=V][#/json/pointer].") from None
        try:
            value, link = chain.config(reference.name, version=reference.version, reach=reach)
        except NotFound as fault:
            raise lost(mention, fault.what, fault.hint) from None
        except SecretsError as fault:
            denied = isinstance(fault, AccessDenied)
            raise lost(
                mention,
                f"the secret {reference.name!r} cannot be had from {fault.where}: {fault.what}",
                fault.hint or ("Give this process access to it." if denied else "Try again when the store is well."),
            ) from fault
        if reference.part is None:
            return value, link
        try:
            return part_of(value, reference.part), link
        except ValueError as fault:
            raise lost(mention, f"the secret {reference.name!r} of {link}: {fault}", "Correct the reference.") from None

    def _file(self, mention: Mention, text: str) -> str:
        path = os.path.join(
            os.path.dirname(mention.source.file_of(mention.origin)), expand(text, self._environment.get)
        )
        from framework.files.text import read_text

        try:
            content = read_text(path, universal=False)
        except FrameworkError as fault:
            # What is spelt like no path may be the secret itself.
            place = fault.where if "/" in text or "." in text else "the file that it names"
            raise lost(mention, f"{place}: {fault.what}", fault.hint) from None
        return content.removesuffix("\n").removesuffix("\r")

    def _cmd(self, mention: Mention, text: str) -> str:
        self._refuse_open_file(mention)
        import shlex
        import subprocess

        try:
            words = shlex.split(text)
        except ValueError:
            raise lost(mention, "the command has a quote that is not closed", "Close it.") from None
        if not words:
            raise lost(mention, "the command is empty", "Write a program and its arguments.")
        timeout = self._timeout()
        program = _shown_program(words[0])
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment.process(),
                start_new_session=True,
            )
        except (OSError, ValueError) as fault:
            reason = getattr(fault, "strerror", None) or "it holds a character that no command can hold"
            hint = "Install it or correct the path."
            if "=" in words[0]:
                hint = "No shell runs it: write env NAME=value program."
            if len(words) == 1 and "/" not in text:  # perhaps it is the secret itself
                program = "the program"
            raise lost(mention, f"{program} cannot be started ({reason})", hint) from None
        with process:
            try:
                output, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                output = None
            finally:
                if process.returncode is None:  # its children hold the pipe too: end the whole group
                    os.killpg(process.pid, 9)
        if output is None:
            raise lost(mention, f"{program} did not end within {timeout:g} s", "See [core] command_timeout_seconds.")
        if process.returncode:
            status = process.returncode
            what = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
            raise lost(mention, f"{program} {what}", "Run it by hand to see what it says.")
        return self._output(mention, program, output)

    def _output(self, mention: Mention, program: str, output: bytes) -> str:
        try:
            text = output.decode("utf-8")
        except UnicodeDecodeError:
            text = None
        if text is None:
            raise lost(mention, f"the output of {program} is no UTF-8", "Encode it, as base64 for example.")
        text = text.removesuffix("\n")
        if not text:
            raise lost(mention, f"{program} printed nothing", "An empty value is written plainly.")
        return text

    def _refuse_open_file(self, mention: Mention) -> None:
        from framework.files.text import others_can_write

        path = mention.source.file_of(mention.origin)
        if path and others_can_write(path):
            mode = os.stat(path).st_mode & 0o777
            raise lost(
                mention, f"a command is not run from a file that others can write (mode {mode:o})", f"chmod go-w {path}"
            )


def _shown_program(path: str) -> str:
    """The name of a program that is spelt like one; anything else may be a pasted secret."""
    name = os.path.basename(path)
    spelt = 0 < len(name) <= 40 and all(letter.isalnum() or letter in "_-.+" for letter in name)
    return name if spelt else "the program"


def lost(mention: Mention, what: str, hint: str) -> PointerError:
    """The error of a pointer that leads nowhere: names the option, as it is written, and its place."""
    section, key = mention.name
    return PointerError(f"[{section}] {key}_{mention.form}: {what}", where=mention.origin, hint=hint)
