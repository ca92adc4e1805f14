"""Every final value knows its file and line."""

import pytest

from gitops_profile.loader import UnreadableProfile, provenance

PHONE = "device/example.com/hq/phone.yaml"
FILES = {
    "defaults.yaml": b"# top\nvalues:\n  time:\n    zone: UTC\n    server: ntp\n  dns: [a, b, c]\n",
    "device/example.com/defaults.yaml": b"template: folder.j2\ncontent_type: text/xml\nvalues: {empty: {}, time: {}}\n",
    "bases/vendor.yaml": b"template: vendor.j2\nvalues:\n  keys: 1\n  time:\n    zone: CET\n",
    "bases/model.yaml": b"extends: vendor\nvalues:\n  keys: 2\n",
    PHONE: b"extends: model\nvalues:\n  dns: [x]\n  accounts:\n    - user: alice\n      label: Alice\n"
    b"content_type:\naliases: [001122334455]\n",
}


def test_every_value_is_traced_to_its_line() -> None:
    found = provenance(PHONE, FILES.get)
    assert found.layers == (
        "defaults.yaml", "device/example.com/defaults.yaml", "bases/vendor.yaml", "bases/model.yaml", PHONE,
    )  # fmt: skip
    origins = {".".join(map(str, o.path)): (o.value, o.file, o.line) for o in found.origins}
    assert origins == {
        "values.time.zone": ("CET", "bases/vendor.yaml", 5),
        "values.time.server": ("ntp", "defaults.yaml", 5),
        "values.dns.0": ("x", PHONE, 3),
        "values.empty": ({}, "device/example.com/defaults.yaml", 3),
        "values.keys": (2, "bases/model.yaml", 3),
        "values.accounts.0.user": ("alice", PHONE, 5),
        "values.accounts.0.label": ("Alice", PHONE, 6),
        "template": ("vendor.j2", "bases/vendor.yaml", 1),
        "content_type": ("text/xml", "device/example.com/defaults.yaml", 2),
        "aliases.0": ("001122334455", PHONE, 8),
    }


def test_a_source_hides_those_of_weaker_layers() -> None:
    found = provenance(PHONE, {**FILES, PHONE: b"extends: model\nbody: own\n"}.get)
    origins = {o.path: o.file for o in found.origins}
    assert origins["body",] == PHONE and ("template",) not in origins


def test_an_unknown_base_is_a_problem() -> None:
    with pytest.raises(UnreadableProfile, match=r"phone.yaml:1:1: extends: there is no bases/modell.yaml"):
        provenance(PHONE, {**FILES, PHONE: b"extends: modell\n"}.get)
