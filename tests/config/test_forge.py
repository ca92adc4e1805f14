"""The settings of webhooks and commit statuses: what they refuse, and why."""

import pytest

from gitops_profile.config import ConfigError, load_config


def refused(**environment: str) -> str:
    named = {f"GITOPS_PROFILE_{key.upper()}": value for key, value in environment.items()}
    with pytest.raises(ConfigError) as caught:
        load_config(environment=named)
    return str(caught.value)


def test_a_webhook_needs_a_listener() -> None:
    assert "needs http.listen" in refused(webhook__secret_file="secrets")


@pytest.mark.parametrize("path", ["hooks", "/", "/a b", "/hooks/", "/a//b", "/a/../b", "/{x}", "/a?b", ""])
def test_a_path_is_a_plain_one(path: str) -> None:
    if path:
        assert "no plain path" in refused(webhook__path=path)


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/profile/x"])
def test_a_path_is_free(path: str) -> None:
    assert "is taken" in refused(webhook__path=path)


@pytest.mark.parametrize(
    "url", ["http://git.example.com/api/v4", "http://10.0.0.1/api/v4", "http://localhost.example.com/"]
)
def test_a_token_travels_over_https_only(url: str) -> None:
    assert "must begin with https" in refused(commit_status__url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/api/v1", "http://[::1]/api/v1", "http://localhost/api/v1"])
def test_to_this_machine_it_may_travel_without(url: str) -> None:
    config = load_config(environment={"GITOPS_PROFILE_COMMIT_STATUS__URL": f"{url}/"})
    assert config.commit_status.url == url


@pytest.mark.parametrize(
    "url", ["ftp://x/", "git.example.com", "https://", "https://u:p@h/", "https://h/?a=b", "https://h/#a"]
)
def test_a_url_is_a_plain_one(url: str) -> None:
    assert "must be a plain URL" in refused(commit_status__url=url)


def test_a_provider_needs_a_token_and_is_known() -> None:
    assert "needs token_file" in refused(commit_status__provider="github")
    assert "commit_status.provider" in refused(commit_status__provider="bitbucket")


@pytest.mark.parametrize("name", ["one", "/a/b", "a/b/", "a b/c"])
def test_a_repository_is_owner_and_name(name: str) -> None:
    assert "is not owner/name" in refused(commit_status__repository=name)
