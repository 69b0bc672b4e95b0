"""Problems in the formats of pipelines: GitHub's annotations, GitLab's code quality, JUnit and SARIF."""

from __future__ import annotations

from framework.cli.output import as_json, machine, short
from framework.inspection.problem import CODES, Problem
from framework.masking.search import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The annotations that GitHub shows for one step.
_ANNOTATIONS = 10
_LEVELS = ("error", "warning", "note")
#: Where a problem is put that is in no file, such as one of a variable: these formats want a file.
_NO_FILE = ("pyproject.toml", 1)
_SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def print_report(problems: list[Problem], format: str) -> None:
    """Print problems, errors first.

    Args:
        problems: redacted.
        format: github, gitlab, junit or sarif.
    """
    ordered = sorted(problems, key=lambda one: _LEVELS.index(one.level))
    if format == "github":
        _github(ordered)
    elif format == "junit":
        machine(_junit(ordered))
    else:
        machine(as_json(_gitlab(ordered) if format == "gitlab" else _sarif(ordered)))


def _place(one: Problem) -> tuple[str, int] | None:
    found = one.file
    return (short(found[0]), found[1]) if found else None


def _text(one: Problem, *, with_place: bool) -> str:
    where = f"{short(one.where)}: " if with_place and one.where else ""
    return f"{where}{short(one.what)}"


# GitHub: docs.github.com, "Workflow commands for GitHub Actions"


def _github(problems: list[Problem]) -> None:
    for one in problems[:_ANNOTATIONS]:
        place = _place(one)
        properties = {"file": place[0], "line": str(place[1])} if place else {}
        properties["title"] = "framework check"
        listed = ",".join(f"{name}={_github_property(text)}" for name, text in properties.items())
        level = "notice" if one.level == "note" else one.level
        machine(f"::{level} {listed}::{_github_text(_text(one, with_place=place is None))} ({one.code})")
    rest = problems[_ANNOTATIONS:]
    if rest:
        machine(f"and {len(rest)} more:")
        for one in rest:
            machine(f"{one.level}: {_text(one, with_place=True)}")


def _github_text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_text(text).replace(":", "%3A").replace(",", "%2C")


# GitLab: docs.gitlab.com, "Code Quality", its report format


def _gitlab(problems: list[Problem]) -> list[dict[str, object]]:
    severities = {"error": "major", "warning": "minor", "note": "info"}
    report: list[dict[str, object]] = []
    for one, fingerprint in zip(problems, _fingerprints(problems), strict=True):
        place = _place(one)
        path, line = place or _NO_FILE
        report.append(
            {
                "description": _text(one, with_place=place is None),
                "check_name": one.code,
                "fingerprint": fingerprint,
                "severity": severities[one.level],
                "location": {"path": path, "lines": {"begin": line}},
            }
        )
    return report


def _fingerprints(problems: list[Problem]) -> list[str]:
    """What a problem is known by from one run to the next: neither lines nor messages, which change, and no value."""
    from hashlib import sha256

    seen: dict[str, int] = {}
    found = []
    for one in problems:
        place = _place(one)
        parts = (one.code, place[0] if place else one.where, *(one.name or ()))
        identity = "\0".join(map(str, parts))
        seen[identity] = seen.get(identity, 0) + 1
        found.append(sha256(f"{identity}\0{seen[identity]}".encode("utf-8", "backslashreplace")).hexdigest())
    return found


# JUnit, as Jenkins and others read it


def _junit(problems: list[Problem]) -> str:
    from xml.sax.saxutils import quoteattr

    cases = []
    for one in problems:
        place = _place(one)
        name = f"[{one.name[0]}] {one.name[1]}" if one.name else short(one.where) or one.code
        opening = f"<testcase classname={quoteattr(f'framework.check.{one.code}')} name={quoteattr(visible(name))}"
        if place:
            opening += f" file={quoteattr(place[0])} line={quoteattr(str(place[1]))}"
        text = quoteattr(_text(one, with_place=True))
        inner = (
            f"<failure type={quoteattr(one.code)} message={text}/>"
            if one.level == "error"
            else f"<skipped message={text}/>"
        )
        cases.append(f"    {opening}>{inner}</testcase>")
    failures = sum(one.level == "error" for one in problems)
    if not cases:
        cases = ['    <testcase classname="framework.check" name="configuration"/>']
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="{len(problems) - failures}"'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<testsuites>",
            f'  <testsuite name="framework check" {counts}>',
            *cases,
            "  </testsuite>",
            "</testsuites>",
        ]
    )


# SARIF 2.1.0, as GitHub's code scanning reads it


def _sarif(problems: list[Problem]) -> dict[str, object]:
    import framework

    codes = list(dict.fromkeys(one.code for one in problems))
    driver = {
        "name": "framework",
        "version": framework.__version__,
        "rules": [_sarif_rule(code) for code in codes],
    }
    pairs = zip(problems, _fingerprints(problems), strict=True)
    results = [_sarif_result(one, fingerprint, codes.index(one.code)) for one, fingerprint in pairs]
    return {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _sarif_rule(code: str) -> dict[str, object]:
    """A rule with all that GitHub asks for (`GH2012` of Microsoft's validator)."""
    text = f"{CODES[code][0].upper()}{CODES[code][1:]}."
    advice = f"{text} What to do about it: the message, and docs/reference/checks.md under `{code}`."
    return {
        "id": code,
        "shortDescription": {"text": CODES[code]},
        "fullDescription": {"text": text},
        "help": {"text": advice, "markdown": advice},
    }


def _sarif_result(one: Problem, fingerprint: str, rule: int) -> dict[str, object]:
    from urllib.parse import quote

    place = _place(one)
    path, line = place or _NO_FILE
    uri = f"file://{quote(path)}" if path.startswith("/") else quote(path)
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": max(1, line)}}
    }
    if place is None and one.where:
        location["logicalLocations"] = [{"fullyQualifiedName": short(one.where)}]
    return {
        "ruleId": one.code,
        "ruleIndex": rule,
        "level": one.level,
        "message": {"text": _text(one, with_place=place is None)},
        "locations": [location],
        "partialFingerprints": {"framework/v1": fingerprint},
    }
