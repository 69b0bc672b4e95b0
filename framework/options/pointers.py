"""Follows what an option may hold instead of its value: `_cmd`, `_secret`, `_file`."""

from __future__ import annotations

import os
from time import monotonic

from framework.convert import expand
from framework.errors import AccessDenied, FrameworkError, NotFound, PointerError, SecretsError
from framework.lifetime import lifetime_of
from framework.masking import REPLACEMENT, Masker
from framework.options.values import place_of, pointer_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from framework.chain.chain import Chain
    from framework.files.text import Stamp
    from framework.layers.environment import Environment
    from framework.options.followed import Followed
    from framework.options.references import Reference
    from framework.options.values import Mention, Table

    Failure = TypeVar("Failure", bound=FrameworkError)


class Pointers:
    """Follows pointers, and keeps what they give for as long as the layer is there that they are written in.

    Args:
        table: what the pointers gave.
        environment: what `_cmd` runs with.
        chain: who is asked for a `_secret`.
        timeout: how long a command may run, in seconds.
        allow_token_like: whether a secret's name may have the shape of a token.
        held: called with the form of a pointer when its value is kept.

    Attributes:
        distrusted: a folder; commands and files that its files name are not followed. Empty: none.
    """

    def __init__(
        self,
        table: Table,
        environment: Environment,
        chain: Callable[[], Chain],
        timeout: Callable[[], float],
        allow_token_like: Callable[[], bool] = lambda: False,
        held: Callable[[str], object] = lambda form: None,
    ) -> None:
        self._environment, self._chain, self._timeout = environment, chain, timeout
        self._allow_token_like, self._held = allow_token_like, held
        self._table = table
        self.distrusted = ""

    def reference_of(self, mention: Mention) -> Reference | None:
        """What a `_secret` mention refers to; None if it cannot be read: following it says why."""
        try:
            return self._parse(pointer_text(mention))
        except (ValueError, FrameworkError):
            return None

    def _parse(self, text: str) -> Reference:
        from framework.options.references import parse_reference

        return parse_reference(text, allow_token_like=self._allow_token_like())

    def follow(self, mention: Mention, max_level: int | None, *, show_reference: bool = True) -> tuple[str, str | None]:
        """Where the pointer leads.

        Args:
            mention: the pointer, with its origin.
            max_level: which levels of the chain may be asked, see `Chain`.
            show_reference: whether messages may hold the reference. Where no schema or pattern declares the option,
                it may be the secret itself.

        Returns:
            The value, and the link that gave it (None for a command or a file).

        Raises:
            PointerError: it leads nowhere. It names both ends and never the value.
        """
        layer, key = place = place_of(mention, max_level)
        kept = self._table.of(layer).get(key)
        if kept is None:
            since = self._table.begin([place])
            try:
                kept = self.ask(mention, max_level, show_reference=show_reference, since=since)
                # Where links are hidden, the whole chain may say otherwise.
                if mention.form != "secret" or not self._chain().hides_links(max_level):
                    kept = self._table.note(layer, key, kept)
                    self._held(mention.form)
            finally:
                self._table.end([place])
        return kept.value, kept.link

    def ask(
        self, mention: Mention, max_level: int | None, *, show_reference: bool = True, since: float | None = None
    ) -> Followed:
        """Follow a pointer whatever it gave before, and keep nothing.

        Args, Raises: as for `follow`, and `since` as in `Link.ask`.
        """
        from framework.options.followed import Followed

        text, asked = pointer_text(mention), monotonic()
        if mention.form != "secret" and self._is_distrusted(mention):
            what = "the command is not run" if mention.form == "cmd" else "the file is not read"
            raise pointer_error(mention, f"{what}: it is named in another revision", "Check that revision out.")
        if mention.form == "cmd":
            return Followed(self._cmd(mention, text), None, asked)
        if mention.form == "file":
            value, path, stamp = self._file(mention, text)
            return Followed(value, None, asked, path, stamp=stamp)
        return self._secret(self._chain(), mention, text, max_level, show_reference, since)

    def _is_distrusted(self, mention: Mention) -> bool:
        file = mention.source.file_of(mention.origin) if self.distrusted else None
        return file is not None and file.startswith(f"{self.distrusted}{os.sep}")

    def _secret(
        self,
        chain: Chain,
        mention: Mention,
        text: str,
        max_level: int | None,
        show_reference: bool,
        since: float | None,
    ) -> Followed:
        try:
            reference = self._parse(text)
        except ValueError as fault:
            raise pointer_error(mention, str(fault), "Write name[?version=V][#/json/pointer].") from None
        shown = reference.name if show_reference else REPLACEMENT
        if not show_reference:  # unless it is found, it may be the secret itself
            chain.unshown.add(reference.name)
        try:
            value, link = chain.config(reference.name, version=reference.version, max_level=max_level, since=since)
        except NotFound as fault:
            if show_reference:
                missing = pointer_error(mention, fault.what, fault.hint)
            else:
                fault.what = fault.plain or fault.what
                missing = pointer_error(mention, _without(reference.name, fault).what, _undeclared(mention))
            missing.is_absent = True
            raise missing from None
        except SecretsError as failure:
            shown_failure = failure if show_reference else _without(reference.name, failure)
            denied = isinstance(failure, AccessDenied)
            raise pointer_error(
                mention,
                f"the secret {shown!r} cannot be read from {shown_failure.where}: {shown_failure.what}",
                shown_failure.hint
                or ("Give this process access to it." if denied else "Try again when the store answers."),
            ) from shown_failure
        chain.unshown.discard(reference.name)
        from framework.options.followed import Followed
        from framework.options.references import part_of

        asked = monotonic() - chain.age(link, reference.name, reference.version)
        if reference.part is None:
            return Followed(value, link, asked, None, lifetime_of(value))
        try:
            return Followed(part_of(value, reference.part), link, asked, None, lifetime_of(value))
        except ValueError as fault:
            raise pointer_error(mention, f"the secret {shown!r} of {link}: {fault}", "Correct the reference.") from None

    def _file(self, mention: Mention, text: str) -> tuple[str, str, Stamp | None]:
        from stat import S_ISREG

        from framework.files.text import read_file, stamp
        from framework.files.trust import folder_of, inside

        if not text.strip():
            raise pointer_error(mention, "the path is empty", "Write the path of a file, or remove it.")
        try:
            folder = folder_of(mention.source.file_of(mention.origin))
            path = inside(folder, expand(text, self._environment.get))
            content, status = read_file(path, universal=False, seconds=self._timeout())
        except FrameworkError as fault:
            # What is spelt like no path may be the secret itself.
            place = fault.where if "/" in text or "." in text else "the file that it names"
            raise pointer_error(mention, f"{place}: {fault.what}", fault.hint) from None
        value = content.removesuffix("\n").removesuffix("\r")
        return value, path, stamp(status) if S_ISREG(status.st_mode) else None

    def _cmd(self, mention: Mention, text: str) -> str:
        self._refuse_open_file(mention)
        import shlex
        import subprocess

        from framework.files.text import content

        if not _can_wait_for_children(subprocess.Popen):
            hint = "Read it first in a greenlet of the main thread: the result is kept."
            raise pointer_error(mention, "under gevent no command can be run in a thread of gevent's pool", hint)

        from framework.deadlines import Waiting

        class Process(subprocess.Popen[bytes]):
            """Notices when other code collected its exit status, which Python takes for success."""

            is_lost = False

            def _try_wait(self, flags: int) -> tuple[int, int]:
                try:
                    return os.waitpid(self.pid, flags)
                except ChildProcessError:
                    self.is_lost = True
                    return self.pid, 0

        try:
            words = shlex.split(text)
        except ValueError:
            raise pointer_error(mention, "the command has a quote that is not closed", "Close it.") from None
        if not words:
            raise pointer_error(mention, "the command is empty", "Write a program and its arguments.")
        timeout = self._timeout()
        program = _shown_program(words[0])
        _refuse_planted_program(mention, words[0])
        try:
            process = Process(
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
            raise pointer_error(mention, f"{program} cannot be started ({reason})", hint) from None
        too_large = ""
        with process, open(process.stdout.fileno(), "rb", buffering=0, closefd=False) as pipe:  # type: ignore[union-attr]
            late = monotonic() + timeout
            try:
                with Waiting(program):
                    output, _ = content(pipe, timeout)
                    process.wait(max(0.0, late - monotonic()))
            except (TimeoutError, subprocess.TimeoutExpired):
                output = None
            except OSError as fault:
                output, too_large = b"", fault.strerror or "cannot be read"
            finally:
                if process.returncode is None:  # its children hold the pipe too: end the whole group
                    _end(process.pid)
        if too_large:
            raise pointer_error(mention, f"the output of {program}: {too_large}", "Print the value and nothing else.")
        if process.is_lost and output is not None:
            hint = "This process must not ignore SIGCHLD, and its other code must not wait for all children."
            raise pointer_error(mention, f"the exit status of {program} is not known, so its output is not used", hint)
        if output is None:
            raise pointer_error(
                mention, f"{program} did not end within {timeout:g} s", "See [core] command_timeout_seconds."
            )
        if process.returncode:
            status = process.returncode
            what = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
            raise pointer_error(mention, f"{program} {what}", "Run it by hand to see its output.")
        return self._output(mention, program, output)

    def _output(self, mention: Mention, program: str, output: bytes) -> str:
        try:
            text = output.decode("utf-8")
        except UnicodeDecodeError:
            text = None
        if text is None:
            raise pointer_error(mention, f"the output of {program} is not UTF-8", "Encode it, as base64 for example.")
        text = text.removesuffix("\n")
        if not text:
            raise pointer_error(
                mention,
                f"{program} printed nothing",
                "To set it to an empty text, write the option itself, without a pointer.",
            )
        return text

    def _refuse_open_file(self, mention: Mention) -> None:
        from framework.files.trust import why_no_command

        path = mention.source.file_of(mention.origin)
        if path:
            what, hint = why_no_command(mention.source.opened[path], path)
            if what:
                raise pointer_error(mention, what, hint)


def _refuse_planted_program(mention: Mention, program: str) -> None:
    """Check a program with a relative path, such as `./get-password`: it is found through the working directory.

    What has no `/` is looked for on the `PATH`. In a project that a person named, its programs are named, too.
    """
    from framework.files.trust import Found, Untrusted, Vouched, check, folder_of, found

    if "/" not in program or os.path.isabs(program):
        return
    folder, absolute = folder_of(mention.source.file_of(mention.origin)), found(program)
    is_inside = bool(folder) and absolute.startswith(f"{folder}/")
    if isinstance(folder, Vouched) and is_inside:
        return
    absolute.way_out = "write its absolute path" + (f", or {Found.way_out}" if is_inside else "")
    try:
        check(absolute)
    except Untrusted as doubt:
        raise pointer_error(mention, f"{absolute}: {doubt.what}", doubt.hint) from None
    except OSError:  # starting it reports that
        return


def _can_wait_for_children(popen: object) -> bool:
    """Whether a command can be run in this thread: gevent's replacement of Popen needs its main loop."""
    if popen.__module__ != "gevent.subprocess":
        return True
    from gevent import get_hub

    return bool(get_hub().loop.default)


def _end(group: int) -> None:
    """End a group of processes, if it has not ended by itself."""
    try:
        os.killpg(group, 9)
    except ProcessLookupError:
        pass


def _without(name: str, fault: Failure) -> Failure:
    """The same failure without the name, in whatever spelling it holds it."""
    masker = Masker()
    masker.configure(min_length=1)
    masker.add_mask(name)
    for part in name.replace("_", "/").replace("-", "/").split("/"):  # a store may join them in another way
        if len(part) > 3:
            masker.add_mask(part)
    hide: Callable[[str], str] = masker.redact_text
    if len(name) <= 3:  # as a word alone: hidden inside other words, it would leave nothing to read
        import re
        from functools import partial

        word = re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", re.IGNORECASE)

        hide = partial(word.sub, REPLACEMENT)

    hidden = fault.again()
    hidden.what, hidden.where, hidden.hint = map(hide, (fault.what, fault.where, fault.hint))
    hidden.args = (hidden.what,)
    return hidden


def _undeclared(mention: Mention) -> str:
    section, key = mention.name
    return (
        f"The reference is not shown, because [{section}] {key} is not declared: "
        f'write sensitive = ["{section}.{key}"] in the project file.'
    )


def _shown_program(path: str) -> str:
    """The name of a program that is spelt like one; anything else may be a pasted secret."""
    name = os.path.basename(path)
    spelt = 0 < len(name) <= 40 and all(letter.isalnum() or letter in "_-.+" for letter in name)
    return name if spelt else "the program"


def pointer_error(mention: Mention, what: str, hint: str) -> PointerError:
    """The error of a pointer that leads nowhere: names the option, as it is written, and its place."""
    section, key = mention.name
    return PointerError(f"[{section}] {key}_{mention.form}: {what}", where=mention.origin, hint=hint)
