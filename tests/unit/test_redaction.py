"""The masker: no form of a secret gets through, wherever the stream is cut."""

from __future__ import annotations

import base64
import json
import shlex
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen.domain.redaction import MASK, Redactor
from kitchen.domain.secret import Secret

CANARY = "c4n'ry/+\\\"ü &$`<:\tx"

ENCODINGS = {
    "raw": lambda value: value,
    "json": json.dumps,
    "json in json": lambda value: json.dumps(json.dumps(value)),
    "json with letters": lambda value: json.dumps(value, ensure_ascii=False),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 of a login": lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
    "base64 of a line": lambda value: base64.b64encode(f"ab{value}\n".encode()).decode(),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(f"a{value}".encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "upper hex": lambda value: value.encode().hex().upper(),
    "address": lambda value: f"postgres://u:{quote(value, safe='')}@h/d",
    "form": quote_plus,
    "shell": shlex.quote,
    "repr": repr,
    "bytes": lambda value: repr(value.encode()),
    "sql": lambda value: "'" + value.replace("'", "''") + "'",
}


def shown(redactor: Redactor, *chunks: str) -> str:
    return "".join(redactor.feed(chunk) for chunk in chunks) + redactor.finish()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_form_is_masked_at_every_split(encoding: str) -> None:
    printed = ENCODINGS[encoding](CANARY)
    text = f"before {printed} after {printed[:-1]}"
    whole = shown(Redactor([CANARY]), text)
    assert MASK in whole
    assert whole.startswith("before ")
    assert " after " in whole
    # only what stands around the secret, and the few edge letters of Base64, may remain
    left = whole.removeprefix("before ").split(" after ", maxsplit=1)[0].replace(MASK, "")
    assert len(left) <= len(ENCODINGS[encoding]("")) + 6
    for cut in range(len(text) + 1):
        assert shown(Redactor([CANARY]), text[:cut], text[cut:]) == whole


VALUES = st.lists(st.text("ab", min_size=8, max_size=14) | st.text(min_size=8, max_size=12), min_size=1, max_size=3)


@given(VALUES, st.data())
@settings(max_examples=300, deadline=None)
def test_cutting_the_stream_changes_nothing_and_no_value_gets_through(values: list[str], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sampled_from(values) | st.text("ab ", max_size=6), max_size=6))
    text = "".join(parts)
    whole = Redactor(values).redact(text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert shown(Redactor(values), *chunks) == whole
    assert shown(Redactor(values), *text) == whole
    assert not any(value in whole for value in values)
    assert all(value not in text for value in values) or MASK in whole


@given(st.text(max_size=60), st.lists(st.text(max_size=7), max_size=3))
def test_what_is_no_secret_is_not_touched(text: str, short: list[str]) -> None:
    assert shown(Redactor(short), text) == text
    assert shown(Redactor(["never-printed-anywhere"]), *text) == text


def test_overlapping_secrets_leave_nothing_between_them() -> None:
    redactor = Redactor(["abcdefgh", "efghijkl", "abcdefghij"])
    assert shown(redactor, "xabcdefghijklx") == f"x{MASK}x"
    assert shown(redactor, "xabcdef", "gh", "ij", "klx") == f"x{MASK}x"
    assert shown(redactor, "abcdefghabcdefgh") == MASK * 2


def test_lines_of_a_long_secret_are_masked_one_by_one() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7VJTU\n-----END KEY-----\n"
    for line in ("MIIEvQIBADANBgkqhkiG9w0BAQEF", "AASCBKcwggSjAgEAAoIBAQC7VJTU"):
        assert line not in Redactor([key]).redact(f"2026 INFO {line}\n")


def test_a_redactor_is_used_again_and_tells_nothing() -> None:
    redactor = Redactor([Secret(CANARY), "12345678"])
    assert shown(redactor, "1234567") == "1234567"
    assert shown(redactor, "8") == "8"
    assert "12345678" not in repr(redactor)


def test_much_output_costs_little() -> None:
    redactor = Redactor([f"secret-number-{number}" * 4 for number in range(20)] + ["x" * 5000])
    began = time.monotonic()
    for _ in range(200):
        redactor.feed("an ordinary line of output, secret-numb\n" * 100)
    redactor.finish()
    assert time.monotonic() - began < 5  # 800 kB
