"""What a plan says of phones that reboot anyway, or cannot be told."""

import pytest

from gitops_profile.plan import Outlook, Phones, as_data, as_markdown, as_text, compare
from gitops_profile.presentity import ProfileDocument, ProfileKey, Variant

YEALINK, SNOM, FLYING, LINPHONE = "001565aabbcc", "000413aabbcc", "0021f2aabbcc", "lobby"


def key(name: str) -> ProfileKey:
    return ProfileKey.device("example.com", name)


def document(name: str, body: bytes, *variants: Variant, aliases: tuple[ProfileKey, ...] = ()) -> ProfileDocument:
    path = f"device/example.com/{name}.yaml"
    return ProfileDocument(key(name), "text/plain", body, path, variants=variants, aliases=aliases)


def said_of(*pairs: tuple[ProfileDocument, ProfileDocument | None], outlook: Outlook | None = None) -> dict[str, str]:
    before = {old.key: old for old, _ in pairs}
    after = {new.key: new for _, new in pairs if new is not None}
    plan = compare(before, after)
    rows = as_data(plan, outlook or Outlook())["profiles"]
    text = "\n".join(as_text(plan, outlook or Outlook()))
    said = {row["key"].rpartition("/")[2]: "; ".join(row.get("warnings", ())) for row in rows}
    for warning in filter(None, said.values()):
        assert f"{warning}:\n    device/example.com/" in text
        assert warning in as_markdown(plan, (), outlook or Outlook())
    return said


def test_only_phones_that_reboot_anyway_or_cannot_be_told_are_warned_of() -> None:
    said = said_of(
        (document(YEALINK, b"1"), document(YEALINK, b"2")),
        (document(SNOM, b"1"), document(SNOM, b"2")),
        (document("unknown", b"1"), document("unknown", b"2")),
        (document(LINPHONE, b"1", Variant("*linphone*", None, None, "a/b", b"3")),
         document(LINPHONE, b"1", Variant("*linphone*", None, None, "a/b", b"4"))),
    )  # fmt: skip
    assert said[YEALINK].startswith("yealink phones may reboot for it") and "notify_reboot_enable" in said[YEALINK]
    assert said[SNOM] == said["unknown"] == ""
    assert said[LINPHONE].startswith("linphone phones have no known way to be told")


@pytest.mark.parametrize(
    ("policy", "words"),
    [({}, "are not told of it, unless"), ({key(FLYING): "never"}, "are not told of it, unless"),
     ({key(FLYING): "allow"}, "reboot for it: ")],
)  # fmt: skip
def test_a_phone_that_only_knows_reboots_is_told_when_its_manifest_allows_it(
    policy: dict[ProfileKey, str], words: str
) -> None:
    said = said_of((document(FLYING, b"1"), document(FLYING, b"2")), outlook=Outlook(reboot=policy))
    assert f"flyingvoice phones {words}" in said[FLYING]


def test_nothing_is_said_of_what_reaches_nobody_or_is_subscribed_to() -> None:
    old = document(YEALINK, b"1")
    moved = ProfileDocument(old.key, old.content_type, old.body, "device/example.com/hq/other.yaml")
    assert said_of((old, None)) == {YEALINK: ""}
    assert said_of((old, moved)) == {YEALINK: ""}
    subscribed = Outlook(Phones({old.key: 1}, {old.key: 1}))
    assert said_of((old, document(YEALINK, b"2")), outlook=subscribed) == {YEALINK: ""}


def test_the_vendor_is_known_by_an_alias_and_by_a_further_file_of_the_phone() -> None:
    said = said_of(
        (document("desk", b"1", aliases=(key(YEALINK),)), document("desk", b"2", aliases=(key(YEALINK),))),
        (document(f"{YEALINK}.boot", b"1"), document(f"{YEALINK}.boot", b"2")),
    )
    assert all("yealink phones may reboot" in text for text in said.values()) and len(said) == 2
