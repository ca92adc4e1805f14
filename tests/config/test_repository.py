"""The settings of a remote repository, and that its secret is seen nowhere."""

from pathlib import Path

import pytest

from gitops_profile.config import ConfigError, load_config

TOKEN = "GITOPS_PROFILE_REPOSITORY__TOKEN"


def test_a_token_comes_from_the_environment_and_is_not_shown() -> None:
    config = load_config(environment={TOKEN: "hunter2"})
    assert config.repository.token is not None
    assert config.repository.token.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(config) + str(config.model_dump()) + config.model_dump_json()


def test_a_token_in_the_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("repository: {token: hunter2}\n")
    with pytest.raises(ConfigError, match="repository.token_file") as caught:
        load_config(file, environment={})
    assert "hunter2" not in str(caught.value)


def test_two_tokens_are_one_too_many() -> None:
    environment = {TOKEN: "hunter2", f"{TOKEN}_FILE": "/run/token"}
    with pytest.raises(ConfigError, match="leave one of them out") as caught:
        load_config(environment=environment)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a\nb"])
def test_a_username_that_would_be_another_header_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="repository.username"):
        load_config(flags={"repository.username": name}, environment={})


@pytest.mark.parametrize(("fetch", "seconds"), [("30s", 30.0), ("5m", 300.0)])
def test_the_interval_is_a_duration(fetch: str, seconds: float) -> None:
    assert load_config(flags={"repository.fetch": fetch}, environment={}).repository.fetch == seconds


@pytest.mark.parametrize(
    ("given", "path"),
    [("./profiles", "profiles"), ("profiles/", "profiles"), ("a//b/./c/", "a/b/c"), (".", "."), ("./", "."),
     ("a/../b", "b"), ("..b", "..b")],
)  # fmt: skip
def test_the_profiles_folder_is_named_as_git_names_it(given: str, path: str) -> None:
    assert load_config(flags={"repository.path": given}, environment={}).repository.path == path


@pytest.mark.parametrize("given", ["/profiles", "/", "//", "..", "../b", "a/../../b"])
def test_a_folder_outside_of_the_repository_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="is not in the repository"):
        load_config(flags={"repository.path": given}, environment={})
