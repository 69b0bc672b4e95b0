"""Resolves every pointer of an application at once: what will be asked, and the asking."""

from __future__ import annotations

from framework.chain.batches import calls_for
from framework.chain.chain import Collected
from framework.chain.runner import Runner, outcome_of
from framework.errors import BackendError, BackendUnavailable, FrameworkError
from framework.masking.search import counted
from framework.options.pointers import pointer_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from framework.chain.batches import VersionedName
    from framework.chain.chain import Chain
    from framework.options.engine import Engine
    from framework.options.values import Mention

    Name = tuple[str, str]  # section and key


class Plan:
    """The pointers that win, and the config secrets behind them, each once.

    Attributes:
        pointers: option -> its winning pointer, if it was not followed yet.
        secrets: option -> the secret that the whole chain may be asked for.
        references: these secrets, each once, in the order of the options.
        unknown: the named options that do not exist, each with its error.
    """

    def __init__(self, engine: Engine, names: Iterable[Name] | None = None) -> None:
        self.engine = engine
        self.pointers: dict[Name, Mention] = {}
        self.secrets: dict[Name, VersionedName] = {}
        self.unknown: dict[Name, FrameworkError] = {}
        if names is not None:
            from framework.options.notices import named

            names, self.unknown = named(engine, names)
        for name in engine.entries() if names is None else names:
            mention = next(engine.mentions(*name), None)
            if mention is not None and mention.is_pointer and not engine.is_followed(mention):
                self.pointers[name] = mention
                reference = secret_of(engine, mention)
                if reference is not None:
                    self.secrets[name] = reference
        self.references = list(dict.fromkeys(self.secrets.values()))

    def calls(self, chain: Chain) -> list[dict[str, object]]:
        """What would be run, read and asked, without doing it."""
        rows: list[dict[str, Any]] = []
        for form, what in (("cmd", "run a command"), ("file", "read a file")):
            options = [f"[{s}] {k}" for (s, k), mention in self.pointers.items() if mention.form == form]
            rows += [{"by": "this process", "call": what, "for": option} for option in options]
        for (section, key), mention in self.pointers.items():
            max_level = self.engine.max_level(section, key)
            if mention.form == "secret" and max_level is not None:
                links = [link.name for link in chain.visible("config", max_level)]
                rows.append({"by": " or ".join(links) or "no link", "call": "look up", "for": f"[{section}] {key}"})
        for place, link in enumerate(chain.visible("config") if self.references else ()):
            number = len(self.references)
            secrets = counted(number, "secret")
            which = secrets if place == 0 else f"what is still missing of {secrets}"
            count = calls_for(link, self.references) if link.is_remote else 0
            call = f"at most {counted(count, 'call')}" if link.is_remote else "look up"
            rows.append({"by": link.name, "call": call, "for": which})
        return rows


def secret_of(engine: Engine, mention: Mention) -> VersionedName | None:
    """What a `_secret` names; None for one that is resolved alone: it builds a link, or cannot be read."""
    if mention.form != "secret" or engine.max_level(mention.section, mention.key) is not None:
        return None
    reference = engine.reference_of(mention)
    return None if reference is None else (reference.name, reference.version)


def prefetch(
    plan: Plan, chain: Chain, *, seconds: float, workers: int, progress: Callable[[int], None] | None = None
) -> dict[Name, FrameworkError]:
    """Resolve every pointer of a plan, batched and in parallel; see `App.prefetch`.

    Args:
        seconds: how long all of it may take.
        workers: how many calls are made at once.
        progress: called with the number of calls that are done.
    """
    hint = "See [secrets] resolve_timeout_seconds."
    late = BackendUnavailable(f"there was no answer within {seconds:g} s", hint=hint)
    report = progress or (lambda number: None)
    collected: dict[VersionedName, Any] = {}
    together = plan.secrets if len(plan.references) > 1 else {}
    alone = [name for name in plan.pointers if name not in together]
    calls = Runner(workers, seconds, late.again, report)
    since, end = plan.engine.begin(plan.pointers.values())  # so that a refresh that begins meanwhile asks for them too
    try:
        # In parallel: a store that hangs must not keep a command from running. Collecting is one of the tasks, because
        # it may take long to build a link.
        tasks: list[Callable[[], Any]] = []
        if together:
            tasks.append(lambda: chain.collect(plan.references, calls, collected, since))
        beside = Runner(workers + 1, seconds, late.again)
        found = beside.run([*tasks, *(_resolving(plan.engine, plan.pointers[name], report) for name in alone)])
        missing, rest = (found[0], found[1:]) if together else (None, found)
        outcomes: dict[Name, Any] = dict(zip(alone, rest, strict=True))
        with Collected(chain, collected):
            for name, reference in together.items():  # there is nothing left to wait for, so without threads
                resolve = _resolving(plan.engine, plan.pointers[name])
                outcomes[name] = outcome_of(resolve) if reference in collected else missing
    finally:
        end()
    failures = dict(plan.unknown)
    for name, mention in plan.pointers.items():
        outcome = about_option(mention, outcomes[name])
        if isinstance(outcome, FrameworkError):
            failures[name] = outcome
        elif isinstance(outcome, Exception):
            raise outcome
    return failures


def about_option(mention: Mention, outcome: object) -> object:
    """The outcome of following a pointer; an error of a link becomes one of the option."""
    if isinstance(outcome, BackendUnavailable):  # it was too late
        fault = pointer_error(mention, f"{outcome.where}: {outcome.what}".removeprefix(": "), outcome.hint)
        fault.__cause__ = outcome  # so that it is known for a link's
        return fault
    if isinstance(outcome, BackendError):  # of a link, which other options may need too
        return pointer_error(mention, f"{outcome.where}: {outcome.what}", outcome.hint)
    return outcome


def _resolving(
    engine: Engine, mention: Mention, report: Callable[[int], None] = lambda number: None
) -> Callable[[], object]:
    def resolve() -> object:
        try:
            return engine.resolve(mention)
        finally:
            report(1)

    return resolve
