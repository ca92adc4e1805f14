"""Credentials in plain text: found where they are written, with no value in the warning, and few false alarms."""

import time
from itertools import pairwise

import pytest

from gitops_profile.loader import Loader, Problem, credentials

from .tree import Files, entry, run

DEVICE = "device/example.com/0004f2a1b2c3"
ALICE = "user/example.com/alice"


def warnings(files: Files) -> tuple[Problem, ...]:
    load = Loader().whole(entry(path, content) for path, content in files.items())
    result = run(load, files)
    assert not result.problems, result.problems
    found = load.credentials(result.documents.values())
    assert "hunter2" not in str(found)
    return found


def places(files: Files) -> list[str]:
    return [f"{p.path}:{p.line}:{p.column} {p.message.partition(' ')[0]}" for p in warnings(files)]


@pytest.mark.parametrize(
    ("extension", "text", "place"),
    [
        (".cfg", "a = 1\naccount.1.password = hunter2\n", "2:22 account.1.password"),
        (".xml", '<p>\n <setting name="x" password="hunter2"/></p>', "2:30 password"),
        (".xml", "<p><Password>hunter2</Password></p>", "1:14 Password"),
        (".json", '{"user": "a",\n "sip_secret": "hunter2"}', "2:17 sip_secret"),
        (".txt", "url=https://ann:hunter2@example.com/\n", "1:17"),
        (".txt", "x\n-----BEGIN RSA PRIVATE KEY-----\nhunter2hunter2\n-----END RSA PRIVATE KEY-----\n", "3:1"),
    ],
)
def test_a_plain_document_is_warned_of_at_the_value(extension: str, text: str, place: str) -> None:
    (found,) = places({ALICE + extension: text})
    assert found.startswith(f"{ALICE}{extension}:{place}"), found


def test_a_value_is_warned_of_where_it_is_written_also_in_defaults_and_bases() -> None:
    assert places({
        "defaults.yaml": "template: t.cfg.j2\nvalues:\n  admin:\n    password: hunter2-d\n",
        "bases/b.yaml": "values:\n  pin: 4711\n",
        f"{DEVICE}.yaml": "extends: b\nvalues:\n  sip: {auth_pass: hunter2-m}\n",
        f"{ALICE}.yaml": "extends: b\n",
        "templates/t.cfg.j2": "{{ admin.password }} {{ pin|default() }} {{ sip.auth_pass if sip is defined }}",
    }) == [
        "bases/b.yaml:2:3 values.pin",
        "defaults.yaml:4:5 values.admin.password",
        f"{DEVICE}.yaml:3:9 values.sip.auth_pass",
    ]  # fmt: skip


def test_what_no_document_has_and_what_is_sensitive_is_not_warned_of() -> None:
    manifest = "template: t.cfg.j2\nvalues: {password: hunter2}\n"
    template: Files = {"templates/t.cfg.j2": "p={{ password }}"}
    assert places({f"{ALICE}.yaml": manifest, **template}) == [f"{ALICE}.yaml:2:10 values.password"]
    assert places({f"{ALICE}.yaml": manifest + "sensitive: true\n", **template}) == []
    assert places({f"{ALICE}.yaml": manifest, "templates/t.cfg.j2": "nothing"}) == []
    below = "values: {password: overridden2}\n"
    assert places({"defaults.yaml": below, f"{ALICE}.yaml": manifest + "sensitive: true\n", **template}) == []
    escaped = {"templates/t.xml.j2": "<p>{{ password }}</p>"}
    text = "template: t.xml.j2\nvalues: {password: 'hunter2<&>'}\n"
    assert len(places({f"{ALICE}.yaml": text, **escaped})) == 1, "escaped, it is there as well"


def test_a_variant_may_be_public_where_the_document_is_not() -> None:
    text = (
        "sensitive: true\nbody: x\nvariants:\n"
        "  - when: {vendor: a}\n    sensitive: false\n    template: t.cfg.j2\n    values: {password: hunter2}\n"
    )
    assert places({f"{ALICE}.yaml": text, "templates/t.cfg.j2": "p={{ password }}"}) == [
        f"{ALICE}.yaml:7:14 values.password"
    ]


def test_what_is_written_into_a_template_a_body_or_a_file_is_warned_of_once() -> None:
    files: Files = {
        "defaults.yaml": "template: t.cfg.j2\nvalues: {user: u}\n",
        f"{ALICE}.yaml": "", "user/example.com/bob.yaml": "",
        f"{DEVICE}.yaml": "body: 'password = hunter2'\n",
        "device/example.com/x.yaml": "file: f.cfg\n", "files/f.cfg": "secret = hunter2\n",
        "templates/t.cfg.j2": "{% include 'admin.j2' %}\nsip_password = {{ user }}\n",
        "templates/admin.j2": "{# the\n master #}\nadmin_password = hunter2\n",
    }  # fmt: skip
    assert places(files) == [
        f"{DEVICE}.yaml:1:1 password",
        "files/f.cfg:1:10 secret",
        "templates/admin.j2:3:18 admin_password",
    ]


@pytest.mark.parametrize("value", [
    "''", "CHANGEME", "change-me", "'********'", "xxxx", "'${SIP_PASSWORD}'", "'%PASSWORD%'", "<password>", "true", "1",
    "no", "'https://example.com/reset'", "/etc/secrets/sip",
])  # fmt: skip
def test_a_placeholder_a_switch_and_a_place_are_no_credentials(value: str) -> None:
    manifest = f"template: t.cfg.j2\nvalues: {{password: {value}}}\n"
    assert places({f"{ALICE}.yaml": manifest, "templates/t.cfg.j2": "p={{ password }}"}) == []


@pytest.mark.parametrize(
    "name", ["password_file", "password_min_length", "token_url", "pin_required", "keyboard", "spin"]
)
def test_what_is_about_a_credential_is_none(name: str) -> None:
    manifest = f"template: t.cfg.j2\nvalues: {{{name}: somevalue}}\n"
    assert places({f"{ALICE}.yaml": manifest, "templates/t.cfg.j2": "p={{ " + name + " }}"}) == []
    assert places({f"{ALICE}.cfg": f"{name} = somevalue\n"}) == []


def test_what_the_settings_list_is_not_warned_of() -> None:
    files: dict[str, str | bytes] = {
        f"{ALICE}.yaml": "template: t.cfg.j2\nvalues: {door_pin: 4711, password: hunter2}\n",
        "templates/t.cfg.j2": "{{ door_pin }} {{ password }}",
    }
    assert len(places(files)) == 2
    files["profiles.yaml"] = "public_credentials: [{key: '*door_pin'}]\n"
    assert places(files) == [f"{ALICE}.yaml:2:26 values.password"]
    files["profiles.yaml"] = "public_credentials: [{path: 'user/example.com/*'}]\n"
    assert places(files) == []


def test_bytes_that_are_no_text_are_passed_over() -> None:
    assert places({f"{ALICE}.bin": b"\xff\xfepassword=hunter2"}) == []


@pytest.mark.parametrize(
    ("extension", "pattern"),
    [
        (".json", '{{"user":"u","pin":{}}},'),
        (".json", '{{"pin":"xxx"}},'),
        (".cfg", "u.pin = {}\n"),
        (".cfg", "pin={}&"),
    ],
)
def test_thousands_in_one_file_cost_no_more_than_its_length(extension: str, pattern: str) -> None:
    def cost(count: int) -> float:
        text = "".join(pattern.format(100_000 + number) for number in range(count))
        begun = time.process_time()
        found = warnings({f"{ALICE}{extension}": text})
        assert len(found) in (0, min(count, credentials.MAX_WARNINGS), 1)
        return time.process_time() - begun

    costs = [cost(count) for count in (1000, 4000, 16_000)]
    assert all(second < 8 * first + 0.3 for first, second in pairwise(costs)), costs


def test_what_is_told_once_is_not_looked_for_again_and_looking_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pins = "".join(f"    pin{n}: 47110{n}\n" for n in range(10))
    shared: dict[str, str | bytes] = {
        "defaults.yaml": f"template: t.cfg.j2\nvalues:\n  of:\n{pins}", "templates/t.cfg.j2": "{{ of.pin0 }}",
    }  # fmt: skip
    files = {**shared, **{f"user/example.com/u{n}.yaml": "values: {}\n" for n in range(9)}}
    assert places(files) == ["defaults.yaml:4:5 values.of.pin0"]
    monkeypatch.setattr(credentials, "MAX_SEARCHED", 6 * 20)
    assert places(files) == ["defaults.yaml:4:5 values.of.pin0", "user/example.com/u2.yaml:0:0 has"]


@pytest.mark.parametrize("value", [True, None, 1.5, ["x"]])
def test_a_switch_or_a_list_is_no_credential(value: object) -> None:
    assert credentials.is_credential(("password",), "s3same!x") and not credentials.is_credential(("password",), value)
