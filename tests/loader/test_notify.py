"""`notify:` of manifests, folders, bases and profiles.yaml, inherited key by key."""

import json

import pytest
from jsonschema import Draft202012Validator

from gitops_profile.loader import Loader, manifest_schema
from gitops_profile.presentity import NO_POLICY, NotifyPolicy, ProfileKey, Window
from tests.loader.tree import Files, change, whole

MANIFEST = "body: x\n"
PHONE = ProfileKey.device("example.com", "0004f2a1b2c3")
PLAIN = ProfileKey.user("example.com", "bob")
PHONE_FILE = "device/example.com/hq/0004f2a1b2c3.yaml"
PLAIN_FILE = "user/example.com/bob.xml"
NIGHT = "notify: {allow: [{cron: 0 22 * * *, duration: 4h, timezone: Europe/Berlin}]}\n"
NIGHT_WINDOW = Window(True, "0 22 * * *", 4 * 3600, "Europe/Berlin")
OFFICE = "notify:\n  deny:\n    - cron: 0 8 * * 1-5\n      duration: 10h\n"
OFFICE_WINDOW = Window(False, "0 8 * * 1-5", 10 * 3600, "UTC")


def policy(files: Files, key: ProfileKey = PHONE) -> NotifyPolicy:
    result = whole(files)
    assert result.problems == ()
    return result.documents[key].notify


def problem(files: Files) -> str:
    (found,) = whole(files).problems
    return f"{found.path}:{found.line}:{found.column}: {found.message} ({found.hint})"


def test_a_manifest_says_how_its_phones_are_told() -> None:
    text = "body: x\nnotify: {reboot: allow, aor: 'sip:2001@example.com'}\n"
    assert policy({PHONE_FILE: text}) == NotifyPolicy(True, "sip:2001@example.com")


def test_who_says_nothing_has_the_one_policy_that_says_nothing() -> None:
    assert policy({PHONE_FILE: MANIFEST}) == NO_POLICY
    assert policy({PHONE_FILE: "body: x\nnotify:\n"}) == NO_POLICY


def test_each_key_is_inherited_by_itself_and_the_nearest_counts() -> None:
    files = {
        "profiles.yaml": "notify: {reboot: allow, deny: [{cron: 0 0 1 1 *, duration: 1d}]}\n",
        "defaults.yaml": NIGHT,
        "device/example.com/hq/defaults.yaml": OFFICE,
        PHONE_FILE: "body: x\nnotify: {aor: 'sip:1@example.com'}\n",
    }
    assert policy(files) == NotifyPolicy(True, "sip:1@example.com", (NIGHT_WINDOW, OFFICE_WINDOW))
    again = {**files, PHONE_FILE: "body: x\nnotify: {reboot: never, allow: [], deny: }\n"}
    assert policy(again) == NotifyPolicy(False, None, (OFFICE_WINDOW,))


def test_a_base_says_it_for_those_that_extend_it() -> None:
    files = {
        "bases/yealink.yaml": "notify: {reboot: allow}\n",
        "device/example.com/defaults.yaml": "notify: {reboot: never}\n",
        PHONE_FILE: "extends: yealink\nbody: x\n",
        "device/example.com/other.yaml": MANIFEST,
    }
    assert policy(files).may_reboot
    assert not policy(files, ProfileKey.device("example.com", "other")).may_reboot


def test_a_plain_document_has_what_its_folder_says() -> None:
    assert policy({PLAIN_FILE: "<a/>", "user/defaults.yaml": NIGHT}, PLAIN).windows == (NIGHT_WINDOW,)


def test_documents_with_the_same_policy_share_one_object() -> None:
    files = {f"device/example.com/{n}.yaml": MANIFEST for n in "ab"} | {"device/defaults.yaml": NIGHT}
    one, other = whole(files).documents.values()
    assert one.notify is other.notify


BEFORE = {PLAIN_FILE: "<a/>", PHONE_FILE: MANIFEST, "user/example.com/x/carol.cfg": "c", "local-network/e.org.xml": "n"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", NIGHT),
        (NIGHT, OFFICE),
        (OFFICE, ""),
        ("values: {a: 1}\n", '"\\x6eotify": {reboot: allow}\n'),
        (NIGHT, None),
        (None, NIGHT),
    ],
)
@pytest.mark.parametrize("folder", ["", "user/", "user/example.com/"])
def test_a_change_of_a_folders_policy_reaches_all_below_it_as_a_whole_load_would(
    before: str | None, after: str | None, folder: str
) -> None:
    defaults = f"{folder}defaults.yaml"
    old = BEFORE if before is None else BEFORE | {defaults: before}
    new = BEFORE if after is None else BEFORE | {defaults: after}
    loader = Loader()
    documents = whole(old, loader).documents
    found = change(loader, old, new)
    wanted = whole(new).documents
    assert {**documents, **found.documents} == wanted
    assert documents[PLAIN] != wanted[PLAIN]
    if folder:
        assert ProfileKey.local_network("e.org") not in found.documents


def test_a_folders_other_keys_do_not_have_its_plain_documents_read_again() -> None:
    loader = Loader()
    old, new = BEFORE | {"defaults.yaml": "values: {a: 1}\n"}, BEFORE | {"defaults.yaml": "values: {a: 2}\n"}
    whole(old, loader)
    assert set(change(loader, old, new).documents) == {PHONE}


def test_a_change_of_profiles_yaml_reaches_everything() -> None:
    loader = Loader()
    whole(BEFORE, loader)
    found = change(loader, BEFORE, BEFORE | {"profiles.yaml": NIGHT})
    assert all(document.notify.windows == (NIGHT_WINDOW,) for document in found.documents.values())
    assert len(found.documents) == len(BEFORE)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{reboot: always}", "2:10: notify.reboot: Input should be 'never' or 'allow' ()"),
        ("{reboots: never}", "2:10: unknown key 'reboots' (did you mean 'reboot'?)"),
        ("{aor: 2001}", "2:10: notify.aor: Input should be a valid string ()"),
        ("{aor: 'tel:1'}", "2:10: notify.aor: Value error, 'tel:1' is no SIP URI, such as sip:2001@example.com ()"),
        ("{allow: [{cron: 0 0 31 2 *, duration: 1h}]}", "2:19: notify.allow.0.cron: Value error, '0 0 31 2 *': bad"),
        ("{allow: [{cron: 0 0 1 1, duration: 1h}]}", "2:19: notify.allow.0.cron: Value error, '0 0 1 1' has not the"),
        ("{deny: [{cron: 0 0 * * *, duration: 90}]}", "2:35: notify.deny.0.duration: Input should be a valid string"),
        ("{deny: [{cron: 0 0 * * *, duration: 5s}]}", "2:35: notify.deny.0.duration: Value error, '5s' is no duration"),
        ("{deny: [{cron: 0 0 * * *, duration: 32d}]}", "'32d' is not between 1m and 31d"),
        (f"{{deny: [{{cron: '0 {','.join('0' * 101)} * * *', duration: 1h}}]}}", "at most 200 characters"),
        ("{deny: [{cron: 0 0 * * *}]}", "notify.deny.0.duration: Field required"),
        ("{deny: [{cron: 0 0 * * *, duration: 1h, timezone: Mars/Base}]}", "'Mars/Base' is no time zone"),
        ("{deny: [{cron: 0 0 * * *, duration: 1h, timezone: ../../etc/passwd}]}", "is no time zone"),
        ("{deny: [{cron: 0 0 * * *, duration: 1h, timezone: Europe}]}", "is no time zone"),
        ("{deny: [{cron: 0 0 * * *, length: 1h, duration: 1h}]}", "unknown key 'length'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(said: str, message: str) -> None:
    assert message in problem({PHONE_FILE: f"body: x\nnotify: {said}\n"})


@pytest.mark.parametrize(
    "uri", ["sip:a@b\r\nX: y", "sip:a b@c", "sip:<a>@b", "sip:a@b?x=y", "sip:@b", "sip:" + "a" * 300]
)
def test_an_aor_that_could_do_something_in_a_message_is_refused(uri: str) -> None:
    assert "is no SIP URI" in problem({PHONE_FILE: f"body: x\nnotify: {{aor: {json.dumps(uri)}}}\n"})


@pytest.mark.parametrize("file", ["defaults.yaml", "profiles.yaml", "bases/b.yaml"])
def test_only_a_manifest_names_an_aor(file: str) -> None:
    found = problem({file: "notify: {aor: 'sip:1@example.com'}\n", PLAIN_FILE: "x"})
    assert found == f"{file}:1:10: aor: many phones have no AoR in common (name it in the manifest of each device)"


def test_a_variant_has_no_policy_of_its_own() -> None:
    text = "body: x\nvariants: [{when: {vendor: Y*}, body: y, notify: {reboot: allow}}]\n"
    assert "a variant has no policy of its own" in problem({PHONE_FILE: text})


def test_the_schema_for_editors_takes_what_the_loader_takes() -> None:
    check = Draft202012Validator(manifest_schema())
    good = {"body": "x", "notify": {"reboot": "never", "allow": [{"cron": "0 2 * * *", "duration": "1h"}]}}
    assert check.is_valid(good)
    assert not check.is_valid({"body": "x", "notify": {"reboot": "sometimes"}})
    assert not check.is_valid({"body": "x", "notify": {"allow": [{"cron": "0 2 * * *"}]}})
