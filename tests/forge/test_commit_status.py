"""Requests for commit statuses, and what the answers to them mean."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.forge import (
    CommitStatus,
    Delivered,
    Dropped,
    Later,
    Provider,
    State,
    StatusTarget,
    default_api,
    judge,
    locate,
    status_request,
)
from tests.server.forge_double import SCHEMAS

COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
NOW = 1_700_000_000.0


def target(provider: str, repository: str = "octocat/example", link: str | None = None) -> StatusTarget:
    return StatusTarget(Provider(provider), "https://api.example.com", repository, "gitops-profile", link)


@pytest.mark.parametrize("provider", list(Provider))
@given(description=st.text(max_size=400), state=st.sampled_from(State))
def test_every_status_fits_the_vendors_schema(provider: Provider, description: str, state: State) -> None:
    status = CommitStatus.of(COMMIT, state, description)
    request = status_request(target(provider, link="https://example.com/x"), status, "token")
    jsonschema.validate(json.loads(request.body), SCHEMAS[provider])
    assert "\n" not in status.description and len(status.description) <= 140


def test_a_long_description_is_cut_with_an_ellipsis() -> None:
    assert CommitStatus.of(COMMIT, State.FAILURE, "é" * 140).description == "é" * 140
    assert CommitStatus.of(COMMIT, State.FAILURE, "é" * 141).description == "é" * 139 + "…"


def test_groups_of_gitlab_are_one_path_segment() -> None:
    request = status_request(target("gitlab", "group/sub group/pbx"), CommitStatus.of(COMMIT, State.PENDING, ""), "t")
    assert request.url == f"https://api.example.com/projects/group%2Fsub%20group%2Fpbx/statuses/{COMMIT}"


@pytest.mark.parametrize("token", ["", "two words", "a\r\nX-Evil: 1", "é"])
def test_what_is_no_token_is_never_sent(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        status_request(target("github"), CommitStatus.of(COMMIT, State.SUCCESS, ""), token)


def test_the_token_is_in_no_representation() -> None:
    request = status_request(target("github"), CommitStatus.of(COMMIT, State.SUCCESS, ""), "very-secret")
    assert "very-secret" not in repr(request)


@pytest.mark.parametrize("commit", ["", "main", "6dcb09b", COMMIT.upper(), f"{COMMIT}/../x"])
def test_only_a_whole_object_id_is_a_commit(commit: str) -> None:
    with pytest.raises(ValueError, match="object id"):
        CommitStatus.of(commit, State.SUCCESS, "")


@pytest.mark.parametrize(
    ("url", "host", "name"),
    [
        ("https://github.com/octocat/example.git", "github.com", "octocat/example"),
        ("https://user:secret@GitHub.com/octocat/example/", "github.com", "octocat/example"),
        ("ssh://git@git.example.com:2222/group/sub/pbx.git", "git.example.com", "group/sub/pbx"),
        ("git@gitlab.com:group/pbx.git", "gitlab.com", "group/pbx"),
        ("codeberg.org:me/pbx", "codeberg.org", "me/pbx"),
    ],
)
def test_a_repository_is_found_in_its_url(url: str, host: str, name: str) -> None:
    found = locate(url)
    assert found is not None and (found.host, found.name) == (host, name)


@pytest.mark.parametrize(
    "url", [".", "/srv/profiles.git", "../x/y", "file:///srv/a/b", "https://example.com/", "https://h/one", "https://[/a/b",
            "https://h/a/../../b", "host:/"],
)  # fmt: skip
def test_a_path_is_no_repository_of_a_forge(url: str) -> None:
    assert locate(url) is None


def test_where_the_apis_are() -> None:
    def api(provider: str, url: str) -> str:
        found = locate(url)
        assert found is not None
        return default_api(provider, found)

    assert api("github", "https://github.com/o/r") == "https://api.github.com"
    assert api("github", "ssh://git@ssh.github.com:443/o/r.git") == "https://api.github.com"
    assert api("github", "git@ghe.example.com:o/r") == "https://ghe.example.com/api/v3"
    assert api("gitlab", "https://gitlab.com:443/o/r") == "https://gitlab.com/api/v4"
    assert api("gitlab", "ssh://git@altssh.gitlab.com:443/o/r") == "https://gitlab.com/api/v4"
    assert api("gitea", "codeberg.org:o/r") == "https://codeberg.org/api/v1"
    # The port is that of the forge's web server, and what listens on another one must not get the token.
    assert api("gitea", "https://git.example.com:3000/o/r.git") == "https://git.example.com:3000/api/v1"
    assert api("gitea", "http://u:p@[2001:db8::1]:3000/o/r") == "https://[2001:db8::1]:3000/api/v1"
    assert api("gitlab", "ssh://git@git.example.com:2222/o/r") == "https://git.example.com/api/v4"
    assert api("gitea", "ssh://git@[2001:db8::1]:2222/o/r") == "https://[2001:db8::1]/api/v1"


def test_what_is_delivered() -> None:
    assert judge(Provider.GITHUB, 201, {}, b'{"id": 1}', NOW) == Delivered()
    repeated = b'{"message":"Cannot transition status via :run from :running (Reason(s): Status cannot transition)"}'
    assert judge(Provider.GITLAB, 400, {}, repeated, NOW) == Delivered()
    assert isinstance(judge(Provider.GITHUB, 400, {}, repeated, NOW), Dropped)


@pytest.mark.parametrize("status", [400, 410, 413, 422, 301, 302, 307, 308])
def test_what_can_never_succeed(status: int) -> None:
    assert isinstance(judge(Provider.GITHUB, status, {}, b"", NOW), Dropped)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 401, 403, 404, 408, 429, 500, 502, 503, 504])
def test_what_is_tried_again(status: int) -> None:
    for body in (b"", b"<html>welcome to the hotel</html>", b"[]", b"\xff", b"[" * 100_000):
        reply = judge(Provider.GITEA, status, {}, body, NOW)
        assert isinstance(reply, Later) and reply.seconds is None and reply.reason


def test_a_repository_that_the_token_may_not_see_is_tried_again_and_a_commit_that_is_not_there_is_not() -> None:
    hidden = judge(Provider.GITHUB, 404, {"retry-after": "60"}, b'{"message": "Not Found"}', NOW)
    assert hidden == Later("404: no such repository, or the token may not see it", 60.0)
    assert isinstance(judge(Provider.GITLAB, 404, {}, b'{"message": "404 Project Not Found"}', NOW), Later)
    assert isinstance(judge(Provider.GITLAB, 404, {}, b'{"message": "404 Commit Not Found"}', NOW), Dropped)


@pytest.mark.parametrize(
    ("provider", "headers", "seconds"),
    [
        ("github", {"retry-after": "60"}, 60.0),
        ("github", {"retry-after": format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True)}, 90.0),
        ("github", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 30)}, 30.0),
        ("gitlab", {"ratelimit-remaining": "0", "ratelimit-reset": str(int(NOW) + 20)}, 20.0),
        ("gitlab", {"retry-after": "5", "ratelimit-remaining": "0", "ratelimit-reset": "9"}, 5.0),
        ("github", {"retry-after": "999999999"}, 3600.0),
        ("github", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 0.0),
        ("github", {"retry-after": "soon"}, None),
        ("github", {"retry-after": "-5"}, None),
        ("github", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        ("gitea", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "5"}, None),
    ],
)
def test_how_long_a_forge_may_send_us_away(provider: str, headers: dict[str, str], seconds: float | None) -> None:
    reply = judge(Provider(provider), 403, headers, b"", NOW)
    assert isinstance(reply, Later) and reply.seconds == seconds


def test_a_limit_is_not_a_bad_token() -> None:
    limited = judge(Provider.GITHUB, 403, {"x-ratelimit-remaining": "0"}, b"", NOW)
    refused = judge(Provider.GITHUB, 403, {"x-ratelimit-remaining": "4999"}, b"", NOW)
    assert isinstance(limited, Later) and "too many" in limited.reason
    assert isinstance(refused, Later) and "token" in refused.reason


@given(st.sampled_from(Provider), st.integers(100, 599), st.dictionaries(
    st.sampled_from(["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-reset"]), st.text()
), st.binary())  # fmt: skip
def test_no_answer_raises(provider: Provider, status: int, headers: dict[str, str], body: bytes) -> None:
    judge(provider, status, headers, body, NOW)
