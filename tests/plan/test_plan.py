"""Two states compared: nothing is missed, nothing is told that must not be, and a comment always fits."""

import hashlib
import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gitops_profile.loader import Problem
from gitops_profile.plan import Hunk, Outlook, Phones, as_data, as_markdown, as_text, compare, phones_now
from gitops_profile.presentity import NotifyPolicy, ProfileDocument, ProfileKey, Variant, Window

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

POLICIES = [
    NotifyPolicy(),
    NotifyPolicy(may_reboot=True),
    NotifyPolicy(aor="sip:1@example.com"),
    *(NotifyPolicy(windows=(Window(allows, "0 2 * * *", 3600, "UTC"),)) for allows in (True, False)),
]


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
                draw(st.sampled_from(POLICIES)),
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
    text = "\n".join(as_text(plan, Outlook(Phones({key("p0"): 2}, {key("p0"): 1}))))
    assert (
        "31 devices:\n  ntp = x\n- zone = UTC\n+ zone = Europe/Paris\n  end\n"
        "    device/example.com/p0 line 3 (2 subscribed, 1 NOTIFYed)" in text
    )
    assert "… and 21 more" in text and "2 phones are subscribed to them now, 1 would be sent a NOTIFY" in text


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


# What starts and ends things in markdown and HTML, mentions, references, comments of HTML, and what turns text around.
EVIL = st.lists(
    st.sampled_from(
        [
            *(
                "`",
                "```",
                "````",
                "~~~",
                "\n",
                "\r",
                "\r\n",
                " ",
                "    ",
                "\t",
                "<!--",
                "-->",
                "<script>",
                "</details>",
            ),
            *("&lt;", "@team", "#123", "GH-1", "owner/repo#1", "https://x.example", "![a](http://b)", "[a]: http://b"),
            *("<p>", "|", "---", "- ", "> ", "diff", "\u2028", "\u202e", "\u200b", "\x00", "\x0b", "\x85", "ä", "🙂"),
            *("$$", ":+1:", "\\", "a"),
        ]
    ),
    max_size=30,
).map("".join)
OUR_HTML = {
    "<!-- gitops-profile plan -->",
    "<details><summary>which</summary>",
    "</details>",
}


def prose_of(text: str) -> tuple[str, str]:
    """What an independent parser of CommonMark makes of a comment: all that is not code, and all that is."""
    prose, code = [], []
    for token in MarkdownIt("commonmark").parse(text):
        if token.type in ("fence", "code_block"):
            assert token.type == "fence" and token.info in ("", "diff"), token
            code.append(token.content)
        elif token.type == "html_block":
            assert set(token.content.strip().split("\n")) <= OUR_HTML, token
        elif token.type == "inline":
            assert {child.type for child in token.children or ()} <= {
                "text", "strong_open", "strong_close", "code_inline", "softbreak",
            }, token  # fmt: skip
            prose.append(token.content)
        else:
            assert token.type.partition("_")[0] in ("paragraph", "heading"), token
    return "\n".join(prose), "".join(code)


@given(st.lists(EVIL, max_size=4), st.lists(EVIL, max_size=3), EVIL)
@settings(deadline=None, max_examples=200)
def test_no_text_of_a_document_leaves_its_fence(old: list[str], new: list[str], other: str) -> None:
    def side(bodies: list[str], path: str) -> Documents:
        found = {}
        for n, body in enumerate(bodies):
            name = ProfileKey.user("example.com", f"u{n}`@team#1<!--")
            variant = Variant(f"{path[:200]}*", None, None, "text/plain", body.encode())
            aliases = (ProfileKey.user("example.com", f"{path.strip() or 'x'}"[:200]),) if path.isprintable() else ()
            found[name] = ProfileDocument(
                name, f"text/{path}", body.encode(), f"{path}/{n}", n == 2, n, (variant,), aliases
            )
        return found

    plan = compare(side(old, "a"), side(new, other))
    outlook = Outlook(Phones({}, {}), dict.fromkeys((c.key for c in plan.changes), "allow"), (other, "x"), other)
    told = [Problem(other, 1, 1, body, other) for body in new]
    for text in (as_markdown(plan), as_markdown(plan, outlook=outlook), as_markdown(compare({}, {}), told, outlook)):
        prose, code = prose_of(text)
        words = re.sub(r"\d+", "N", prose)
        assert not re.search(r"@|#|https?:|team|script|x\.example|\$|[^ -~\n—]", words), words
        assert not re.search("[\0-\x09\x0b-\x1f\u2028\u202e\u200b\x85]", code)


@given(
    st.lists(st.binary(max_size=300) | st.just(b"`" * 70_000) | st.just("🙂ä".encode() * 9_000), max_size=20),
    st.integers(1000, 5000),
)
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


@pytest.mark.parametrize("letter", ["a", "ä", "水", "🙂"])
def test_a_comment_fills_its_room_and_never_more_in_bytes_as_in_characters(letter: str) -> None:
    """GitHub takes 65 536 characters, which others count as bytes or as UTF-16."""
    before = state(*(document(f"p{n}", b"old\n") for n in range(3000)))
    after = state(*(document(f"p{n}", f"{n} {letter * (n % 200)}\n".encode()) for n in range(3000)))
    text = as_markdown(compare(before, after))
    assert 63_000 < len(text.encode()) <= 65_000 and len(text.encode("utf-16-le")) // 2 <= 65_000
    prose, _ = prose_of(text)
    assert "did not fit here" in prose and "3000 changed" in prose


def test_what_is_to_be_noted_is_in_every_output() -> None:
    outlook = Outlook(notes=("BASE `is` @odd",), held="11 of 12 removed <b>")
    for text in (as_markdown(compare({}, {}), outlook=outlook), "\n".join(as_text(compare({}, {}), outlook))):
        assert "note: BASE `is` @odd" in text and "would be held: 11 of 12 removed <b>" in text
    data = as_data(compare({}, {}), outlook)
    assert data["notes"] == ["BASE `is` @odd"] and data["held"] == "11 of 12 removed <b>"


def test_what_a_phone_does_about_it_is_said_where_it_is_known() -> None:
    before = state(*(document(n, b"1") for n in "abc"))
    after = state(
        document("a", b"2", effective_by=0),
        document("b", b"2", effective_by=90, sensitive=True),
        document("c", b"2"),
    )
    plan = compare(before, after)
    outlook = Outlook(reboot={key("a"): "allow", key("b"): "never"})
    for text in (as_markdown(plan, outlook=outlook), "\n".join(as_text(plan, outlook))):
        assert "in effect at once (effective_by: 0)" in text and "in effect within 90 s" in text
        assert "may be rebooted for it" in text and "no phone is rebooted" in text and "over TLS only" in text
    rows = as_data(plan, outlook)["profiles"]
    assert [row.get("reboot") for row in rows] == ["allow", "never", None]
    assert [row["parts"][0]["delivery"] for row in rows] == ["any", "tls-or-https-link", "any"]
    assert rows[1]["parts"][0]["bytes"] is None


def test_a_renamed_file_is_one_move_and_what_changed_in_it() -> None:
    before = state(document("p", b"zone = UTC\n"), document("q", b"x"))
    moved = ProfileDocument(key("p"), "text/plain", b"zone = CET\n", "device/example.com/hq/p.yaml")
    q = ProfileDocument(key("q"), "text/plain", b"x", "device/example.com/hq/q.yaml")
    plan = compare(before, state(moved, q))
    text = "\n".join(as_text(plan))
    assert "0 added, 2 changed, 0 removed of 2 profiles; 1 of them no phone sees" in text
    assert "2 devices:\n- path: device/example.com/\n+ path: device/example.com/hq/\n" in text
    assert "1 device:\n- zone = UTC\n+ zone = CET\n" in text


def test_bodies_that_are_no_text_are_told_by_size_and_hash() -> None:
    plan = compare(state(document("p", b"\0one")), state(document("p", b"\xff\xfetwo!"), document("q", b"\x89PNG\0")))
    text = as_markdown(plan)
    assert f"- 4 bytes, sha256 {hashlib.sha256(bytes(1) + b'one').hexdigest()[:16]}…" in text and "+ 6 bytes" in text
    assert "+ 5 bytes" in text and "PNG" not in text
    assert as_data(plan)["differences"][0]["kind"] == "binary"
    assert "\n+ 6 bytes" in "\n".join(as_text(plan))


def subscription(name: str, vendor: str | None = None) -> dict[str, object]:
    return {
        "key": name if name == "?" else str(key(name)),
        "device": {"vendor": vendor, "model": None, "version": None},
    }


def test_subscriptions_are_counted_under_aliases_and_for_unknown_devices() -> None:
    before = state(document("p", b"1", aliases=(key("old"),)), document("default", b"1"), document("same", b"1"))
    after = state(document("p", b"2", aliases=(key("new"),)), document("default", b"2"), document("same", b"1"))
    rows = [subscription(name) for name in ("p", "old", "new", "same", "stranger", "?")]
    phones = phones_now(compare(before, after), before, after, rows)
    # `old` is the default's from now on, and `new` was: each of them is given something else.
    assert phones.subscribed == {key("p"): 2, key("default"): 2} == phones.notified


def test_only_those_are_notified_whose_own_variant_changes() -> None:
    def side(common: bytes, snom: bytes) -> Documents:
        return state(document("p", common, variants=(Variant("snom*", None, None, "text/xml", snom),)))

    rows = [subscription("p"), subscription("p", "Snom"), subscription("p", "Yealink")]
    before = side(b"1", b"1")
    for after, expected in ((side(b"2", b"1"), 2), (side(b"1", b"2"), 1), (side(b"2", b"2"), 3)):
        phones = phones_now(compare(before, after), before, after, rows)
        assert (phones.subscribed, phones.notified) == ({key("p"): 3}, {key("p"): expected})
    assert phones_now(compare(before, {}), before, {}, rows).notified == {key("p"): 3}


def test_a_document_that_becomes_sensitive_is_told() -> None:
    before = state(document("p", b"1"))
    after = {key("p"): before[key("p")].but(sensitive=True)}
    for old, new in ((before, after), (after, before)):
        assert phones_now(compare(old, new), old, new, [subscription("p")]).notified == {key("p"): 1}


def test_a_file_that_only_moved_notifies_nobody() -> None:
    before = state(document("p", b"1"))
    after = {key("p"): ProfileDocument(key("p"), "text/plain", b"1", "elsewhere/p.yaml")}
    phones = phones_now(compare(before, after), before, after, [subscription("p")])
    assert (phones.subscribed, dict(phones.notified)) == ({key("p"): 1}, {})


def test_how_phones_are_told_is_shown_and_reaches_no_phone() -> None:
    windows = (Window(True, "0 22 * * *", 14400, "Europe/Berlin"), Window(False, "0 0 1 1 *", 86400, "UTC"))
    old = document("a", b"x\n")
    new = old.but(notify=NotifyPolicy(True, "sip:1@example.com", windows))
    plan = compare(state(old), state(new))
    text = "\n".join(as_text(plan))
    assert "0 added, 1 changed, 0 removed of 1 profiles; 1 of them no phone sees" in text
    assert "- notify.reboot: never\n+ notify.reboot: allow\n" in text
    assert "+ notify.aor: sip:1@example.com\n" in text
    assert "+ notify.allow: 0 22 * * * (Europe/Berlin) for 4h\n" in text
    assert "+ notify.deny: 0 0 1 1 * (UTC) for 1d\n" in text
    assert not compare(state(new), state(new)).changes
