"""The masker. The rows that Airflow answered are compared in tests/conformance."""

from __future__ import annotations

import base64
import datetime
import enum
import json
import logging
import logging.handlers
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from framework import App, masking
from framework.masking import REPLACEMENT, Masker, RedactingFilter

CANARY = "canary-7"
#: Every kind of letter that some spelling writes in another way.
AWKWARD = "cän/ary+\"7\" & 'sö\\n' 100%\t🔑"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quoted": quote,
    "quoted wholly": lambda text: quote(text, safe=""),
    "quoted for a form": quote_plus,
    "quoted in lower case": lambda text: lower_hex(quote(text, safe="")),
    "JSON in ASCII": lambda text: json.dumps(text)[1:-1],
    "JSON": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "repr": lambda text: repr(text)[1:-1],
    "ascii": lambda text: ascii(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 without =": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "base64 at 1": lambda text: base64.b64encode(f"u{text}v".encode()).decode(),
    "base64 at 2": lambda text: base64.b64encode(f"us{text}vw".encode()).decode(),
    "base64 at 0, inside": lambda text: base64.b64encode(f"use{text}vwx".encode()).decode(),
    "base64 for URLs at 1": lambda text: base64.urlsafe_b64encode(f"ÿ{text}?".encode()[1:]).decode(),
    "JSON in a repr": lambda text: repr(json.dumps(text))[2:-2],
    "quoted JSON": lambda text: quote(json.dumps(text)[1:-1], safe=""),
    "base64 of JSON": lambda text: base64.b64encode(json.dumps({"password": text}).encode()).decode(),
    "quoted base64": lambda text: quote(base64.b64encode(text.encode()), safe=""),
}


def lower_hex(text: str) -> str:
    first, *rest = text.split("%")
    return "%".join([first, *(piece[:2].lower() + piece[2:] for piece in rest)])


def masker_of(*secrets: Any) -> Masker:
    masker = Masker()
    for secret in secrets:
        masker.add_mask(secret)
    return masker


# -- text --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", [CANARY, AWKWARD, "five5", "日本語の鍵", "with blanks in it", "q" * 2000])
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("key=", "&next=1"), ("a ", " b"), ("{'x': '", "'}"), ("/v1/", "/x")]
)
def test_spelling(spelling: str, secret: str, before: str, after: str) -> None:
    written = SPELLINGS[spelling](secret)
    text = f"{before}{written}{after}"
    redacted = masker_of(secret).redact_text(text)
    assert written not in redacted
    assert REPLACEMENT in redacted
    if not spelling.startswith("base64") and "base64" not in spelling:  # a run of base64 has no visible ends
        assert redacted == f"{before}{REPLACEMENT}{after}"


@pytest.mark.parametrize("secret", [CANARY, AWKWARD, "日本語の鍵"])
def test_base64_hides_every_letter_that_holds_a_part(secret: str) -> None:
    for lead in range(6):
        encoded = base64.b64encode(b"x" * lead + secret.encode() + b"y" * 6).decode()
        first, last = lead * 4 // 3, -(-(lead + len(secret.encode())) * 4 // 3)
        redacted = masker_of(secret).redact_text(f"Authorization: Basic {encoded}")
        assert redacted == f"Authorization: Basic {encoded[:first]}{REPLACEMENT}{encoded[last:]}"


def test_multi_line_secrets_are_hidden_line_by_line() -> None:
    pem = "-----BEGIN KEY-----\nMIIabcdefgh\r\n  indented-line\nabc\n-----END KEY-----\n"
    masker = masker_of(pem)
    assert masker.redact_text(pem) == REPLACEMENT
    assert masker.redact_text("got MIIabcdefgh, then indented-line") == "got ***, then ***"
    assert masker.redact_text("abc") == "abc"
    assert masker.redact_text(repr(pem)) == f"'{REPLACEMENT}'"
    assert "MIIabcdefgh" not in masker.redact_text("\n".join(f"    | {line}" for line in pem.splitlines()))
    encoded = base64.b64encode(b"MIIabcdefgh").decode()
    assert encoded not in masker.redact_text(encoded)


def test_leaves_of_json_are_hidden_one_by_one() -> None:
    secret = json.dumps(
        {"type": "abc", "n": [1, {"private_key": "line-one\nline-two", "e": "clé-é"}], "u": "x://a:pass-word@h"}
    )
    masker = masker_of(secret)
    assert masker.redact_text("line-one or line-two or clé-é or pass-word or abc") == "*** or *** or *** or *** or abc"
    assert masker_of('{"broken": "value-1"').redact_text("value-1") == "value-1"
    assert masker_of("[" * 100_000).redact_text("x") == "x"


def test_password_of_a_secret_url_is_a_secret() -> None:
    masker = masker_of("postgresql://billing:p%40ss-word@db/billing")
    assert masker.redact_text("authentication failed: p@ss-word, p%40ss-word") == "authentication failed: ***, ***"
    assert masker.redact_text("user billing") == "user billing"


def test_bytes_and_numbers_are_secrets() -> None:
    masker = masker_of(b"canary\xff\xfe", 1234567, datetime.date(2031, 7, 9))
    masker.add_mask({"token": [765432, {"pin": b"bytes-1"}], "host": "host-1"})
    text = "1234567 765432 2031-07-09 bytes-1 host-1 " + base64.b64encode(b"canary\xff\xfe").decode()
    assert masker.redact_text(text) == "*** *** *** *** host-1 ***="
    half_a_letter = masker_of(b"\xa9" + "ééé".encode() + b"\xc3")
    assert "ééé" not in half_a_letter.redact_text("ééééé")


@pytest.mark.parametrize("secret", [None, True, False, "", "abcd", "éééé", "airflow", "AirFlow", "***", 1234, b"abcd"])
def test_no_secrets(secret: Any) -> None:
    assert "0 forms" in repr(masker_of(secret))


@pytest.mark.parametrize(
    ("secrets", "text", "redacted"),
    [
        (["abcdef", "defghi"], "abcdefghi", "***"),
        (["abcdef", "cdefg", "fghij"], "xabcdefghijx", "x***x"),
        (["abcde", "abcdefgh"], "abcdefgh abcde", "*** ***"),
        (["abcde", "fghij"], "abcdefghij", "******"),
        (["aaaaa"], "aaaaaaaaaaaa", "******aa"),
        (["a***b"], "aa***bb", "***"),
        (["*****"], "*" * 20, "****"),
        (["SEC RET"], "x://uSEC RET:pw@h", "x://u***:***@h"),
    ],
)
def test_overlaps(secrets: list[str], text: str, redacted: str) -> None:
    assert masker_of(*secrets).redact_text(text) == redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgresql://u:p@h/db", "postgresql://u:***@h/db"),
        ("redis://:p@h", "redis://:***@h"),
        ("x://u:p:q@h y://u2:r@h2", "x://u:***@h y://u2:***@h2"),
        ("a=x://u:p@h,y://v:q@i", "a=x://u:***@h,y://v:***@i"),
        ("x://u:p@ss/w?o#rd@h", "x://u:***@h"),
        ('{"url":"x://u:p@h","mail":"a@b"}', '{"url":"x://u:***@h","mail":"a@b"}'),
        ('x://u:p"q@h', "x://u:***@h"),
        ("x%3A%2F%2Fu%3Ap%40h", "x%3A%2F%2Fu%3A***%40h"),
        ('"x:\\/\\/u:p@h"', '"x:\\/\\/u:***@h"'),
        ("x://u:1234@h", "x://u:***@h"),
        ("x://u:***@h", "x://u:***@h"),
        *[(same, same) for same in (
            "x://u@h", "x://u:@h", "http://h:80/a@b", "ws://h:80?a@b", "https://h/p:q@r", "http://u@h:80/a@b",
            "x://[::1]:80/a@b",
            "x://", "://", "x:// u:p@h", "a:b@c", "", "100% \\ plain",
        )],
    ],
)  # fmt: skip
@pytest.mark.parametrize("secrets", [[], [CANARY]])
def test_passwords_in_urls(secrets: list[str], text: str, redacted: str) -> None:
    assert masker_of(*secrets).redact_text(text) == redacted


def test_long_texts_and_secrets_across_blocks() -> None:
    masker = masker_of(CANARY, "x" * 3000)
    for at in range(490, 530):
        assert masker.redact_text("-" * at + CANARY + "-" * 600) == "-" * at + REPLACEMENT + "-" * 600
    assert masker.redact_text("a" + "x" * 3000 + "b") == "a***b"


#: Letters that make escapes, URLs, base64 and replacements likely.
LETTERS = st.text(st.sampled_from("abcZ09*/+-_=%\\\"'nux4 :@é🔑\n\x00\ud83d") | st.characters(), max_size=30)


@given(st.text(min_size=5, max_size=12) | LETTERS.filter(lambda text: len(text) >= 5), LETTERS, LETTERS)
@example("a***b", "a", "b")
@example("*****", "*****", "**")
@example("\\u0041", "\\", "")
def test_no_secret_is_left(secret: str, before: str, after: str) -> None:
    assume(secret.lower() != "airflow")
    masker = masker_of(secret)
    redacted = masker.redact_text(before + secret + after)
    assert secret not in redacted
    assert masker.redact_text(redacted) == redacted


# -- names, structures, merge ------------------------------------------------------------------


class Colour(enum.Enum):
    RED = CANARY


def test_structures_hide_more_than_airflow() -> None:
    masker = masker_of(CANARY, 1234567)
    value = {
        "password": [5, 1.5, b"x", datetime.date(2031, 7, 9), object(), None, True],
        "deep": [[[[[[[[CANARY]]]]]]]],
        "bytes": b"a " + CANARY.encode(),
        "number": 1234567,
        "error": ValueError(CANARY),
        "colour": Colour.RED,
        "class": Colour,
        "plain": 7,
    }
    redacted = masker.redact(value)
    assert redacted["password"] == [REPLACEMENT] * 5 + [None, True]
    assert redacted["bytes"] == b"a ***"
    assert (redacted["number"], redacted["plain"], redacted["class"]) == (REPLACEMENT, 7, Colour)
    assert CANARY not in repr(redacted)


def test_structures_without_an_end() -> None:
    value: dict[str, Any] = {"a": [CANARY]}
    value["a"].append(value)
    assert masker_of(CANARY).redact(value) == {"a": [REPLACEMENT, REPLACEMENT]}
    shared = [CANARY]
    assert masker_of(CANARY).redact([shared, shared]) == [[REPLACEMENT], [REPLACEMENT]]
    deep: Any = CANARY
    for _ in range(5000):
        deep = [deep]
    assert CANARY not in repr(masker_of(CANARY).redact(deep))


def test_names_of_an_application() -> None:
    masker = Masker()
    masker.configure(names=["My-Key", " ", ""], app="billing")
    assert [masker.should_hide_value_for_name(name) for name in ("x_my key", "MY_KEY", "mykey", "other", "", None)] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
    masker.add_mask("billing")
    masker.add_mask("airflow")
    assert masker.redact_text("billing airflow") == "billing ***"
    masker.reset()
    assert masker.redact_text("airflow") == "airflow"
    assert not masker.should_hide_value_for_name("my_key")


def test_another_shortest_length() -> None:
    masker = masker_of("12345", "123456789")
    masker.configure(min_length=8)
    assert masker.redact_text("12345 123456789") == "12345 ***"
    masker.configure(min_length=3)
    masker.add_mask("abc")
    assert masker.redact_text("xabcx 123456789 " + base64.b64encode(b"abc").decode()) == "x***x *** ***"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just("x://u:pw@h") | st.just(f"is {CANARY}"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["password", "a", "b", "token"]), inner, max_size=3)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES)
def test_merge_restores_what_redact_hid(value: Any) -> None:
    masker = masker_of(CANARY)
    assert masker.merge(masker.redact(value), value) == value


def test_no_secret_in_a_repr() -> None:
    assert repr(masker_of(CANARY)) == "<Masker of 1 forms>"


# -- logging -----------------------------------------------------------------------------------


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The logger `shop.till`, guarded as every other; afterwards all is as it was."""
    factory, root_handlers = logging.getLogRecordFactory(), logging.root.handlers[:]
    masking.reset()
    masking.add_mask(CANARY)
    masking.install()
    logger = logging.getLogger("shop.till")
    logger.setLevel(logging.DEBUG)
    yield logger
    logging.setLogRecordFactory(factory)
    for at in (logger, logging.getLogger("shop")):
        at.handlers.clear()
        at.propagate = True
    logging.root.handlers[:] = root_handlers
    for handler in [*root_handlers, *filter(None, [logging.lastResort])]:
        for added in [each for each in handler.filters if isinstance(each, RedactingFilter)]:
            handler.removeFilter(added)
    masking.reset()


class Sink(logging.Handler):
    """Keeps what a formatter makes, and every field of the record, as a JSON formatter would."""

    def __init__(self, layout: str = "%(message)s") -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(layout))
        self.lines: list[str] = []
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        try:
            self.lines.append(self.format(record))
        except Exception:
            self.handleError(record)

    def everything(self) -> str:
        errors = [repr(record.exc_info[1]) for record in self.records if record.exc_info]
        return "\n".join([*self.lines, *(repr(vars(record)) for record in self.records), *errors])


class Shows:
    def __str__(self) -> str:
        return "fine"

    def __repr__(self) -> str:
        return f"Shows({CANARY})"


@pytest.mark.parametrize(
    ("message", "args", "line"),
    [
        (f"is {CANARY}", (), "is ***"),
        ("is %s", (CANARY,), "is ***"),
        ("is %(a)s", ({"a": CANARY, "b": CANARY},), "is ***"),
        ("is canary%s", ("-7",), "is ***"),
        ("is %r", (Shows(),), "is Shows(***)"),
        ("is %s", (["x", CANARY],), "is ['x', '***']"),
        (ValueError(CANARY), (), "***"),
        ("%s %d %.1f", (CANARY, 7, 1.5), "*** 7 1.5"),
        ("nothing of it: %d%%", (7,), "nothing of it: 7%"),
        (f"100%s {CANARY}%%", ("%",), "100% ***%"),
    ],
)
def test_log_message(logger: logging.Logger, message: Any, args: tuple[Any, ...], line: str) -> None:
    sink = Sink()
    logger.addHandler(sink)
    logger.info(message, *args)
    assert sink.lines == [line]
    assert CANARY not in sink.everything().replace("Shows(canary-7)", "")


def test_log_keeps_arguments_that_show_nothing(logger: logging.Logger) -> None:
    """uvicorn's formatter, for one, takes a record's arguments apart."""
    sink = Sink()
    logger.addHandler(sink)
    logger.info('%s - "%s %s" %d', "10.0.0.1", "GET", f"/?key={CANARY}", 200)
    assert sink.records[0].args == ("10.0.0.1", "GET", "/?key=***", 200)
    assert sink.records[0].msg == '%s - "%s %s" %d'


def test_log_exception_and_stack(logger: logging.Logger) -> None:
    sink = Sink()
    logger.addHandler(sink)
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise ValueError("outer") from error
    except ValueError:
        logger.exception("failed", stack_info=True)
    sink.records[0].stack_info = f"Stack: {CANARY}"
    logger.handle(sink.records[0])
    assert "Traceback" in sink.lines[0]
    assert "KeyError: '***'" in sink.lines[0]
    assert "ValueError: outer" in sink.lines[0]
    assert "Stack (most recent call last)" in sink.lines[0]
    assert "Stack: ***" in sink.lines[1]
    assert CANARY not in sink.everything()


def test_log_exception_without_a_secret_stays(logger: logging.Logger) -> None:
    sink = Sink()
    logger.addHandler(sink)
    error = ValueError("harmless")
    logger.error("failed", exc_info=error)
    assert sink.records[0].exc_info == (ValueError, error, None)
    assert "ValueError: harmless" in sink.lines[0]


def test_log_extra_fields(logger: logging.Logger) -> None:
    sink = Sink("%(message)s %(where)s %(password)s")
    logger.addHandler(sink)
    logger.info("m", extra={"where": f"x {CANARY}", "password": "pw", "many": [CANARY], "count": 3})
    assert sink.lines == ["m x *** ***"]
    assert sink.records[0].count == 3  # type: ignore[attr-defined]
    assert CANARY not in sink.everything()


def test_log_handlers_old_and_late_of_every_logger(logger: logging.Logger) -> None:
    sinks = {}
    for at in (logger, logging.getLogger("shop"), logging.root):
        sinks[at] = Sink()
        at.addHandler(sinks[at])
    logger.info(CANARY)
    logging.getLogger("shop").propagate = False
    logger.info(CANARY)
    assert [sink.lines for sink in sinks.values()] == [["***", "***"], ["***", "***"], ["***"]]
    assert all(len(sink.filters) == 1 for sink in sinks.values())


def test_log_through_a_queue(logger: logging.Logger) -> None:
    records: queue.Queue[Any] = queue.Queue()
    logger.addHandler(logging.handlers.QueueHandler(records))
    logger.info("is %s", CANARY)
    assert CANARY not in repr(vars(records.get_nowait()))


def test_log_message_that_does_not_fit(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    sink = Sink()
    logger.addHandler(sink)
    logger.propagate = False  # to pytest's own handler, which raises what others report
    logger.info("%d of it", CANARY)
    logger.info("%s", type("Bad", (), {"__str__": lambda self: 1 / 0})())
    shown = capsys.readouterr().err
    assert CANARY not in shown + sink.everything()
    assert "%d of it" in shown + sink.everything()


def test_log_of_one_logger_only(logger: logging.Logger) -> None:
    logging.setLogRecordFactory(logging.LogRecord)
    masking.install(logger)
    late, other = Sink(), Sink()
    logger.addHandler(late)
    logging.getLogger("shop").addHandler(other)
    logger.info("x")
    assert len(late.filters) == 1
    assert not other.filters


def test_log_filter_in_a_dict_config(logger: logging.Logger) -> None:
    import logging.config

    filters = {"redact": {"()": "framework.masking.RedactingFilter"}}
    handlers = {"h": {"class": "logging.NullHandler", "filters": ["redact"]}}
    logging.config.dictConfig({
        "version": 1, "disable_existing_loggers": False, "filters": filters, "handlers": handlers,
        "loggers": {"shop.till": {"handlers": ["h"]}},
    })  # fmt: skip
    assert isinstance(logger.handlers[0].filters[0], RedactingFilter)


# -- what it costs -----------------------------------------------------------------------------


def test_import_and_registering_load_nothing() -> None:
    code = (
        "import sys, framework.masking as m; m.add_mask('canary-7'); m.add_mask('a\\nb');"
        "m.redact_text('x://u:p@h canary-7');"
        "print(*sorted({'re', 'json', 'logging', 'base64', 'urllib.parse', 'typing', 'threading', 'traceback', 'enum'}"
        " & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("shape", ["sk_live_{:06d}aBc", "{:06d}@shared-ending", "sk_{:06d}_end"])
def test_a_look_up_does_not_grow_with_the_secrets(shape: str) -> None:
    """The lengths filed under one ending are all that a text is compared with."""
    masker = masker_of(*(shape.format(number) for number in range(5000)))
    assert max(map(len, masker._index.lengths.values())) == 1
    assert masker.redact_text(f"x {shape.format(77)} {shape.format(6000)}") == f"x *** {shape.format(6000)}"


def test_registering_while_redacting() -> None:
    masker = Masker()
    secrets = [f"secret-number-{number}" for number in range(3000)]
    failures: list[str] = []

    def redact() -> None:
        while not done.is_set():
            known = secrets[: registered[0]]
            failures.extend(secret for secret in known[-1:] if secret in masker.redact_text(f"is {secret}"))

    registered, done = [0], threading.Event()
    threads = [threading.Thread(target=redact) for _ in range(3)]
    for thread in threads:
        thread.start()
    for secret in secrets:
        masker.add_mask(secret)
        registered[0] += 1
    done.set()
    for thread in threads:
        thread.join()
    assert not failures


C = "Zq7Hunter2Canary"


@pytest.mark.parametrize(
    "text",
    [
        "postgres://me@server:C@h/db", "postgres://u:12/C@h/db", "postgres://u:9#C@h", "postgres://u:ab://C@h/db",
        "postgres://u/x:C@h", "postgresql://h/db?password=C", "https://h/?token=C", "sqlserver://h;password=C",
        "https://h/?a=b&api_key=C#x", "https://me@corp:C@h", '{"u": "https://h/?token=C"}', "http://u:123456/C@h",
    ],
)  # fmt: skip
def test_more_passwords_in_urls(text: str) -> None:
    masker = Masker()
    assert C not in masker.redact_text(text.replace("C", C))
    masker.add_mask(text.replace("C", C))
    if not any(before in text for before in ("2/C", "9#C", "/C@", "6/C")):  # else it is only a part of the password
        assert C not in masker.redact_text(f"it is {C}")


def test_parts_of_a_url_that_are_not_a_password() -> None:
    masker = masker_of("sqlite://")
    for text in (
        "sqlite:///a.db", "TYPE://LOGIN:PASSWORD@HOST:PORT", '{"a":"postgres://h:5432/db","mail":"a@b"}',
        "https://h/?page=2&sort=up", "postgres://h:5432/db?sslmode=require", "file:///a:b@c",
    ):  # fmt: skip
        assert masker.redact_text(text) == text


def test_urls_take_a_time_that_grows_with_their_length_alone() -> None:
    import time

    for piece in ("a://b:", "&token=C", "?token=", "="):
        start = time.thread_time()  # the work, however busy the machine is
        Masker().redact_text("x://" + piece * 20_000)
        assert time.thread_time() - start < 3


@pytest.mark.parametrize(
    ("message", "args", "line"),
    [
        ("token %.5s", (CANARY,), "token ***"),
        ("%(a).5s", ({"a": CANARY},), "***"),
        ("%d%% of x://u:%s@h", (1234567, "pw"), "***% of x://u:***@h"),
    ],
)
def test_log_never_restores_what_it_hid(logger: logging.Logger, message: str, args: Any, line: str) -> None:
    masking.add_mask(1234567)
    sink = Sink()
    logger.addHandler(sink)
    logger.error(message, *args)
    assert sink.lines == [line]


def test_of_json_only_texts_that_say_where_to_look_are_not_secret() -> None:
    settings = {
        "endpoint": {"address": "hunter2-address", "password": "hunter2-nested"},
        "context": {"token": "hunter2-token"},
        "webhook_endpoint": "https://hooks.example/hunter2-hook",
        "mount_point": "billing",
        "variables_file_path": "secrets/variables.json",
        "namespace": ["hunter2-list"],
    }
    masking.add_mask(json.dumps(settings))
    for secret in ("hunter2-address", "hunter2-nested", "hunter2-token", "https://hooks.example/hunter2-hook"):
        assert masking.redact_text(f"here: {secret}") == "here: ***"
    assert masking.redact_text("hunter2-list") == "***"
    for place in ("billing/data/x", "secrets/variables.json"):
        assert masking.redact_text(place) == place


@pytest.mark.parametrize(
    "secret", ["secret", "region_name", "renew", "Check", "token_path", "approle", "backend", "host"]
)
def test_our_own_words_stay_whatever_is_secret(secret: str) -> None:
    from framework.backends import aws, vault  # noqa: F401 - whose arguments these are
    from framework.backends.aws import SystemsManagerParameterStoreBackend
    from framework.errors import BackendError

    masking.add_mask(secret)
    fault = SystemsManagerParameterStoreBackend().failed("NoCredentialsError", "", "AWS SSM x")
    assert str(fault).endswith(
        "Set profile_name, or aws_access_key_id and aws_secret_access_key, or give this machine a role."
    )
    fault = BackendError(
        "a_kwarg is wrong", where="billing.cfg:3: [secrets] backend", hint="It has region_name, token_path."
    )
    assert "[secrets] backend: " in str(fault)
    assert str(fault).endswith("It has region_name, token_path.")


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("", "the backend said 'hunter' to us"),
        ("/run/secret/hunter", "hunter cannot be read"),
        ("", "postgres://bob:hunter@db and postgres://bob:token_path@db"),
        ("", "https://h/?password=token_path"),
        ("", "a hunter and a secret of hunter, secret 2"),
        ("", "say the secret of hunters"),
    ],
)
def test_what_comes_from_outside_is_searched(where: str, what: str) -> None:
    from framework.backends import vault  # noqa: F401 - token_path is an argument of its
    from framework.errors import ConfigError

    masking.add_mask("hunter")
    masking.add_mask("token_path")
    masking.add_mask("the secret of hunters")
    shown = str(ConfigError(what, where=where, hint="Check token_path."))
    assert "hunter" not in shown
    assert ":token_path" not in shown and "=token_path" not in shown
    assert shown.endswith("Check token_path.")


@pytest.mark.parametrize("secret", ["postgresql", "metastore", "broker_url", "celery", "mysql"])
def test_names_of_links_options_and_schemes_stay_whatever_is_secret(secret: str, tmp_path: Path) -> None:
    from framework import App
    from framework.errors import BackendUnavailable

    masking.add_mask(secret)
    for place in ("postgresql://db.example/airflow", "mysql+pymysql://db.example/airflow"):
        message = f"metastore: connection 'x' at {place}: the database does not answer"
        assert str(BackendUnavailable("the database does not answer", where=message.rpartition(": ")[0])) == message
    explained = str(App("airflow", environ={"AIRFLOW_HOME": str(tmp_path)}).conf.explain("celery", "broker_url"))
    assert explained.startswith("[celery] broker_url\n")


def test_a_scheme_is_a_word_before_a_url_and_nothing_else() -> None:
    from framework.errors import ConfigError

    masking.add_mask("hunter")
    for text in ("hunter:// or", "say=hunter://x", "u:hunter://x", "hunter+x", "hunter2://x", "a/hunter://b"):
        shown = str(ConfigError(text))
        assert ("hunter" in shown) is text.startswith("hunter://"), shown


def test_a_message_is_redacted_while_another_thread_builds_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    from framework.errors import ConfigError
    from framework.masking import known, wording

    class Name(str):
        """While it is looked at, another name is added."""

        def isidentifier(self) -> bool:
            known.argument_names.add("another_argument")
            return True

    class Text(str):
        """While it is looked for, another text is added."""

        def __len__(self) -> int:
            wording._texts.add("another text of ours")
            return super().__len__()

    monkeypatch.setattr(known, "argument_names", {Name("an_argument")})
    monkeypatch.setattr(wording, "_texts", {Text("a text of ours")})
    masking.add_mask("hunter")
    assert (
        str(ConfigError("hunter, a text of ours", hint="Set an_argument.")) == "***, a text of ours. Set an_argument."
    )


def test_our_words_survive_pickling() -> None:
    import pickle

    from framework.backends.aws import SystemsManagerParameterStoreBackend

    masking.add_mask("aws_secret")
    fault = SystemsManagerParameterStoreBackend().failed("NoCredentialsError", "", "AWS SSM aws_secret_of_mine")
    again = pickle.loads(pickle.dumps(fault))
    assert str(again) == str(fault)
    assert again.where == "AWS SSM ***_of_mine"
    assert "aws_secret_access_key" in again.hint


@pytest.mark.parametrize("name", ["a.toml", "a.yaml", "a.json"])
@pytest.mark.parametrize("value", ['{"plain": "leaf-canary"}', '["leaf-canary", 1]', '{"a": [{"b": ["leaf-canary"]}]}'])
def test_every_text_in_a_sensitive_table_is_a_secret(tmp_path: Path, name: str, value: str) -> None:
    written = {"a.toml": f"[api]\ntable = {value.replace(': ', ' = ')}\n", "a.json": f'{{"api": {{"table": {value}}}}}'}
    path = tmp_path / name
    path.write_text(written.get(name, f"api:\n  table: {value}\n"))
    app = App("billing", home=str(tmp_path), config_files=[str(path)], sensitive=["api.*"], environ={})
    assert "leaf-canary" in app.conf.get("api", "table")
    assert masking.redact_text("x leaf-canary y") == "x *** y"
