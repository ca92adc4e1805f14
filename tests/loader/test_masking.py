"""Nothing that looks like a credential is shown, however it is written, and every line keeps its place."""

import time
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_profile.loader import masked, masked_lines
from gitops_profile.plan import compare
from gitops_profile.presentity import ProfileDocument, ProfileKey


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@pytest.mark.parametrize(
    "line",
    [
        "account.1.password = hush",
        "security.user_password = admin:hush and more",
        'reg.1.auth.password="hush" reg.1.address="a"',
        '<item reg.1.auth.userPass="hu&quot;sh"/>',
        '<user_pass idx="1" perm="">hush</user_pass>',
        '<entry name="passwd" overwrite="true">hush</entry>',
        '<param name="auth_password" value="hush"/>',
        '<param value="hush" name="auth_password"/>',
        "<password value='hush'/>",
        "<password><![CDATA[hush]]></password>",
        "<password><value>hush</value></password>",
        "<key>adminPassword</key><string>hush</string>",
        '{"user": "a", "adminPassword": "hu\\"sh", "b": 1}',
        '{"passwords": ["hush", "hush2"], "b": 1}',
        '{"password": {"value": "hush"}}',
        "url = https://u:hush@example.com/x",
        "url = https://example.com/?token=hush&x=1",
        "PIN: hush",
        "<ha1>hush</ha1>",
        "<P34>hush</P34>",
        "P2=hush",
        "P406 = hush",
        "linekey.1.api_key: hush",
        r'key = "-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----"',
        "password: 'hush",
        'password: "hush\\',
    ],
)
def test_what_looks_like_a_credential_is_masked(line: str) -> None:
    assert "<secret>" in masked(line) and "hu" not in masked(line).lower().replace("auth", ""), masked(line)
    assert masked_lines([f"{line}\n", "zone = UTC\n"])[1] in ("zone = UTC\n", "<secret>\n")


@pytest.mark.parametrize(
    "line",
    [
        "ping = 30\n",
        "mapping: x",
        "compass=n",
        "zone = UTC",
        "<spinner>3</spinner>",
        "<P340>1</P340>",
        "P22 = 3",
        "a < b\n",
    ],
)
def test_what_only_contains_the_letters_is_not(line: str) -> None:
    assert masked(line) == line and masked_lines([line]) == [line]


@pytest.mark.parametrize(
    "text",
    [
        "a\n-----BEGIN RSA PRIVATE KEY-----\nhush\nhush\n-----END RSA PRIVATE KEY-----\nzone = UTC\n",
        '<p>\n<key name="tls">\n-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n</key>\n<zone/>\n</p>\n',
        "<p>\n<password>\n  hush\n</password>\n<zone>UTC</zone>\n</p>\n",
        "<p>\n<password>hush\nhush</password>\n<zone>UTC</zone>\n</p>\n",
        "<p>\n<password>\n<value>\nhush</value>\n</password>\n<zone>UTC</zone>\n</p>\n",
        "<p>\n<password><![CDATA[hush\n<hush>\nhush]]></password>\n<zone>UTC</zone>\n</p>\n",
        '<p>\n<param name="password"\n   value="hush"\n/>\n<zone>UTC</zone>\n</p>\n',
        '<p>\n<param value="hush"\n   name="password"/>\n<zone>UTC</zone>\n</p>\n',
        '<p>\n<param\n value="hush\nhush" name="password"/>\n<zone>UTC</zone>\n</p>\n',
        "<p>\n<key>password</key>\n<string>hush</string>\n<zone>UTC</zone>\n</p>\n",
        'password = "hush\nhush"\nzone = UTC\n',
        '{\n"password":\n  "hush",\n"zone": "UTC"\n}\n',
        '{\n"passwords": [\n  "hush",\n  "hush"\n],\n"zone": "UTC"\n}\n',
        '{\n"tokens": {\n  "a": "hush"\n},\n"zone": "UTC"\n}\n',
        "a:\n  password: |\n    hush\n\n    hush\n  zone: UTC\n",
        "private_key: >-\n  hush\nzone: UTC\n",
    ],
)
def test_a_secret_of_several_lines_is_masked_and_no_line_moves(text: str) -> None:
    before = lines(text)
    after = masked_lines(before)
    shown = "".join(after)
    assert "hush" not in shown, shown
    assert len(after) == len(before) and [a.endswith("\n") for a in after] == [b.endswith("\n") for b in before]
    assert [n for n, line in enumerate(before) if "zone" in line] == [
        n for n, line in enumerate(after) if "zone" in line
    ]


def test_a_certificate_is_no_secret() -> None:
    text = lines("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    assert masked_lines(text) == text


def test_a_key_that_does_not_end_hides_the_rest() -> None:
    text = lines("a\n-----BEGIN OPENSSH PRIVATE KEY-----\nhush\n\nhush")
    assert masked_lines(text) == [*text[:2], "<secret>\n", "\n", "<secret>"]


def test_an_empty_setting_hides_nothing_of_the_next_line() -> None:
    text = lines("password =\nzone = UTC\n")
    assert masked_lines(text) == text


def test_the_secret_of_an_unchanged_line_is_not_seen_around_a_change() -> None:
    def state(zone: str) -> dict[ProfileKey, ProfileDocument]:
        key = ProfileKey.device("example.com", "p")
        body = f"<p>\n<password>\nhush\n</password>\n<zone>{zone}</zone>\n<P34>hush</P34>\n</p>\n"
        return {key: ProfileDocument(key, "text/xml", body.encode(), "p.xml")}

    (group,) = compare(state("UTC"), state("Europe/Paris")).groups
    assert group.before == ("<secret>\n", "</password>\n") and group.after == ("<P34><secret></P34>\n", "</p>\n")


PIECES = st.sampled_from(
    ["pass", "password", "=", ":", '"', "'", "<", ">", "/", "[", "]", "{", "}", "\n", " ", "value=", "<key>", "</key>",
     "<![CDATA[", "]]>", "-----BEGIN PRIVATE KEY-----", "-----END", "|", "\\", "hush", "\r", "://", "@", "P34"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(deadline=None, max_examples=500)
def test_whatever_is_written_the_lines_stay_as_many(text: str) -> None:
    before = [f"{line}\n" for line in text.split("\n")]
    after = masked_lines(before)
    assert len(after) == len(before) and all(line.count("\n") == 1 and line.endswith("\n") for line in after)


@pytest.mark.parametrize(
    "piece",
    [
        "<pass",
        "pass=[",
        "pass={",
        'pass="',
        "pass='",
        "<key>pass</key>",
        "://",
        "<a ",
        "<![CDATA[",
        "-----BEGIN PRIVATE KEY-----",
        "value=",
        '<a value="pass',
        "<password>",
        "{pin=1,",
        '{"user":"u","pin":1234},',
        'pin="x\\',
    ],
)
def test_a_long_line_costs_no_more_than_its_length(piece: str) -> None:
    def cost(count: int) -> float:
        text = [piece * count]
        begun = time.process_time()
        masked_lines(text)
        return time.process_time() - begun

    cost(100)
    costs = [cost(count) for count in (4_000, 16_000)]
    assert all(second < 12 * first + 0.2 for first, second in pairwise(costs)), costs


def test_thousands_of_pairs_in_one_line_are_masked_each() -> None:
    line = ",".join(f'{{"name":"u{n}","pin":{1000 + n}}}' for n in range(3000))
    assert masked(line) == ",".join(f'{{"name":"u{n}","pin":<secret>}}' for n in range(3000))


def test_masking_eats_no_tag() -> None:
    text = '<p><a password="x"/><password>y</password><b value="z" name="pin"/><zone>UTC</zone></p>'
    document = ElementTree.fromstring(masked(text).replace("<secret>", "*"))
    assert [element.tag for element in document] == ["a", "password", "b", "zone"]
    assert document.findtext("zone") == "UTC" and document.findtext("password") == "*"
