"""Resolves every pointer of an application at once: what will be asked, and the asking."""

from __future__ import annotations

from framework.errors import BackendUnavailable, FrameworkError
from framework.parallel import Runner, outcome_of
from framework.pointers import reference_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from framework.answer import Mention
    from framework.app import App
    from framework.link import Reference

    Name = tuple[str, str]  # section and key


class Plan:
    """The pointers that win, and the config secrets behind them, each once.

    Attributes:
        pointers: option -> its winning pointer.
        secrets: option -> the secret that the whole chain may be asked for.
        references: these secrets, each once, in the order of the options.
    """

    def __init__(self, app: App, names: Iterable[Name] | None = None) -> None:
        self._app = app
        self.pointers: dict[Name, Mention] = {}
        self.secrets: dict[Name, Reference] = {}
        for name in app.engine.entries() if names is None else names:
            mention = next(app.engine.mentions(*name), None)
            if mention is not None and mention.is_pointer:
                self.pointers[name] = mention
                reference = self._reference(mention)
                if reference is not None:
                    self.secrets[name] = reference
        self.references = list(dict.fromkeys(self.secrets.values()))

    def _reference(self, mention: Mention) -> Reference | None:
        """What a `_secret` names; None for one that is resolved alone: it builds a link, or cannot be read."""
        if mention.form != "secret" or self._app.reach(mention.section, mention.key) is not None:
            return None
        reference = reference_of(mention)
        return None if reference is None else (reference.name, reference.version)

    def calls(self) -> list[dict[str, Any]]:
        """What would be run, read and asked, without doing it."""
        rows: list[dict[str, Any]] = []
        for form, what in (("cmd", "run a command"), ("file", "read a file")):
            options = [f"[{s}] {k}" for (s, k), mention in self.pointers.items() if mention.form == form]
            rows += [{"by": "this process", "call": what, "for": option} for option in options]
        names = [name for name, _ in self.references]
        for place, link in enumerate(self._app.chain.visible("config") if names else ()):
            secrets = f"{len(names)} {'secret' if len(names) == 1 else 'secrets'}"
            which = secrets if place == 0 else f"what is still missing of {secrets}"
            count = link.calls_for(self.references) if link.is_remote else 0
            call = f"at most {count} {'call' if count == 1 else 'calls'}" if link.is_remote else "look up"
            rows.append({"by": link.name, "call": call, "for": which})
        return rows


def prefetch(
    app: App, names: Iterable[Name] | None = None, progress: Callable[[int], None] | None = None
) -> dict[Name, FrameworkError]:
    """Resolve every pointer that wins, batched and in parallel; see `App.prefetch`."""
    plan = Plan(app, names)
    if not plan.pointers:
        return {}
    seconds, workers = app.conf.value("secrets", "resolve_timeout_seconds"), app.conf.value("secrets", "max_workers")
    runner = Runner(workers, seconds, lambda: _late(seconds), progress or (lambda number: None))
    held = plan.secrets if len(plan.references) > 1 else {}
    alone = [name for name in plan.pointers if name not in held]
    tasks: list[Callable[[], Any]] = [lambda name=name: app.engine.answer(*name) for name in alone]  # type: ignore[misc]
    try:
        if held:
            app.chain.hold(plan.references, runner)
        outcomes = dict(zip(alone, runner.run(tasks) if len(tasks) > 1 else map(outcome_of, tasks), strict=True))
        for name in held:  # nothing is left to wait for: threads would only be in each other's way
            outcomes[name] = outcome_of(lambda name=name: app.engine.answer(*name))  # type: ignore[misc]
    finally:
        if held:
            app.chain.let_go()
    failures = {}
    for name in plan.pointers:
        outcome = outcomes[name]
        if isinstance(outcome, FrameworkError):
            failures[name] = outcome
        elif isinstance(outcome, Exception):
            raise outcome
    return failures


def _late(seconds: float) -> BackendUnavailable:
    return BackendUnavailable(
        f"there was no answer within {seconds:g} s", hint="See [secrets] resolve_timeout_seconds."
    )
