"""One message about a link that does not answer, instead of one for every option."""

from __future__ import annotations

from framework.errors import BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.errors import FrameworkError

    Names = list[tuple[str, str]]
    Failures = dict[tuple[str, str], FrameworkError]


def outages(failures: Failures) -> dict[str, Names]:
    """Messages about links that do not answer: one for all the options, two or more, that failed because of it."""
    from framework.chain.deadline import NOT_ASKED_AGAIN

    found: dict[tuple[str, str, str], Names] = {}
    for name, failure in failures.items():
        fault = failure.__cause__
        if isinstance(fault, BackendUnavailable) and fault.where:
            what = fault.what.removesuffix(NOT_ASKED_AGAIN)  # it is one outage
            found.setdefault((fault.where.partition(":")[0], what, fault.hint), []).append(name)
    return {
        f"{link}: {what}. {hint} Not resolved because of it: {_listed(names)}.": names
        for (link, what, hint), names in found.items()
        if len(names) > 1
    }


def _listed(names: Names) -> str:
    return ", ".join(f"[{section}] {key}" for section, key in names)
