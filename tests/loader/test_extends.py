"""`extends`: bases, the order in which they are merged, and whom a change of one concerns."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_profile.loader import Loader, LoadResult

from .tree import Entry, change, entry, run, whole

DEVICES = "device/example.com"
TEMPLATE = "{% for key, value in values | dictsort %}{{ key }}={{ value }}\n{% endfor %}"
GOOD: dict[str, str | bytes] = {
    "defaults.yaml": "template: show.cfg.j2\nvalues: {values: {from: top, top: 1}}\n",
    f"{DEVICES}/defaults.yaml": "values: {values: {from: folder, folder: 1}}\n",
    "templates/show.cfg.j2": "show\n" + TEMPLATE,
    "templates/vendor.cfg.j2": "vendor\n" + TEMPLATE,
    "files/logo.bin": b"\x00",
    "bases/vendor.yaml": "template: vendor.cfg.j2\neffective_by: 60\nvalues: {values: {from: vendor, vendor: 1}}\n",
    "bases/site.yaml": "sensitive: true\nvalues: {values: {from: site, site: 1}}\n",
    "bases/models/t4.yaml": "extends: vendor\nvalues: {values: {from: t4, t4: 1}}\n",
    "bases/unused.yaml": "values: {}\n",
    "bases/README.md": "no base",
    f"{DEVICES}/one.yaml": "extends: models/t4\nvalues: {values: {one: 1}}\n",
    f"{DEVICES}/two.yaml": "extends: [models/t4, site]\nvalues: {values: {from: two}}\n",
    f"{DEVICES}/none.yaml": "values: {}\n",
}


def lines(result: LoadResult, name: str) -> list[str]:
    (document,) = [d for key, d in result.documents.items() if key.name == name]
    return document.body.decode().splitlines()


def said(files: dict[str, str | bytes]) -> list[str]:
    return [str(problem) for problem in whole(files).problems]


def test_values_come_from_folders_then_bases_then_the_file() -> None:
    result = whole(GOOD)
    assert result.problems == ()
    assert lines(result, "none") == ["show", "folder=1", "from=folder", "top=1"]
    assert lines(result, "one") == ["vendor", "folder=1", "from=t4", "one=1", "t4=1", "top=1", "vendor=1"]
    assert lines(result, "two") == ["vendor", "folder=1", "from=two", "site=1", "t4=1", "top=1", "vendor=1"]
    facts = {key.name: (d.sensitive, d.effective_by) for key, d in result.documents.items()}
    assert facts == {"none": (False, None), "one": (False, 60), "two": (True, 60)}


def test_the_later_of_two_bases_wins_and_a_base_of_both_comes_once_before_them() -> None:
    files = {**GOOD, "bases/site.yaml": "extends: [vendor]\nvalues: {values: {site: 1}}\n"}
    manifest = "extends: [{}]\n"
    for order, source in (("models/t4, site", "t4"), ("site, models/t4", "t4"), ("vendor, site", "vendor")):
        result = whole({**files, f"{DEVICES}/one.yaml": manifest.format(order)})
        assert result.problems == () and f"from={source}" in lines(result, "one"), order


def test_the_source_is_that_of_the_last_layer_that_has_one() -> None:
    for own, body in (("body: own\n", b"own"), ("file: logo.bin\n", b"\x00")):
        result = whole({**GOOD, f"{DEVICES}/one.yaml": f"extends: vendor\n{own}"})
        assert result.problems == () and body in [d.body for d in result.documents.values()]
    result = whole({**GOOD, f"{DEVICES}/one.yaml": "extends: vendor\ntemplate: show.cfg.j2\n"})
    assert lines(result, "one")[0] == "show"
    result = whole({**GOOD, f"{DEVICES}/one.yaml": "extends: site\n"})
    assert lines(result, "one")[0] == "show", "a base without a template leaves the folder's"


def test_a_variant_stands_on_the_bases_of_its_manifest() -> None:
    rule = "variants: [{when: {vendor: a}, values: {values: {from: variant}}}]\n"
    result = whole({**GOOD, f"{DEVICES}/one.yaml": f"extends: vendor\n{rule}"})
    (document,) = [d for key, d in result.documents.items() if key.name == "one"]
    assert document.variants[0].body.decode().splitlines() == ["vendor", "folder=1", "from=variant", "top=1",
                                                               "vendor=1"]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        (f"{DEVICES}/one.yaml", "values: {}\nextends: vendr\n",
         f"{DEVICES}/one.yaml:2:1: extends: there is no bases/vendr.yaml (did you mean 'vendor'?)"),
        (f"{DEVICES}/one.yaml", "extends:\n  - vendor\n  - bases/site.yaml\n",
         f"{DEVICES}/one.yaml:3:5: extends: there is no bases/bases/site.yaml.yaml (did you mean 'site'?)"),
        (f"{DEVICES}/one.yaml", "extends: [x]\n",
         f"{DEVICES}/one.yaml:1:11: extends: there is no bases/x.yaml (known bases: models/t4, site, unused, vendor)"),
        ("bases/vendor.yaml", "extends:\n  - sit\n",
         "bases/vendor.yaml:2:5: extends: there is no bases/sit.yaml (did you mean 'site'?)"),
        ("bases/vendor.yaml", "tempalte: x\n",
         "bases/vendor.yaml:1:1: unknown key 'tempalte' (did you mean 'template'?)"),
        ("bases/vendor.yaml", "values: {}\ntemplate: none.j2\n",
         "bases/vendor.yaml:2:1: there is no templates/none.j2"),
        ("bases/vendor.yaml", "content_type: xml\n",
         "bases/vendor.yaml:1:1: content_type: Value error, is no media type, such as text/xml"),
        ("bases/vendor.yaml", "body: x\n",
         ("bases/vendor.yaml:1:1: body: a base has no document of its own "
         "(give it a template, or the manifests this key)")),
        ("bases/vendor.yaml", "a: [\n", ("bases/vendor.yaml:2:1: broken YAML: did not find expected node content, "
         "while parsing a flow node")),
        ("bases/vendor.yaml", "extends: models/t4\n",
         ("bases/vendor.yaml:1:1: extends: 'models/t4' extends itself: models/t4 → vendor → models/t4 "
         "(a base must not come back to itself)")),
        ("bases/vendor.yaml", "extends: vendor\n",
         ("bases/vendor.yaml:1:1: extends: 'vendor' extends itself: vendor → vendor "
         "(a base must not come back to itself)")),
        ("bases/unused.yaml", "extends: none\n",
         ("bases/unused.yaml:1:1: extends: there is no bases/none.yaml "
         "(known bases: models/t4, site, unused, vendor)")),
        ("bases/other.yml", "values: {}\n",
         "bases/other.yml: a base is called bases/NAME.yaml (rename it)"),
        (f"{DEVICES}/defaults.yaml", "values: {}\nextends: vendor\n",
         (f"{DEVICES}/defaults.yaml:2:1: extends: a folder extends no base "
         "(name the base in the manifests, or put its values here)")),
        (f"{DEVICES}/one.yaml", "variants:\n  - when: {vendor: a}\n    extends: vendor\n",
         (f"{DEVICES}/one.yaml:3:5: extends: a variant extends no base "
         "(name the base at the top, or give the variant a template and values)")),
        (f"{DEVICES}/one.yaml", "extends: [site, site]\n",
         f"{DEVICES}/one.yaml:1:1: extends: Value error, 'site' is there twice"),
        (f"{DEVICES}/one.yaml", "extends: ../user/x\n",
         (f"{DEVICES}/one.yaml:1:1: extends: Value error, '../user/x' cannot be the name of a base: "
         "NAME stands for bases/NAME.yaml")),
    ],
)  # fmt: skip
def test_a_problem_is_said_once_where_it_is(path: str, content: str, problem: str) -> None:
    assert said({**GOOD, path: content}) == [problem]


def test_a_base_that_is_a_link_is_refused_once() -> None:
    load = Loader().whole(
        Entry(path, "120000", "b", 3) if path == "bases/vendor.yaml" else entry(path, content)
        for path, content in GOOD.items()
    )
    assert [str(p) for p in run(load, GOOD).problems] == [("bases/vendor.yaml: is a symbolic link (put the file itself "
                                                           "here)")]  # fmt: skip


def test_a_manifest_that_names_a_missing_template_itself_is_told_so_too() -> None:
    files = {**GOOD, "bases/vendor.yaml": "template: none.j2\n",
             f"{DEVICES}/one.yaml": "extends: vendor\ntemplate: none.j2\n"}  # fmt: skip
    assert [s.partition(":")[0] for s in said(files)] == ["bases/vendor.yaml", f"{DEVICES}/one.yaml"]


def chain(length: int) -> dict[str, str | bytes]:
    bases = {f"bases/n{number}.yaml": f"extends: n{number + 1}\n" for number in range(length - 1)}
    return {**GOOD, **bases, f"bases/n{length - 1}.yaml": "values: {values: {end: 1}}\n"}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_line_of_bases_is_bounded(reverse: bool) -> None:
    manifest: dict[str, str | bytes] = {f"{DEVICES}/one.yaml": "extends: n0\n"}
    result = whole({**chain(32), **manifest})
    assert result.problems == () and "end=1" in lines(result, "one")
    files = {**chain(5000), **manifest}
    if reverse:  # as the bases sort, the end of the chain comes first
        files = {p.replace("bases/n", "bases/z") if p == "bases/n0.yaml" else p: c for p, c in files.items()}
        files[f"{DEVICES}/one.yaml"] = "extends: z0\n"
    problems = said(files)
    assert problems and all("more than 32 bases" in problem for problem in problems)


def test_a_manifest_of_too_many_bases_is_refused() -> None:
    bases: dict[str, str | bytes] = {f"bases/n{n}.yaml": f"extends: m{n}\n" for n in range(17)}
    bases |= {f"bases/m{n}.yaml": "values: {}\n" for n in range(17)}
    files = {**GOOD, **bases, f"{DEVICES}/one.yaml": f"extends: [{', '.join(f'n{n}' for n in range(17))}]\n"}
    assert said(files) == [(f"{DEVICES}/one.yaml:1:1: extends: more than 32 bases, with those that they extend "
                           "(put some of them together)")]  # fmt: skip


def concerned(changes: dict[str, str | bytes | None]) -> set[str]:
    """Whose documents are made again by a change of GOOD."""
    loader = Loader()
    whole(GOOD, loader)
    result = change(loader, GOOD, {p: c for p, c in {**GOOD, **changes}.items() if c is not None})
    assert not result.problems and not result.removed, result.problems
    return {key.name for key in result.documents}


def test_a_change_of_a_base_concerns_those_that_extend_it_and_nobody_else() -> None:
    assert concerned({"bases/site.yaml": "values: {values: {site: 2}}\n"}) == {"two"}
    assert concerned({"bases/vendor.yaml": "values: {values: {vendor: 2}}\n"}) == {"one", "two"}
    assert concerned({"bases/models/t4.yaml": "values: {}\n"}) == {"one", "two"}
    assert concerned({"bases/unused.yaml": "extends: site\n"}) == set()
    assert concerned({"bases/unused.yaml": None, "bases/new.yaml": "values: {}\n"}) == set()
    assert concerned({"templates/vendor.cfg.j2": "new"}) == {"one", "two"}
    assert concerned({"templates/show.cfg.j2": "new" + TEMPLATE}) == {"none"}


def test_a_base_that_goes_is_missed_by_those_that_extend_it() -> None:
    loader = Loader()
    whole(GOOD, loader)
    result = change(loader, GOOD, {p: c for p, c in GOOD.items() if p not in ("bases/vendor.yaml", "bases/site.yaml")})
    assert [(p.path, p.line) for p in result.problems] == [("bases/models/t4.yaml", 1), (f"{DEVICES}/two.yaml", 1)]
    result = change(loader, GOOD, {p: c for p, c in GOOD.items() if p != "templates/vendor.cfg.j2"})
    assert [(p.path, p.line) for p in result.problems] == [("bases/vendor.yaml", 1)]
    assert concerned({"bases/site.yaml": None, f"{DEVICES}/two.yaml": "extends: vendor\n"}) == {"two"}


PATHS = [path for path in GOOD if not path.endswith(".md")]
contents = st.sampled_from([
    None, "extends: vendor\n", "extends: [site, models/t4]\n", "extends: new\n", "values: {values: {from: x}}\n",
    "template: vendor.cfg.j2\n", "template: gone.j2\n", "a: [", "body: b\n", "extends: models/t4\nbody: b\n",
    "extends: unused\nvariants: [{when: {vendor: a}, template: vendor.cfg.j2}]\n", "extends: [site]\nvalues: {a: 1}\n",
])  # fmt: skip
edits = st.lists(st.tuples(st.sampled_from([*PATHS, "bases/new.yaml", f"{DEVICES}/new.yaml"]), contents), max_size=3)


@settings(max_examples=80, deadline=None)
@given(st.lists(edits, max_size=6))
def test_following_changes_ends_where_loading_the_last_tree_ends(history: list[list[tuple[str, str | None]]]) -> None:
    loader = Loader()
    documents = dict(whole(GOOD, loader).documents)
    applied: dict[str, str | bytes] = dict(GOOD)
    for step in history:
        after = {p: c for p, c in {**applied, **dict(step)}.items() if c is not None}
        result = change(loader, applied, after)
        expected = whole(after)
        assert bool(result.problems) == bool(expected.problems), (result.problems, expected.problems)
        if result.problems:
            continue  # the next revision goes past it
        applied = after
        documents |= result.documents
        for key in result.removed:
            documents.pop(key, None)
        assert documents == expected.documents
