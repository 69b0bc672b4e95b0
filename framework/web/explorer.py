"""What an explorer knows of its application: the links, their lists, what `check` found, and what was done here.

No value is read for any of it. Whatever may wait for a store is a job.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from time import localtime, monotonic, strftime, time

from framework.errors import BackendUnavailable, FrameworkError
from framework.inspection import listing
from framework.inspection.places import short
from framework.inspection.problems import problems_of
from framework.logs import INFO, log
from framework.masking.wording import redact_message
from framework.options.prefetch import Plan
from framework.web.jobs import KEPT, Job, Jobs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from framework.app import App
    from framework.chain.link import Link
    from framework.inspection.listing import LinkNames, Listed

#: The kinds of names, and the pages about them.
PAGES = {"connection": "connections", "variable": "variables", "config": "secrets"}
#: How long a page waits for jobs, in seconds.
PATIENCE = 0.2
#: Secrets that one person may be shown in a minute.
REVEALS = 30


class _Unlisted:
    """A link whose list is not there yet."""

    names = failure = None

    def __init__(self, link: Link) -> None:
        self.link = link


class Explorer:
    """The state behind the pages.

    Args:
        app: the application.
        write: whether the metastore may be changed.
        whose: a sentence that says whose environment is shown.
        command: how this application is named on a command line.
        owned: whether the application is this explorer's alone, so that it may be reloaded.
        report: called with a line for each action.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        write: bool = False,
        whose: str = "",
        command: str = "python -m framework",
        owned: bool = False,
        report: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.app, self.write, self.whose, self.command, self.owned = app, write, whose, command, owned
        self.jobs = Jobs()
        self.log: deque[dict[str, Any]] = deque(maxlen=1000)
        self._report = report
        self._merging = allocate_lock()
        self._reveals: dict[str, deque[float]] = {}
        self.forget()

    def forget(self) -> None:
        """Forget all that was found: the application was reloaded."""
        self.reading = self.app.engine.reading
        self.jobs.sweep(wholly=True)
        self.entries: dict[str, list[Listed]] = {kind: [] for kind in PAGES}
        self._listed: dict[tuple[str, str], LinkNames] = {}
        self.stores_checked = False

    def key(self, *what: object) -> tuple[object, ...]:
        return (id(self.reading), *what)

    # Jobs

    def chain(self) -> Job:
        """The links, as a job: what is asked to build the chain may be slow, too."""
        if self.app.engine.reading is not self.reading:
            self.forget()
        return self.jobs.start(self.key("chain"), self._describe)

    def _describe(self, job: Job) -> dict[str, object]:
        chain = self.app.chain
        visible = {kind: chain.visible(kind) for kind in PAGES}
        classes = {}
        for link in chain.links:
            try:
                found = link.backend_or_class()
                found = found if isinstance(found, type) else type(found)
                classes[link.name] = f"{found.__module__}.{found.__qualname__}"
            except FrameworkError as fault:
                classes[link.name] = self.text(fault)
        return {"links": chain.links, "visible": visible, "classes": classes}

    def links(self, kind: str | None = None) -> list[Link]:
        """The links, in the order of the search; those that are asked for one kind. Empty until they are known."""
        job = self.chain()
        if not job.done or job.failure is not None:
            return []
        found: list[Link] = job.outcome["links"] if kind is None else job.outcome["visible"][kind]
        return found

    def lists(self, kind: str, *, fresh: bool = False) -> list[tuple[Link, Job]]:
        """For each link the job that lists its names; it is started if it is not there.

        Args:
            fresh: list again; a list that is still under way is not asked for twice.
        """

        def work(link: Link) -> Callable[[Job], LinkNames]:
            def work(job: Job) -> LinkNames:
                found = self._listed[kind, link.name] = listing.LinkNames(link, kind)
                with self._merging:
                    listed: list[Any] = [
                        self._listed.get((kind, one.name)) or _Unlisted(one) for one in self.links(kind)
                    ]
                    self.entries[kind] = listing.entries(listed)
                return found

            return work

        return [
            (link, self.jobs.start(self.key("list", kind, link.name), work(link), fresh=fresh))
            for link in self.links(kind)
        ]

    def refresh(self, kind: str) -> None:
        """List the names of a kind again."""
        job = self.chain()
        if job.failure is not None:
            self.jobs.start(self.key("chain"), self._describe, fresh=True)
        self.lists(kind, fresh=True)

    def check(self, *, stores: bool | None = None) -> Job:
        """What is wrong, as a job. Pointers are followed only if a person has asked for it.

        Args:
            stores: check again, with the stores or without. None: what was found last.
        """
        if stores is not None:
            self.stores_checked = stores
        offline = not self.stores_checked

        def work(job: Job) -> list[dict[str, Any]]:
            found = dict.fromkeys(problems_of(self.app, offline=offline))
            rows = []
            for one in found:
                row: dict[str, Any] = {
                    "level": one.level,
                    "code": one.code,
                    "where": self.text(one.where),
                    "what": self.text(one.what),
                }
                row["section"], row["key"] = one.name or (None, None)
                rows.append(row)
            return sorted(rows, key=lambda row: ("error", "warning", "note").index(row["level"]))

        return self.jobs.start(self.key("check"), work, fresh=stores is not None)

    def plan(self) -> Job:
        """What would be asked to resolve every pointer, as a job that asks nothing."""
        before = self.jobs.get(self.key("plan"))
        return self.jobs.start(
            self.key("plan"),
            lambda job: Plan(self.app.engine).calls(self.app.chain),
            fresh=before is not None and before.age > KEPT,
        )

    async def ready(self, kinds: Iterable[str], *others: Callable[[], Job]) -> None:
        """Give the links, their lists and other jobs the time that a page has for them. A job that had it is not
        waited for again."""
        until = monotonic() + PATIENCE
        jobs = [start() for start in others]
        await self.jobs.wait([self.chain()], until)
        for kind in kinds:
            jobs += [job for _, job in self.lists(kind)]
        await self.jobs.wait([job for job in jobs if job.seconds < PATIENCE], until)

    # What was done

    def note(self, who: str, what: str, kind: str, name: str, result: str) -> None:
        """Log what a person did. A value is never among it."""
        moment = strftime("%Y-%m-%d %H:%M:%S", localtime(time()))
        row = {"when": moment, "who": who, "what": what, "kind": kind, "name": name, "result": result}
        self.log.appendleft(row)
        line = f"explorer: {who}: {what}: {kind} {name!r}: {result}"
        log(INFO, "%s", line)
        self._report(line)

    def count_reveal(self, who: str) -> None:
        """Raises BackendUnavailable if the person has been shown many secrets in the last minute."""
        times = self._reveals.setdefault(who, deque())
        now = monotonic()
        while times and now - times[0] > 60:
            times.popleft()
        if len(times) >= REVEALS:
            raise BackendUnavailable(f"no more than {REVEALS} values are shown in a minute", hint="Wait a little.")
        times.append(now)

    # Words

    def text(self, text: object) -> str:
        """A message for a page: redacted, with paths relative to the home."""
        return short(redact_message(str(text)), self.app.home)

    def place(self, text: str) -> str:
        """A place for a page."""
        return short(text, self.app.home)


def failure_word(fault: FrameworkError) -> str:
    """One word for why a link did not list."""
    from framework.access import outcome_of

    return outcome_of(fault)
