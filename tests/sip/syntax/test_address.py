"""From, To, Contact and Route values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.syntax import Address, SIPSyntaxError


@pytest.mark.parametrize(
    ("text", "display", "uri", "parameters"),
    [
        ("<sip:MAC%3a00135E874B49@intern.snom.de>;tag=1l", "", "sip:MAC%3a00135E874B49@intern.snom.de", {"tag": "1l"}),
        ("<sip:MAC%3a00135E874B49>;tag=9", "", "sip:MAC%3a00135E874B49", {"tag": "9"}),  # Snom: no host
        ("<sip:MAC=00304fa99948@224.0.1.75>", "", "sip:MAC=00304fa99948@224.0.1.75", {}),  # Planet: no tag
        ("sip:a@example.com;tag=1", "", "sip:a@example.com", {"tag": "1"}),  # the tag is the header's
        ("<sip:a@example.com;x=1>;tag=2", "", "sip:a@example.com;x=1", {"tag": "2"}),
        ('"A. \\"B\\" <sip:x@y>, Jr." <sip:a@b>', '"A. \\"B\\" <sip:x@y>, Jr."', "sip:a@b", {}),
        ("Caller<sip:caller@example.com>", "Caller", "sip:caller@example.com", {}),  # RFC 4475 lwsdisp
        ("Alice  Liddell \t<sip:a@b>", "Alice  Liddell", "sip:a@b", {}),
        ("  <sip:a@b> ; Tag = x ;+sip.instance=\"<urn:uuid:1;2>\"", "", "sip:a@b",
         {"tag": "x", "+sip.instance": "<urn:uuid:1;2>"}),
        ("anonymous@example.com;tag=1234", "", "anonymous@example.com", {"tag": "1234"}),  # RFC 6080 §7.1
        ("<isbn:2983792873>", "", "isbn:2983792873", {}),  # From may name anything
    ],
)  # fmt: skip
def test_address(text: str, display: str, uri: str, parameters: dict[str, str | None]) -> None:
    assert Address.parse(text) == Address(display, uri, parameters)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Alice",
        "@example.com",
        "alice@",
        "alice smith@example.com",
        "alice@example.com, bob@example.com",
        '"Mr. J. User <sip:j.user@example.com>',  # RFC 4475 quotbal
        "Bell, Alexander <sip:a.g.bell@example.com>;tag=43",  # RFC 4475 baddn
        '"Watson, Thomas" < sip:t.watson@example.org >',  # RFC 4475 badaspec
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",  # RFC 4475 regbadct
        "<sip:a@b> x",
        "<>",
        "<sip:a@b>;tag=a b",
        "<sip:a\x00@b>",
        "sip:a\x7f@b",
        "<sip:a@b>;tag",
        "<sip:a@b>;tag=a,<sip:c@d>",
        '<sip:a@b>;tag="a;b"',
        "<sip:a@b>;tag=\x00",
    ],
)
def test_bad_address(text: str) -> None:
    with pytest.raises(SIPSyntaxError):
        Address.parse(text)


@given(st.text() | st.text(' <>";,:\\asip@=', max_size=60))
def test_address_of_any_text_parses_or_is_a_syntax_error(text: str) -> None:
    try:
        address = Address.parse(text)
    except SIPSyntaxError:
        return
    assert address.uri and not set(address.uri) & set(" <>")
