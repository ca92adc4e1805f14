"""Two states compared: nothing is missed, nothing is told that must not be, and a comment always fits."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_profile.loader import Problem
from gitops_profile.plan import Hunk, as_data, as_markdown, as_text, compare, subscribed_now
from gitops_profile.presentity import ProfileDocument, ProfileKey, Variant

Documents = Mapping[ProfileKey, ProfileDocument]
BODIES = st.lists(st.sampled_from(["a", "b", "c", "```", "@all", "\r", ""]), max_size=8).map(
    lambda lines: "\n".join(lines).encode()
) | st.sampled_from([b"\0\1", b"\xff", b"x" * 5000])
VARIANTS = st.lists(
    st.builds(
        Variant,
        st.sampled_from([None, "yea*", "snom"]),
        st.none(),
        st.none(),
        st.just("text/xml"),
        BODIES,
        st.booleans(),
    ),
    max_size=3,
).map(tuple)


def key(name: str) -> ProfileKey:
    return ProfileKey.device("example.com", name)


def document(name: str, body: bytes, **more: object) -> ProfileDocument:
    return ProfileDocument(key(name), "text/plain", body, f"device/example.com/{name}.yaml", **more)  # type: ignore[arg-type]


def state(*documents: ProfileDocument) -> Documents:
    return {one.key: one for one in documents}


@st.composite
def states(draw: st.DrawFn) -> Documents:
    names = draw(st.sets(st.sampled_from(["p1", "p2", "`p3`"])))
    return state(
        *(
            ProfileDocument(
                key(name),
                draw(st.sampled_from(["text/plain", "text/xml"])),
                draw(BODIES),
                draw(st.sampled_from([f"a/{name}", f"b/{name}"])),
                draw(st.booleans()),
                draw(st.sampled_from([None, 0, 5])),
                draw(VARIANTS),
                draw(st.sampled_from([(), (key("x"),), (key("x"), key("y"))])),
            )
            for name in names
        )
    )


@given(states(), states())
@settings(deadline=None)
def test_a_plan_is_empty_exactly_when_the_tables_are_equal(before: Documents, after: Documents) -> None:
    plan = compare(before, after)
    assert bool(plan) == (before != after)
    assert [c.key for c in plan.changes] == sorted(k for k in {*before, *after} if before.get(k) != after.get(k))
    assert not compare(after, after)


@given(BODIES, BODIES)
@settings(deadline=None, max_examples=300)
def test_the_hunks_of_a_document_lead_from_the_old_body_to_the_new_one(old: bytes, new: bytes) -> None:
    plan = compare(state(document("p", old)), state(document("p", new)))
    hunks = sorted((p.line, g.difference) for g in plan.groups for p in g.places if isinstance(g.difference, Hunk))
    if not hunks:
        return
    lines = new.decode().splitlines(keepends=True) if "\r" not in new.decode() else _lines(new.decode())
    for line, hunk in reversed(hunks):
        assert tuple(lines[line - 1 : line - 1 + len(hunk.added)]) == hunk.added
        lines[line - 1 : line - 1 + len(hunk.added)] = hunk.removed
    assert "".join(lines).encode() == old


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def test_the_same_hunk_in_many_profiles_is_told_once_with_what_stands_around_it_everywhere() -> None:
    def site(zone: str) -> Documents:
        return state(*(document(f"p{n}", f"name = {n}\nntp = x\nzone = {zone}\nend\n".encode()) for n in range(31)))

    plan = compare(site("UTC"), site("Europe/Paris"))
    (group,) = plan.groups
    assert group.difference == Hunk(("zone = UTC\n",), ("zone = Europe/Paris\n",))
    assert (len(group.places), group.before, group.after) == (31, ("ntp = x\n",), ("end\n",))
    text = "\n".join(as_text(plan, {key("p0"): 2}))
    assert (
        "31 devices:\n  ntp = x\n- zone = UTC\n+ zone = Europe/Paris\n  end\n    device/example.com/p0 line 3 (2 sub"
        in text
    )
    assert "… and 21 more" in text and "2 phones are subscribed" in text


@pytest.mark.parametrize(("old", "new"), [(True, True), (True, False), (False, True)])
def test_a_body_that_is_or_was_sensitive_is_nowhere(old: bool, new: bool) -> None:
    before = state(document("p", b"common\nhush1\n", sensitive=old))
    after = state(document("p", b"common\nhush2\n", sensitive=new), document("q", b"hush3\n", sensitive=True))
    plan = compare(before, after)
    for output in ("\n".join(as_text(plan)), as_markdown(plan), str(as_data(plan))):
        assert "hush" not in output and "common" not in output
        assert after[key("p")].etag not in output, "a short secret can be guessed from its hash"
    assert "+ <secret>" in as_markdown(plan)


def test_a_new_password_is_a_change_whose_values_are_not_seen() -> None:
    plan = compare(state(document("p", b"password = hush1\n")), state(document("p", b"password = hush2\n")))
    assert plan and "hush" not in as_markdown(plan) + str(as_data(plan)) + "".join(as_text(plan))


def test_what_is_too_large_for_udp_or_for_pjsip_is_said() -> None:
    plan = compare({}, state(document("a", b"x"), document("b", b"x" * 700), document("c", b"x" * 4000)))
    ways = [row["parts"][0]["delivery"] for row in as_data(plan)["profiles"]]
    assert ways == ["any", "tcp-or-link", "link"]
    assert "needs TCP" in as_markdown(plan) and "PJSIP" in "\n".join(as_text(plan))


EVIL = st.text(st.sampled_from("`~<>\n\r@#ab![]()|\u2028\u202e-"), max_size=60)


@given(st.lists(EVIL, max_size=5), st.integers(0, 3))
@settings(deadline=None)
def test_no_text_of_a_document_leaves_its_fence(bodies: list[str], problems: int) -> None:
    before = state(*(document(f"p{n}", b"old") for n in range(len(bodies))))
    after = state(*(document(f"p{n}", body.encode()) for n, body in enumerate(bodies)))
    told = [Problem("x`y", 1, 1, body) for body in bodies[:problems]]
    for text in (as_markdown(compare(before, after)), as_markdown(compare({}, {}), told)):
        outside, fence = [], ""
        for line in text.split("\n"):
            ticks = len(line) - len(line.lstrip("`")) if line.startswith("```") else 0
            if not fence and ticks:
                fence = "`" * ticks
            elif fence and line.strip(" ") and set(line.strip(" ")) == {"`"} and len(line.strip(" ")) >= len(fence):
                fence = ""
            elif not fence:
                outside.append(line)
        assert not fence
        assert not any(c in line for line in outside for c in "@~[]|\r\u2028\u202e"), outside
        assert "\r" not in text and "\u202e" not in text


@given(st.lists(st.binary(max_size=300) | st.just(b"`" * 70_000), max_size=20), st.integers(1000, 5000))
@settings(deadline=None, max_examples=50)
def test_markdown_fits_whatever_changes(bodies: list[bytes], limit: int) -> None:
    plan = compare({}, state(*(document(f"p{n}", body) for n, body in enumerate(bodies))))
    text = as_markdown(plan, limit=limit)
    assert len(text.encode()) <= limit and text.startswith("<!-- gitops-profile plan -->\n")


def test_what_does_not_fit_is_counted() -> None:
    after = state(*(document(f"p{n}", b"zone = %d\n" % n * 50) for n in range(2000)))
    text = as_markdown(compare(state(*(document(f"p{n}", b"old\n") for n in range(2000))), after))
    assert 40_000 < len(text.encode()) <= 65_000 and "more blocks did not fit here" in text
    many = as_markdown(compare({}, {}), [Problem(f"f{n}", 1, 1, "m" * 500) for n in range(1000)])
    assert len(many.encode()) <= 65_000 and "1000 problems" in many and "did not fit" in many


def test_subscriptions_are_counted_under_aliases_and_for_unknown_devices() -> None:
    before = state(document("p", b"1", aliases=(key("old"),)), document("default", b"1"), document("same", b"1"))
    after = state(document("p", b"2", aliases=(key("new"),)), document("default", b"2"), document("same", b"1"))
    names = ["p", "old", "new", "same", "stranger"]
    counts = subscribed_now(
        compare(before, after).changes, [*(str(key(n)) for n in names), "?"], {*before, key("old")}, "default"
    )
    assert counts == {key("p"): 3, key("default"): 1}
