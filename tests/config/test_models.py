"""Who is served how, on which listener: nobody without authentication by saying nothing."""

import pytest

from gitops_profile.config import Auth, Config, ConfigError, load_config
from gitops_profile.config.models import RepositorySettings

LISTEN = {"listen": ["udp:0.0.0.0:5060"]}


def config(**flags: object) -> Config:
    return load_config(environment={}, flags=flags)


@pytest.mark.parametrize(
    ("domain", "loopback", "auth"),
    [
        ("lab.example.com", True, "none"),
        ("lab.example.com", False, "none"),
        ("LAB.example.com.", False, "none"),
        ("silent.example.com", True, "none"),
        ("silent.example.com", False, None),
        ("unlisted.example.com", True, "none"),
        ("unlisted.example.com", False, None),
    ],
)
def test_a_domain_is_served_without_authentication_where_that_was_said_or_on_loopback(
    domain: str, loopback: bool, auth: Auth | None
) -> None:
    served = config(domains={"Lab.Example.com": {"auth": "none"}, "silent.example.com": {}})
    assert served.auth_for(domain, loopback) == auth


@pytest.mark.parametrize("listener", ["udp:0.0.0.0:5060", "tcp:[::]:5060", "udp:192.0.2.1:5060"])
def test_a_listener_beyond_loopback_wants_a_domain(listener: str) -> None:
    with pytest.raises(ConfigError, match="domains: .* is not loopback, so each domain"):
        config(listen=["udp:127.0.0.1:5060", listener])


def test_a_listener_beyond_loopback_wants_every_domain_to_say_how() -> None:
    with pytest.raises(ConfigError, match=r"silent\.example\.com has no auth"):
        config(**LISTEN, domains={"lab.example.com": {"auth": "none"}, "silent.example.com": {}})


def test_a_listener_beyond_loopback_is_fine_once_it_was_said() -> None:
    assert config(**LISTEN, domains={"lab.example.com": {"auth": "none"}}).listen[0].host == "0.0.0.0"


def test_loopback_needs_nothing() -> None:
    assert config(listen=["udp:127.0.0.1:0", "tcp:[::1]:0"]).domains == {}


def test_a_fixed_listener_is_there_once_and_port_0_as_often_as_wanted() -> None:
    assert len(config(listen=["udp:127.0.0.1:0", "udp:127.0.0.1:0"]).listen) == 2
    with pytest.raises(ConfigError, match="udp:127.0.0.1:5060 is there twice"):
        config(listen=["udp:127.0.0.1:5060", "udp:localhost:5060"])


def test_a_domain_is_there_once_in_whatever_spelling() -> None:
    with pytest.raises(ConfigError, match=r"Example\.com and example\.com are the same domain"):
        config(domains={"Example.com": {}, "example.com": {}})


@pytest.mark.parametrize(("minimum", "default", "maximum"), [(61, 60, 90), (10, 100, 90), (100, 100, 90)])
def test_expiries_are_in_order(minimum: int, default: int, maximum: int) -> None:
    with pytest.raises(ConfigError, match="min_expires <= default_expires <= max_expires"):
        config(
            **{
                "subscriptions.min_expires": minimum,
                "subscriptions.default_expires": default,
                "subscriptions.max_expires": maximum,
            }
        )


def public(url: str, **more: object) -> Config:
    return config(**{"http.public_url": url, "http.listen": "127.0.0.1:0", **more})


def test_a_public_url_ends_in_a_slash() -> None:
    assert public("https://prov.example.com/p").http.public_url == "https://prov.example.com/p/"


@pytest.mark.parametrize("url", ["http://[2001:db8::1]:8060/", "https://prov.example.com:8443/a-b/c_d~/"])
def test_a_public_url_is_taken_as_it_is(url: str) -> None:
    assert public(url).http.public_url == url


@pytest.mark.parametrize(
    "url",
    ["prov.example.com", "ftp://prov.example.com/", "https:///p", "https://u:p@prov.example.com/", "https://x/?a=b",
     "https://x/#a", "https://x/a b/", 'https://x/"', "https://x/{a}/", "https://müller.example/", "https://x//a/"],
)  # fmt: skip
def test_a_public_url_that_some_client_would_not_take_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"public_url: .* is no plain URL such as"):
        public(url)


def test_a_public_url_needs_a_listener() -> None:
    with pytest.raises(ConfigError, match="http: public_url needs listen"):
        config(**{"http.public_url": "https://prov.example.com/"})


def test_an_https_listener_is_not_told_as_http() -> None:
    files = {"http.tls": True, "tls.certificate": "server.pem", "tls.key": "server.key"}
    assert public("https://prov.example.com/", **files).http.tls
    with pytest.raises(ConfigError, match="http: public_url must begin with https:"):
        public("http://prov.example.com/", **files)


def test_the_settings_cannot_be_changed_later() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config().notify.rate = 5


def test_settings_come_back_from_json_as_they_were() -> None:
    """A worker is told them so; all but the repository, which is none of its business."""
    config = Config.model_validate(
        {
            "listen": ["udp:0.0.0.0:5060", "tls:[::]:0"],
            "workers": 3,
            "repository": {"token": "hunter2"},
            "tls": {"certificate": "a.pem", "key": "a.key", "client_ca": "ca.pem"},
            "http": {"listen": "127.0.0.1:80", "public_url": "https://p.example.com/"},
            "domains": {
                "example.com": {"auth": "digest", "credentials": "users", "access": [{"who": "a@b", "may": ["*"]}]},
                "lab.example.com": {"auth": "none", "unknown_device": "accept"},
            },
            "trusted_proxies": ["192.0.2.0/28", "2001:db8::/32"],
            "trusted_certificates": ["edge.example.com"],
            "push": {"proxy": "sip:p.example.com"},
            "pnp": {"interfaces": ["eth0"]},
            "notify": {"rate": 7},
        }
    )
    text = config.model_dump_json(exclude={"repository"})
    assert "hunter2" not in text
    assert Config.model_validate_json(text) == config.model_copy(update={"repository": RepositorySettings()})
