"""Trees of files as documents and problems."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_profile.loader import Loader, LoadResult, surely_read
from gitops_profile.presentity import ProfileKey

from .tree import Entry, change, entry, run, whole

GOOD: dict[str, str | bytes] = {
    "README.md": "read me",
    "profiles.yaml": "content_types: {'.cfg': 'text/x-cfg'}\n",
    "defaults.yaml": "values: {zone: UTC, dns: [a, b], sip: {port: 5060, host: h}}\n",
    "templates/phone.cfg.j2": "name={{ name }}\nzone={{ zone }}\nport={{ sip.port }}\n{% include 'tail.cfg.j2' %}",
    "templates/tail.cfg.j2": "mac={{ mac }}\n",
    "templates/user.xml.j2": "<u>{{ title }}</u>",
    "files/logo.bin": b"\x00\x01",
    "user/example.com/alice.yaml": "template: user.xml.j2\nvalues: {title: 'A & B'}\n",
    "user/example.com/bob.xml": "<bob/>\r\n",
    "user/example.com/carol.yaml": "body: plain\naliases: ['sip:c@example.com']\neffective_by: 0\n",
    "user/example.com/dave.yaml": "file: logo.bin\nsensitive: true\n",
    "device/example.com/defaults.yaml": "template: phone.cfg.j2\nvalues: {sip: {port: 5070}}\n",
    "device/example.com/hq/defaults.yaml": "values: {zone: Europe/Paris}\n",
    "device/example.com/hq/00-04-F2-A1-B2-C3.yaml": "values: {}\n",
    "device/example.com/lobby.yaml": "",
    "local-network/example.com.yaml": "body: <net/>\ncontent_type: text/xml\n",
}


BOMB = "values:\n  a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"  {new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in ("ab", "bc", "cd", "de", "ef")
)


def bodies(result: LoadResult) -> dict[str, bytes]:
    return {str(key): document.body for key, document in result.documents.items()}


def test_a_whole_tree() -> None:
    result = whole(GOOD)
    assert result.problems == ()
    assert bodies(result) == {
        "user/example.com/alice": b"<u>A &amp; B</u>",
        "user/example.com/bob": b"<bob/>\r\n",
        "user/example.com/carol": b"plain",
        "user/example.com/dave": b"\x00\x01",
        "device/example.com/0004f2a1b2c3": b"name=0004f2a1b2c3\nzone=Europe/Paris\nport=5070\nmac=0004f2a1b2c3\n",
        "device/example.com/lobby": b"name=lobby\nzone=UTC\nport=5070\nmac=\n",
        "local-network/example.com": b"<net/>",
    }
    documents = {str(k): d for k, d in result.documents.items()}
    assert documents["user/example.com/dave"].sensitive and documents["user/example.com/carol"].effective_by == 0
    assert documents["device/example.com/lobby"].content_type == "text/x-cfg"
    assert documents["user/example.com/bob"].content_type == "text/xml"


@pytest.mark.parametrize(
    ("path", "content", "line", "words"),
    [
        ("user/example.com/alice.yaml", "values: [1\n", 2, "broken YAML"),
        ("user/example.com/alice.yaml", "body: x\nbody: y\n", 2, "twice"),
        ("user/example.com/alice.yaml", "body: x\nvalus: {}\n", 2, "did you mean 'values'?"),
        ("user/example.com/alice.yaml", "body: x\ntemplate: y\n", 1, "only one of"),
        ("user/example.com/alice.yaml", "body: x\nextends: y\n", 2, "there is no bases/y.yaml"),
        ("user/example.com/alice.yaml", "body: !!python/name:os.system x\n", 1, "data only"),
        ("user/example.com/alice.yaml", "- a\n", 1, "expected keys and values"),
        ("user/example.com/alice.yaml", "values: {a: 1}\n", 0, "nothing says"),
        ("user/example.com/alice.yaml", "template: none.j2\n", 1, "there is no templates/none.j2"),
        ("user/example.com/alice.yaml", "file: none\n", 1, "there is no files/none"),
        ("user/example.com/alice.yaml", "template: user.xml.j2\n", 0, "templates/user.xml.j2:1: 'title' is undefined"),
        ("user/example.com/alice.yaml", "body: x\naliases: [nobody]\n", 2, "alias"),
        ("user/example.com/alice.yaml", b"\xff\xfe\x00binary", 0, "not UTF-8"),
        ("user/example.com/alice.yaml", b"a\x00b", 0, "binary"),
        ("user/example.com/alice.yaml", "body: x\ncontent_type: xml\n", 2, "media type"),
        ("user/example.com/bob.yaml", "body: x\n", 0, "also made by"),
        ("device/example.com/x/MAC%3a0004F2A1B2C3.xml", "<x/>", 0, "also made by"),
        ("user/exa mple/x.xml", "<x/>", 0, "names no profile"),
        ("user/alice.xml", "<x/>", 0, "names no profile"),
        ("local-network/a/example.com.xml", "<x/>", 0, "names no profile"),
        ("templates/broken.j2", "{% if %}", 1, "template:"),
        ("device/example.com/hq/defaults.yaml", "value: {}\n", 1, "did you mean 'values'?"),
        ("profiles.yaml", "content_typs: {}\n", 1, "did you mean 'content_types'?"),
        ("device/example.com/lobby.yaml", 'values: {zone: "a\\nport=1"}\n', 1, "line end"),
        ("user/example.com/alice.yaml", BOMB, 6, "more than 20000 values"),
        ("user/example.com/alice.yaml", "values: " + "[" * 40 + "]" * 40, 1, "nested deeper"),
    ],
)  # fmt: skip
def test_problems_say_where_and_what(path: str, content: str | bytes, line: int, words: str) -> None:
    result = whole({**GOOD, path: content})
    assert any(p.line == line and words in str(p) for p in result.problems), [str(p) for p in result.problems]


def test_every_problem_is_reported_not_only_the_first() -> None:
    broken = {f"user/example.com/broken{i}.yaml": "a: [" for i in range(5)}
    assert {p.path for p in whole({**GOOD, **broken}).problems} == set(broken)


@pytest.mark.parametrize(
    "path", ["user/example.com/x.xml", "user/example.com/x.yaml", "files/x.bin", "templates/x.j2", "defaults.yaml",
             "bases/x.yaml", "profiles.yaml"],
)  # fmt: skip
def test_a_pointer_of_git_lfs_is_no_file(path: str) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d7a" * 16 + "\nsize 12345\n"
    loader = Loader()
    whole(GOOD, loader)
    for result in (whole({**GOOD, path: pointer}), change(loader, GOOD, {**GOOD, path: pointer})):
        (problem,) = [problem for problem in result.problems if problem.path == path]
        assert "a pointer of Git LFS" in problem.message and ".gitattributes" in problem.hint
        assert problem.rule == "forbidden-file"


def test_a_document_may_speak_of_git_lfs() -> None:
    text = "# version https://git-lfs.github.com/spec/v1\n"
    assert not whole({**GOOD, "user/example.com/x.cfg": text}).problems


@pytest.mark.parametrize(("mode", "words"), [("120000", "symbolic link"), ("160000", "submodule")])
def test_links_and_submodules_are_refused(mode: str, words: str) -> None:
    result = run(Loader().whole([entry("user/example.com/x.xml", "/etc/passwd", mode)]), {})
    assert [words in str(p) for p in result.problems] == [True]


@pytest.mark.parametrize("path", ["user/example.com/../x.xml", "../x.xml", "user/./x.xml", ".git/config", "a//b.md"])
def test_what_git_would_not_check_out_is_refused_wherever_it_lies(path: str) -> None:
    result = run(Loader().whole([entry(path, "<x/>")]), {})
    assert [str(p) for p in result.problems] == [f"{path}: has a path that leaves the tree (remove it from git)"]


def test_a_huge_file_is_refused_without_being_read() -> None:
    load = Loader().whole([entry("user/example.com/x.xml", b"x" * 5_000_000)])
    assert load.wanted() == [] and "bytes long" in str(load.finish().problems[0])


@pytest.mark.parametrize("name", ["__class__", "__init__.__globals__", "__subclasses__()"])
def test_templates_reach_nothing_of_python(name: str) -> None:
    result = whole({**GOOD, "templates/user.xml.j2": "<u>{{ title." + name + " }}</u>"})
    assert result.problems


def test_a_template_that_makes_too_much_is_stopped() -> None:
    assert whole(
        {**GOOD, "templates/user.xml.j2": "<u>{% for i in range(99999) %}xxxxxxxxxxxxxxxxxxxx{% endfor %}</u>"}
    ).problems


def test_leading_zeros_stay() -> None:
    files = {**GOOD, "templates/user.xml.j2": "<u>{{ title }}|{{ pin }}</u>", "user/example.com/alice.yaml":
             "template: user.xml.j2\nvalues: {title: 0123, pin: 001565443312}\n"}  # fmt: skip
    assert bodies(whole(files))["user/example.com/alice"] == b"<u>0123|001565443312</u>"


def concerned(changes: dict[str, str | bytes | None]) -> set[str]:
    """Whose documents are made again, or removed, by a change of GOOD."""
    loader = Loader()
    whole(GOOD, loader)
    after = {p: c for p, c in {**GOOD, **changes}.items() if c is not None}
    result = change(loader, GOOD, after)
    assert not result.problems, result.problems
    return {str(k) for k in result.documents} | {f"-{k}" for k in result.removed}


def test_a_change_concerns_only_what_it_must() -> None:
    assert concerned({"README.md": "other"}) == set()
    assert concerned({"user/example.com/bob.xml": "<b2/>"}) == {"user/example.com/bob"}
    assert concerned({"templates/tail.cfg.j2": "x"}) == {"device/example.com/0004f2a1b2c3", "device/example.com/lobby"}
    assert concerned({"device/example.com/hq/defaults.yaml": None}) == {"device/example.com/0004f2a1b2c3"}
    assert concerned({"files/logo.bin": b"x"}) == {"user/example.com/dave"}
    assert concerned({"user/example.com/carol.yaml": None}) == {"-user/example.com/carol"}
    assert concerned({"user/example.com/carol.yaml": "body: x\n"}) == {"user/example.com/carol"}
    assert len(concerned({"profiles.yaml": None})) == 7


def test_a_rejected_change_leaves_the_base_as_it_was() -> None:
    loader = Loader()
    whole(GOOD, loader)
    broken = {**GOOD, "user/example.com/alice.yaml": "a: [", "user/example.com/bob.xml": "<other/>"}
    del broken["user/example.com/dave.yaml"]
    assert change(loader, GOOD, broken).problems
    fixed = {**GOOD, "user/example.com/alice.yaml": "body: x\n"}
    result = change(loader, GOOD, fixed)
    assert not result.problems and bodies(result) == {"user/example.com/alice": b"x"}


PATHS = list(GOOD)
contents = st.sampled_from([
    None, "body: x\n", "values: {title: T, zone: Z}\n", "template: user.xml.j2\nvalues: {title: Q}\n",
    "template: phone.cfg.j2\n",
    "<x/>", "", "a: [", "{{ zone }}", "file: logo.bin\n", "body: y\naliases: ['sip:alice@example.com']\n",
    "body: y\naliases: ['sip:new@example.com', c@example.com]\n",
    "body: y\nvariants: [{when: {vendor: a}, template: phone.cfg.j2}, {when: {model: b}, file: logo.bin}]\n",
    "template: user.xml.j2\nvalues: {title: Q}\nvariants: [{when: {version: 1.10}, values: {title: V}}]\n",
])  # fmt: skip
edits = st.lists(
    st.tuples(st.sampled_from([*PATHS, "user/example.com/sub/alice.xml", "user/example.com/new.yaml"]), contents),
    max_size=4,
)


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
        documents = {} if result.whole else documents
        documents |= result.documents
        for key in result.removed:
            documents.pop(key, None)
        assert documents == expected.documents


def test_a_template_that_comes_later_is_noticed() -> None:
    loader, before = Loader(), {**GOOD, "templates/user.xml.j2": "<u>{% include 'opt.j2' ignore missing %}</u>"}
    whole(before, loader)
    result = change(loader, before, {**before, "templates/opt.j2": "here"})
    assert bodies(result) == {"user/example.com/alice": b"<u>here</u>"}


@pytest.mark.parametrize(
    "text", ["'a' * 200000000", "10**9**9", "title.center(200000000)", "title|center(9)", "'%d'|format(1)"]
)
def test_templates_cannot_allocate_without_end(text: str) -> None:
    assert whole({**GOOD, "templates/user.xml.j2": "<u>{{ " + text + " }}</u>"}).problems


def test_escaping_follows_the_content_type() -> None:
    files = {**GOOD, "templates/tail.cfg.j2": "<x>{{ x }}</x>", "user/example.com/alice.yaml":
             "template: tail.cfg.j2\ncontent_type: application/soap+xml\nvalues: {x: <&>}\n",
             "device/example.com/defaults.yaml": "template: tail.cfg.j2\nvalues: {x: <&>}\n"}  # fmt: skip
    made = bodies(whole(files))
    assert made["user/example.com/alice"] == b"<x>&lt;&amp;&gt;</x>"
    assert made["device/example.com/lobby"] == b"<x><&></x>"


def test_null_and_booleans_are_written_as_configuration_files_do() -> None:
    manifest = "template: user.xml.j2\nvalues: {a: null, b: true, c: false}\n"
    files = {**GOOD, "templates/user.xml.j2": "<u>{{ a }}|{{ b }}|{{ c }}</u>", "user/example.com/alice.yaml": manifest}
    assert bodies(whole(files))["user/example.com/alice"] == b"<u>|true|false</u>"


@pytest.mark.parametrize(
    "text", ['content_types: {.xml: "text/xml\\r\\nX: y"}', "max_removals: lots", "max_removals: -1"]
)
def test_settings_are_checked(text: str) -> None:
    assert [p.path for p in whole({**GOOD, "profiles.yaml": text}).problems] == ["profiles.yaml"]


def test_a_size_that_was_not_known_is_checked_when_the_file_is_read() -> None:
    data = b"x" * 2_000_000
    load = Loader().whole([Entry("user/example.com/x.xml", "100644", "b1", None)])
    load.supply({"b1": data})
    assert "too large" in str(load.finish().problems[0])


def test_keys_of_the_sample_are_canonical() -> None:
    assert ProfileKey.device("example.com", "0004f2a1b2c3") in whole(GOOD).documents


def test_what_a_change_surely_reads_is_all_that_a_change_of_documents_wants() -> None:
    """Its content comes from nowhere else."""
    paths = [
        *GOOD,
        "user",
        "user/example.com/.gitkeep",
        "user/example.com/eve.YML",
        "bases/x.yaml",
        "files/a/b",
        "x/y.xml",
    ]
    settled = 0
    for path in paths:
        for mode in ("100644", "100755", "100664", "120000", "160000"):
            changed = [Entry(path, mode, "id", None)]
            load = Loader().change(changed, [])
            if load.is_settled and not load.is_whole:
                settled += 1
                assert set(load.wanted()) <= set(surely_read(changed)), (path, mode)
    assert settled > 50
