"""A stream is redacted as the whole would be, wherever it is cut, and nothing waits that cannot be a secret."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hostile import examples
from hostile_values import PEM
from hypothesis import given
from hypothesis import strategies as st

from framework.masking.masker import Masker
from framework.masking.stream import Stream

SECRETS = ("s3cr3t-value", 'with "quotes" \\ and ü', "two words", PEM, "4711-4711", "abcab-abcab-abcac", "🔑 key 🔑")


def known() -> Masker:
    made = Masker()
    for secret in SECRETS:
        made.add_mask(secret)
    return made


MASKER = known()


def forms(secret: str) -> list[str]:
    data = secret.encode()
    return [
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret))[1:-1],
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        repr(data)[2:-1],
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        urllib.parse.quote(json.dumps(secret)),
        base64.b64encode(data).decode(),
        base64.b64encode(b"xy" + data + b"z").decode(),
        base64.b64encode(json.dumps({"a": secret}).encode()).decode(),
        f"postgres://user:{urllib.parse.quote(secret, safe='')}@host/db",
    ]


SPELLED = [form for secret in SECRETS for form in forms(secret)]
NOISE = ["\n", " ", "hello", "100%", "\\", "\\\\", "=", "://", "http://host:80/path?token=abc", "@", "s3cr3", "t-value"]
NOISE += ["postgres://u:", "@h/db", ":", "%"]
texts = st.lists(st.one_of(st.sampled_from(SPELLED + NOISE), st.text(max_size=4)), max_size=6).map("".join)


def streamed(data: bytes, cuts: list[int]) -> bytes:
    stream = Stream(MASKER)
    places = sorted({min(cut, len(data)) for cut in cuts})
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    return b"".join([*map(stream.feed, pieces), stream.close()])


def whole(data: bytes) -> bytes:
    return streamed(data, [])


@pytest.mark.parametrize("spelled", SPELLED)
def test_a_secret_that_comes_byte_by_byte(spelled: str) -> None:
    data = f"before {spelled} after\n".encode()
    assert b"***" in whole(data)
    assert streamed(data, list(range(len(data)))) == whole(data) == MASKER.redact_bytes(data)


@pytest.mark.parametrize("spelled", SPELLED)
def test_a_secret_that_is_cut_once_anywhere(spelled: str) -> None:
    data = f"x={spelled}\n".encode()
    for cut in range(len(data)):
        assert streamed(data, [cut]) == MASKER.redact_bytes(data), cut


@examples(300)
@given(texts, st.lists(st.integers(0, 400), max_size=12))
def test_any_text_cut_anywhere(text: str, cuts: list[int]) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert streamed(data, cuts) == MASKER.redact_bytes(data)


@pytest.mark.parametrize(
    "text",
    [
        'postgres://user:a%20]=with "quotes" \\ and üb@h/db',  # replaced, it is one word, and a password
        "x://user:s3cr3t-value@host/db\\U0001f511 key \\U0001f5114711-4711=@ ",
        "x://u:two words two words@h two wordsx://u:two wordsp@h",
        "x://u:" + PEM + "p@h/db",
        "x://u:" + base64.b64encode(b"xy" + PEM.encode()).decode() + "two words@h/db\n",
    ],
)
def test_a_replacement_that_joins_words_is_cut_nowhere(text: str) -> None:
    data = text.encode()
    for cut in range(len(data)):
        assert streamed(data, [cut]) == MASKER.redact_bytes(data), cut
    assert streamed(data, list(range(len(data)))) == MASKER.redact_bytes(data)


@pytest.mark.parametrize(
    "piece", [b"started\n", b"Continue? [y/N] ", b"> ", b'{"id": 1}', b"listening on 127.0.0.1:80\n", b"\x1b[0m\n"]
)
def test_what_cannot_be_a_secret_goes_on_at_once(piece: bytes) -> None:
    assert Stream(MASKER).feed(piece) == piece


def test_what_may_become_a_secret_waits_until_it_cannot() -> None:
    stream = Stream(MASKER)
    assert stream.feed(b"key: s3c") == b"key: "
    assert stream.feed(b"ond\n") == b"s3cond\n"
    assert stream.feed(b"key: s3c") == b"key: "
    assert stream.feed(b"r3t-value\n") == b"***\n"


def test_a_secret_that_is_known_later_counts_from_then_on() -> None:
    masker = Masker()
    stream = Stream(masker)
    assert stream.feed(b"new-secret\n") == b"new-secret\n"
    masker.add_mask("new-secret")
    assert stream.feed(b"new-secret\n") == b"***\n"


def test_an_endless_word_does_not_wait_for_its_end() -> None:
    stream = Stream(MASKER)
    out = stream.feed(b"http://" + b"a" * 1_000_000)
    assert len(out) > 900_000
    assert out + stream.close() == b"http://" + b"a" * 1_000_000


def test_bytes_that_are_not_text_are_copied() -> None:
    data = bytes(range(256)) * 4
    assert streamed(data, [100, 300]) == data


def test_a_replacement_that_completes_a_secret() -> None:
    masker = Masker()
    for secret in ("@ é *", '"é*:@"', "aaaaaa"):
        masker.add_mask(secret)
    for text in ('x@ é "é*:@" y', "x@ é aaaaaa y", "@ é @ é aaaaaa"):
        data = text.encode()
        for cut in range(len(data)):
            stream = Stream(masker)
            assert stream.feed(data[:cut]) + stream.feed(data[cut:]) + stream.close() == masker.redact_bytes(data), cut
