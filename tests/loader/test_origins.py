"""Every final value knows its file and line."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.loader import UnreadableProfile, provenance

from .tree import whole

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


KEYS = st.sampled_from("abc")
TREES = st.recursive(
    st.integers(0, 9) | st.none() | st.just("t"),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=6,
)
VALUES = st.dictionaries(KEYS, TREES, max_size=3)


def block(value: Any, indent: str) -> Iterator[str]:
    """YAML with one key or item on each line."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        head = f"{indent}{key}:" if isinstance(value, dict) else f"{indent}-"
        if isinstance(inner, dict | list) and inner:
            yield head
            yield from block(inner, indent + "  ")
        else:
            yield f"{head} {json.dumps(inner)}"


def text(head: str, values: dict[str, Any], indent: str = "  ") -> str:
    lines = "".join(f"{line}\n" for line in block({"v": values}, indent))
    return f"{head}{indent[2:]}values:\n{lines}"


def leaves(value: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    if not isinstance(value, dict | list) or not value:
        return {path: value}
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return {leaf: found for key, each in inner for leaf, found in leaves(each, (*path, key)).items()}


@given(st.tuples(VALUES, VALUES, VALUES, VALUES, VALUES))
def test_the_final_values_are_those_that_the_template_sees_and_each_stands_in_its_line(
    layers: tuple[dict[str, Any], ...],
) -> None:
    top, folder, base, own, variant = layers
    files = {
        "templates/t.json.j2": "{{ v | tojson }}",
        "defaults.yaml": text("template: t.json.j2\n", top),
        "device/defaults.yaml": text("", folder),
        "bases/b.yaml": text("", base),
        PHONE: text("extends: b\n", own) + text("variants:\n  - when: {model: m}\n", variant, "      "),
    }
    result = whole(files)
    assert not result.problems, [str(problem) for problem in result.problems]
    (document,) = result.documents.values()
    contents = {name: content.encode() for name, content in files.items()}
    for device, body in ((("", "", ""), document.body), (("", "m", ""), document.variants[0].body)):
        origins = [o for o in provenance(PHONE, contents.get, device).origins if o.path[0] == "values"]
        assert {o.path[2:]: o.value for o in origins} == leaves(json.loads(body))
        for origin in [*origins, *(below for each in origins for below in each.overrode)]:
            line = files[origin.file].splitlines()[origin.line - 1]
            name = origin.path[-1]
            assert line[origin.column - 1 :].startswith(f"{name}:" if isinstance(name, str) else "") and (
                isinstance(origin.value, dict | list) or json.dumps(origin.value) in line
            ), (origin, line)


def test_what_a_value_overrides_is_told_of_the_nearest_layer_first() -> None:
    origins = {".".join(map(str, o.path)): o for o in provenance(PHONE, FILES.get).origins}
    assert [(o.file, o.value) for o in origins["values.time.zone"].overrode] == [("defaults.yaml", "UTC")]
    assert [(o.file, o.value) for o in origins["values.keys"].overrode] == [("bases/vendor.yaml", 1)]
    assert [(o.file, o.value) for o in origins["values.dns.0"].overrode] == [("defaults.yaml", "a")]
    assert [o.path for o in origins["template"].overrode] == [("template",)]
    assert origins["values.empty"].overrode == ()


def test_a_list_a_scalar_and_a_mapping_in_each_others_place() -> None:
    files = {
        "defaults.yaml": b"values:\n  a: [x, y]\n  b: {c: 1}\n  d: 7\n",
        "user/example.com/u.yaml": b"body: x\nvalues:\n  a: [p, q, r]\n  b: 3\n  d: {e: 1}\n",
    }
    found = {o.path[1:]: o.overrode for o in provenance("user/example.com/u.yaml", files.get).origins}
    told = {path: [(o.path[1:], o.value) for o in below] for path, below in found.items() if path}
    assert told == {
        ("a", 0): [(("a", 0), "x")],
        ("a", 1): [(("a", 1), "y")],
        ("a", 2): [(("a",), ["x", "y"])],
        ("b",): [(("b",), {"c": 1})],
        ("d", "e"): [(("d",), 7)],
    }


def test_each_key_of_notify_is_traced_from_profiles_yaml_down_and_one_that_says_nothing_is_not_there() -> None:
    files = {
        "profiles.yaml": b"max_removals: 3\nnotify:\n  reboot: allow\n  deny: [{cron: 0 8 * * *, duration: 1h}]\n",
        "device/defaults.yaml": b"notify: {reboot: never}\n",
        PHONE: b"body: x\nnotify:\n  reboot:\n  deny: [{cron: 0 9 * * *, duration: 2h}]\n",
    }
    found = provenance(PHONE, files.get)
    assert found.layers == ("profiles.yaml", "device/defaults.yaml", PHONE)
    origins = {".".join(map(str, o.path)): (o.value, o.file, o.line) for o in found.origins}
    assert origins == {
        "body": ("x", PHONE, 1),
        "notify.reboot": ("never", "device/defaults.yaml", 1),
        "notify.deny.0.cron": ("0 9 * * *", PHONE, 4),
        "notify.deny.0.duration": ("2h", PHONE, 4),
    }


def test_profiles_yaml_that_says_nothing_of_a_profile_is_no_layer() -> None:
    assert provenance(PHONE, {"profiles.yaml": b"max_removals: 3\n", PHONE: b"body: x\n"}.get).layers == (PHONE,)
