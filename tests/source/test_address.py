"""Which repositories can be named, and which would be a mistake or an attack."""

from pathlib import Path

import pytest

from gitops_profile.source import NotARepository, RemoteAddress, parse_address


@pytest.mark.parametrize(
    ("text", "scheme", "host"),
    [
        ("https://git.example.com/voip/profiles.git", "https", "git.example.com"),
        ("https://git.example.com:8443/profiles", "https", "git.example.com:8443"),
        ("http://[::1]:8080/profiles", "http", "[::1]:8080"),
        ("ssh://git@git.example.com:2222/profiles.git", "ssh", "git.example.com:2222"),
        ("ssh://git.example.com/~/profiles.git", "ssh", "git.example.com"),
        ("git://git.example.com/profiles", "git", "git.example.com"),
        ("git@github.com:voip/profiles.git", "ssh", "github.com"),
        ("github.com:voip/profiles.git", "ssh", "github.com"),
        ("git@[2001:db8::1]:profiles.git", "ssh", "[2001:db8::1]"),
        ("file:///srv/profiles.git", "file", ""),
    ],
)
def test_a_remote_is_known_by_its_url(text: str, scheme: str, host: str) -> None:
    address = parse_address(text)
    assert isinstance(address, RemoteAddress)
    assert (address.scheme, address.host, str(address)) == (scheme, host, text)


@pytest.mark.parametrize("text", [".", "profiles", "/srv/profiles.git", "./a:b", "../x", "~/profiles"])
def test_everything_else_is_a_folder(text: str) -> None:
    assert parse_address(text) == Path(text)


def test_a_folder_that_is_there_is_no_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "host:path").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse_address("host:path") == Path("host:path")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("https://user:hunter2@git.example.com/x", "repository.token_file"),
        ("https://hunter2@git.example.com/x", "repository.token_file"),
        ("https://:hunter2@git.example.com/x", "repository.token_file"),
        ("HTTPS://user:hunter2@git.example.com/x", "repository.token_file"),
        ("http://a@b:hunter2@git.example.com/x", "repository.token_file"),
        ("git://hunter2@git.example.com/x", "repository.token_file"),
        ("ssh://git:hunter2@git.example.com/x", "repository.ssh_key"),
    ],
)
def test_a_url_with_a_secret_is_refused_with_what_to_do_instead(text: str, hint: str) -> None:
    with pytest.raises(NotARepository, match=hint) as caught:
        parse_address(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "ext::sh -c touch% /tmp/pwned",
        "fd::17",
        "ftp://git.example.com/x",
        "rsync://git.example.com/x",
        "-oProxyCommand=touch /tmp/pwned",
        "--upload-pack=touch /tmp/pwned",
        "ssh://-oProxyCommand=touch%20pwned/x",
        "ssh://-oProxyCommand=x@host/x",
        "-oProxyCommand=x:path",
        "ssh://host/-x",
        "https://git.example.com",
        "https:///x",
        "https://git.example.com/x\ny",
        "https://git_example com/x",
        "file://server/x",
        "file://x",
        "",
        " ",
        "\0",
    ],
)
def test_what_would_run_a_program_or_can_be_no_repository_is_refused(text: str) -> None:
    with pytest.raises(NotARepository):
        parse_address(text)
