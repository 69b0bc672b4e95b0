"""What the masker costs: secrets registered, a line redacted, at any number of secrets."""

from __future__ import annotations

import random
import string

from timing import Row, calls, median, milliseconds, nanoseconds, ratio

COUNTS = (1, 1_000, 100_000)
#: Secrets that all begin alike, that all end alike, and that have nothing in common.
SHAPES = {"that begin alike": "sk_live_{}", "that end alike": "{}@corp.example", "of random letters": "{}"}
LINE = (
    "2031-07-09 12:00:00,123 INFO [billing.engine] resolving [database] sql_alchemy_conn from environment variable "
    "BILLING__DATABASE__SQL_ALCHEMY_CONN_SECRET took 12.5 ms, see /etc/billing/billing.cfg or the log"
).ljust(200, ".")[:200]
ESCAPED = LINE[:170] + ' q=a%20b+c \\n\\u00e9 \\"d\\" '


def secrets(shape: str, count: int) -> list[str]:
    letters = string.ascii_letters + string.digits
    rng = random.Random(count)
    return [shape.format("".join(rng.choices(letters, k=24))) for _ in range(count)]


def rows(quick: bool) -> list[Row]:
    rounds = 7 if quick else 21
    found = [_registered(rounds)]
    for name, shape in SHAPES.items():
        found += _redacted(name, shape, rounds)
    return found


def _registered(rounds: int) -> Row:
    """The time that a new masker takes to know them all."""
    from framework.masking import Masker

    values = secrets("sk_live_{}", 1_000)

    def fill() -> None:
        masker = Masker()
        for value in values:
            masker.add_mask(value)

    times = {"fill": [taken / 1e6 for taken in calls({"fill": "fill()"}, {"fill": fill}, rounds, 1)["fill"]]}
    time = median(times, "fill")
    return Row("1,000 secrets registered", milliseconds(time), "", "at most 5 ms", time <= 5)


def _redacted(name: str, shape: str, rounds: int) -> list[Row]:
    from framework.masking import Masker

    names: dict[str, object] = {}
    expressions: dict[str, dict[str, str]] = {"plain": {}, "escaped": {}, "with a secret in it": {}}
    for count in COUNTS:
        values = secrets(shape, count)
        masker = Masker()
        for value in values:
            masker.add_mask(value)
        hit = LINE[:160] + values[0]
        assert values[0] not in masker.redact_text(hit)
        names[f"redact_{count}"] = masker.redact_text
        names[f"hit_{count}"] = hit
        expressions["plain"][f"{count}"] = f"redact_{count}({LINE!r})"
        expressions["escaped"][f"{count}"] = f"redact_{count}({ESCAPED!r})"
        expressions["with a secret in it"][f"{count}"] = f"redact_{count}(hit_{count})"
    found = []
    for line, each in expressions.items():
        times = calls(each, names, rounds, 50)
        few, many = (str(count) for count in (COUNTS[0], COUNTS[-1]))
        growth = ratio(times, many, few)
        what = f"a line of 200 characters, {line}; 100,000 secrets {name}"
        target = "a time that does not grow (1.6x)"
        found.append(Row(what, nanoseconds(median(times, many)), f"{growth:.2f}x of one secret", target, growth <= 1.6))
    return found
