"""Comma lists, parameters, quotes, escapes, and what a hostile value may cost."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.syntax import (
    Address,
    EventHeader,
    SIPSyntaxError,
    Via,
    parse_parameters,
    received_via,
    split_commas,
    unescape,
)

LONG = 60_000
"""As much as one datagram holds."""


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("", [""]),
        (" a ", ["a"]),
        ("a, b,c", ["a", "b", "c"]),
        ('"x, y" <sip:a@b>, <sip:c@d;e=1,2>', ['"x, y" <sip:a@b>', "<sip:c@d;e=1,2>"]),
        ('"a\\", b", c', ['"a\\", b"', "c"]),
        ("a,,b", ["a", "", "b"]),
    ],
)
def test_commas_count_outside_quotes_and_brackets(value: str, items: list[str]) -> None:
    assert split_commas(value) == items


@pytest.mark.parametrize("value", ['"a, b', "<sip:a, b", 'a, "b\\"'])
def test_what_is_not_closed_is_an_error(value: str) -> None:
    with pytest.raises(SIPSyntaxError):
        split_commas(value)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", {}),
        (";a=1;b;C=\"x; \\\"y\\\"\"", {"a": "1", "b": None, "c": 'x; "y"'}),
        (" ; a = 1 ; ; b = ", {"a": "1", "b": ""}),
        (";a=1;A=2", {"a": "1"}),
        (";received=2001:db8::1;x=a=b", {"received": "2001:db8::1", "x": "a=b"}),
    ],
)  # fmt: skip
def test_parameters(text: str, parameters: dict[str, str | None]) -> None:
    assert parse_parameters(text) == parameters


@pytest.mark.parametrize("text", ["a=1", ';a="x', ";a=1 b", ';a="x"y', ";=1", ";\u00e4=1"])
def test_bad_parameters(text: str) -> None:
    with pytest.raises(SIPSyntaxError):
        parse_parameters(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [("a", "a"), ("%41", "A"), ("%2541", "%41"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz"),
     ("%00x", "\x00x"), ("%c3%a9", "\u00e9"), ("%ff%41", "%FF%41")],
)  # fmt: skip
def test_unescape_once(text: str, plain: str) -> None:
    assert unescape(text) == plain


@given(st.text() | st.text(' ";=,<>\\a'))
def test_any_text_is_cut_or_is_a_syntax_error(text: str) -> None:
    unescape(text)
    for parse in (split_commas, parse_parameters):
        try:
            parse(text)
        except SIPSyntaxError:
            continue


def _received(text: str) -> str:
    return received_via(text, Via.parse(text), ("192.0.2.9", 5060))


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (Address.parse, "a" + " " * LONG + "b"),
        (Address.parse, "\x0b" * LONG),
        (Address.parse, '"' + '\\"' * (LONG // 2)),
        (Address.parse, "<sip:a@b>" + ";" * LONG + "\x00"),
        (Address.parse, "sip:" + "a" * LONG + " " * LONG + "x"),
        (split_commas, "," + "<" * LONG),
        (split_commas, ',"' + '\\"' * (LONG // 2)),
        (parse_parameters, ";" + " " * LONG + "\x00"),
        (parse_parameters, ";a" * (LONG // 2) + "\x00"),
        (EventHeader.parse, "a" * LONG + " " * LONG + "b"),
        (Via.parse, "SIP/2.0/UDP h" + " " * LONG + "x"),
        (_received, "SIP/2.0/UDP h" + " " * LONG + ";rport"),
        (_received, "SIP/2.0/UDP h;rport" + " " * LONG + ";received" + " " * LONG),
        (unescape, "%" * LONG),
    ],
)
def test_no_value_costs_more_than_one_pass(parse: Callable[[str], object], text: str) -> None:
    start = time.process_time()
    try:
        parse(text)
    except SIPSyntaxError as error:
        assert error.status in (400, 489)
    assert time.process_time() - start < 1  # a quadratic reading takes ten times as long, and stops the server
