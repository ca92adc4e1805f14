"""`variants`: what the phones of one kind get instead."""

import pytest

from gitops_profile.loader import Loader, LoadResult
from gitops_profile.presentity import ProfileDocument, ProfileKey

from .tree import change, whole

DESK = "device/example.com/hq/desk.yaml"
GOOD: dict[str, str | bytes] = {
    "device/example.com/defaults.yaml": "template: phone.cfg.j2\neffective_by: 60\nvalues: {net: {vlan: 7, qos: on}}\n",
    "templates/phone.cfg.j2": "vlan={{ net.vlan }} qos={{ net.qos }} keys={{ keys }}\n",
    "templates/other.xml.j2": "<p vlan='{{ net.vlan }}'>{% include 'tail.j2' %}</p>",
    "templates/tail.j2": "{{ keys }}",
    "files/fixed.json": b"{}",
    DESK: """\
values: {keys: 10}
sensitive: true
variants:
  - when: {vendor: "*.yealink.com", model: "SIP-T46?"}
    values: {keys: 27, net: {vlan: 9}}
  - when: {vendor: "*.yealink.com"}
  - when: {vendor: snom, version: 8.10}
    template: templates/other.xml.j2
    sensitive: false
    effective_by: 0
  - when: {model: 7}
    file: fixed.json
  - when: {model: "[a]"}
    body: "<p/>"
    content_type: text/xml
""",
}


def desk(result: LoadResult) -> ProfileDocument:
    assert [str(problem) for problem in result.problems] == []
    return result.documents[ProfileKey.device("example.com", "desk")]


def problems(content: str) -> list[str]:
    return [str(problem) for problem in whole({**GOOD, DESK: content}).problems]


def test_a_variant_inherits_what_it_does_not_name() -> None:
    document = desk(whole(GOOD))
    assert (document.content_type, document.body) == ("text/plain", b"vlan=7 qos=on keys=10\n")
    assert [(v.content_type, v.body, v.sensitive, v.effective_by) for v in document.variants] == [
        ("text/plain", b"vlan=9 qos=on keys=27\n", True, 60),
        ("text/plain", b"vlan=7 qos=on keys=10\n", True, 60),
        ("text/xml", b"<p vlan='7'>10</p>", False, 0),
        ("application/json", b"{}", True, 60),
        ("text/xml", b"<p/>", True, 60),
    ]


@pytest.mark.parametrize(
    ("vendor", "model", "version", "body"),
    [
        ("phones.yealink.com", "SIP-T46S", "66.1", b"vlan=9 qos=on keys=27\n"),
        ("Phones.YEALINK.com", "sip-t46u", None, b"vlan=9 qos=on keys=27\n"),
        ("phones.yealink.com", "SIP-T46", None, b"vlan=7 qos=on keys=10\n"),
        ("snom", None, "8.10", b"<p vlan='7'>10</p>"),
        ("snom", None, "8.1", b"vlan=7 qos=on keys=10\n"),
        ("acme", "7", None, b"{}"),
        ("acme", "a", None, b"vlan=7 qos=on keys=10\n"),
        ("acme", "[A]", None, b"<p/>"),
        (None, None, None, b"vlan=7 qos=on keys=10\n"),
    ],
)
def test_the_first_variant_that_suits_is_the_one(
    vendor: str | None, model: str | None, version: str | None, body: bytes
) -> None:
    assert desk(whole(GOOD)).for_device(vendor, model, version).body == body


def test_a_content_type_of_the_manifest_holds_for_its_variants_too() -> None:
    content = "content_type: a/b\nbody: x\nvariants: [{when: {model: y}, file: fixed.json}]\n"
    (variant,) = desk(whole({**GOOD, DESK: content})).variants
    assert variant.content_type == "a/b"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("body: x\nvariants:\n  - when: {}\n    body: y\n", ":3:5: variants.0.when: "),
        ("body: x\nvariants:\n  - when: {vendor: null}\n", "give at least one of vendor, model and version"),
        ("body: x\nvariants:\n  - body: y\n", ":3:5: variants.0.when: Field required"),
        ("body: x\nvariants:\n  - when: {modle: a}\n", ":3:12: unknown key 'modle' (did you mean 'model'?)"),
        ("body: x\nvariants:\n  - when: {model: a}\n    tmplate: y\n", ":4:5: unknown key 'tmplate' (did you mean"),
        ("body: x\nvariants:\n  - when: {model: a}\n    aliases: []\n", ":4:5: unknown key 'aliases'"),
        ("body: x\nvariants:\n  - when: {model: ''}\n", ":3:12: variants.0.when.model: "),
        ("body: x\nvariants:\n  - when: {model: [a]}\n", ":3:12: variants.0.when.model: "),
        ("body: x\nvariants:\n  - when: {model: true}\n", ":3:12: variants.0.when.model: "),
        ("body: x\nvariants:\n  - when: {model: a}\n    body: y\n    file: fixed.json\n", ":3:5: variants.0: Value"),
        ("body: x\nvariants:\n  - when: {model: a}\n    template: none.j2\n", ":4:5: there is no templates/none.j2"),
        ("body: x\nvariants:\n  - when: {model: a}\n    file: none\n", ":4:5: there is no files/none"),
        ("body: x\nvariants:\n  - when: {model: a}\n    template: tail.j2\n", ":3:5: variants.0: templates/tail.j2:1"),
        ("body: x\nvariants:\n  - when: {model: a}\n    content_type: xml\n", ":4:5: variants.0.content_type: "),
        ("body: x\nvariants:\n  - when: {model: a}\n  - when: {model: A}\n", ":4:5: variants.1: no phone gets this"),
        ("body: x\nvariants:\n  - when: {model: a}\n  - when: {version: 1, model: a}\n", "the one of line 3 suits"),
        ("body: x\nvariants:\n  - when: {model: '*'}\n  - when: {version: 1}\n", ":4:5: variants.1: no phone gets"),
        ("body: x\nvariants: {model: a}\n", ":2:1: variants: "),
        ("body: x\nvariants:\n" + "".join(f"  - when: {{model: m{n}}}\n" for n in range(33)), ":2:1: variants: "),
    ],
)
def test_problems_of_variants_say_where_and_what(content: str, words: str) -> None:
    found = problems(content)
    assert len(found) == 1 and found[0].startswith(f"{DESK}:") and words in found[0], found


def test_variants_that_overlap_without_hiding_each_other_are_allowed() -> None:
    content = "body: x\nvariants:\n  - when: {model: a*, version: 1}\n  - when: {model: a*}\n  - when: {version: 1}\n"
    assert problems(content) == []


def test_every_variant_that_fails_is_reported() -> None:
    content = "body: x\nvariants:\n" + "".join(f"  - when: {{model: m{n}}}\n    file: none{n}\n" for n in range(3))
    assert [problem.split(": ")[0] for problem in problems(content)] == [f"{DESK}:{n}:5" for n in (4, 6, 8)]


def test_phones_that_no_variant_suits_must_get_something() -> None:
    files = {**GOOD, "device/example.com/defaults.yaml": "", DESK: "variants:\n  - when: {model: a}\n    body: x\n"}
    (problem,) = whole(files).problems
    assert str(problem).startswith(f"{DESK}:1:1: nothing says what a phone gets that no variant suits (give a template")


def test_all_bodies_of_a_manifest_share_one_bound() -> None:
    half = b"x" * (600 << 10)
    files = {**GOOD, "files/half": half, DESK: "body: x\nvariants: [{when: {model: a}, file: half}]\n"}
    assert len(desk(whole(files)).variants[0].body) == len(half)
    (problem,) = whole(
        {**files, DESK: "file: half\nvariants: [{when: {model: a}, body: x}, {when: {model: b}}]\n"}
    ).problems
    assert str(problem).startswith(f"{DESK}:2:1: the document and its variants have 1228801 bytes together")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("templates/other.xml.j2", "<new/>"),
        ("templates/tail.j2", "new"),
        ("files/fixed.json", b"[]"),
        ("device/example.com/hq/defaults.yaml", "values: {net: {qos: off}}\n"),
    ],
)
def test_what_only_a_variant_uses_is_noticed_when_it_changes(path: str, content: str | bytes) -> None:
    loader, after = Loader(), {**GOOD, path: content}
    before = desk(whole(GOOD, loader))
    result = change(loader, GOOD, after)
    assert desk(result) == desk(whole(after)) and desk(result) != before and not result.whole


def test_a_template_that_no_variant_uses_concerns_nobody() -> None:
    files = {**GOOD, "templates/lonely.j2": "x"}
    loader = Loader()
    whole(files, loader)
    assert change(loader, files, {**files, "templates/lonely.j2": "y"}).documents == {}
