"""What payloads are about. The payloads have the fields of each vendor's documentation, and more."""

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gitops_profile.forge import Delivery, Kind, concerns, read_delivery

GITHUB = {"X-GitHub-Event": "push"}


def read(provider: str, headers: dict[str, str], payload: object, *, form: bool = False) -> Delivery:
    text = json.dumps(payload)
    body = urlencode({"payload": text}) if form else text
    return read_delivery(provider, CIMultiDict(headers), body.encode(), form=form)


@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ("github", GITHUB),
        ("gitea", {"X-Gitea-Event": "push"}),
        ("gitea", {"X-Forgejo-Event": "push", "X-Gitea-Event": "push"}),
        ("gitlab", {"X-Gitlab-Event": "Push Hook"}),
        ("generic", {}),
    ],
)
def test_a_push_names_its_ref(provider: str, headers: dict[str, str], form: bool) -> None:
    payload = {"object_kind": "push", "ref": "refs/heads/main", "before": "0" * 40, "after": "1" * 40, "commits": []}
    delivery = read(provider, headers, payload, form=form)
    assert delivery == Delivery(Kind.PUSH, frozenset({"refs/heads/main"}))
    assert concerns(delivery, "main") and concerns(delivery, "refs/heads/main") and concerns(delivery, "HEAD")
    assert not concerns(delivery, "other") and not concerns(delivery, "refs/tags/main")


def test_a_tag() -> None:
    delivery = read("gitlab", {"X-Gitlab-Event": "Tag Push Hook"}, {"ref": "refs/tags/v1"})
    assert concerns(delivery, "v1") and not concerns(delivery, "main")


def test_a_branch_whose_name_has_a_slash() -> None:
    delivery = read("github", GITHUB, {"ref": "refs/heads/site/main"})
    assert concerns(delivery, "site/main") and not concerns(delivery, "main")


@pytest.mark.parametrize(
    ("provider", "headers", "kind"),
    [
        ("github", {"X-GitHub-Event": "ping"}, Kind.PING),
        ("github", {"X-GitHub-Event": "pull_request"}, Kind.OTHER),
        ("github", {}, Kind.OTHER),
        ("gitea", {"X-Gitea-Event": "issues"}, Kind.OTHER),
        ("gitlab", {"X-Gitlab-Event": "Merge Request Hook"}, Kind.OTHER),
    ],
)
def test_what_is_no_push(provider: str, headers: dict[str, str], kind: Kind) -> None:
    assert read(provider, headers, {"ref": "refs/heads/main", "zen": "x"}).kind is kind


def test_a_system_hook_of_gitlab_tells_of_much_else() -> None:
    headers = {"X-Gitlab-Event": "System Hook"}
    assert read("gitlab", headers, {"event_name": "user_create"}).kind is Kind.OTHER
    update = {"event_name": "repository_update", "changes": [{"ref": "refs/heads/main"}, {"ref": 3}, None]}
    assert read("gitlab", headers, update) == Delivery(Kind.PUSH, frozenset({"refs/heads/main"}))


def test_what_cannot_be_read_is_a_reason_to_look() -> None:
    for body in (b"", b"{", b"[]", b"\xff", b'{"ref": 3}', b"[" * 100_000, None):
        delivery = read_delivery("github", CIMultiDict(GITHUB), body, form=False)
        assert delivery == Delivery(Kind.PUSH) and concerns(delivery, "main")
    for body in (b"", b"payload=", b"a=1&" * 1000, b"%ff"):
        assert read_delivery("github", CIMultiDict(GITHUB), body, form=True) == Delivery(Kind.PUSH)


@given(st.sampled_from(["github", "gitlab", "gitea", "generic"]), st.binary(), st.booleans(), st.text())
def test_nothing_raises(provider: str, body: bytes, form: bool, event: str) -> None:
    headers = {"X-GitHub-Event": event, "X-Gitlab-Event": event}
    concerns(read_delivery(provider, CIMultiDict(headers), body, form=form), "main")
