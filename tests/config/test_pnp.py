"""The settings of plug and play: what they refuse, and why."""

import pytest

from gitops_profile.config import ConfigError, PnPSettings, load_config


def refused(pnp: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(environment={}, flags={f"pnp.{key}": value for key, value in pnp.items()})
    return str(caught.value)


def settings(**pnp: object) -> PnPSettings:
    return load_config(environment={}, flags={f"pnp.{key}": value for key, value in pnp.items()}).pnp


def test_nobody_is_heard_unless_that_is_said() -> None:
    assert settings().interfaces == [] and settings().devices == "known"
    assert settings().address == ("224.0.1.75", 5060)


def test_phones_must_be_told_something() -> None:
    assert "needs a URL to tell phones: set http.public_url, or pnp.url" in refused({"interfaces": ["eth0"]})


@pytest.mark.parametrize("name", ["", "eth 0", "a-name-of-16-char", "../eth0"])
def test_an_interface_has_a_name(name: str) -> None:
    assert "is no name of an interface" in refused({"interfaces": [name], "url": "https://a.example/"})


def test_an_interface_is_there_once() -> None:
    assert "eth0 is there twice" in refused({"interfaces": ["eth0", "eth0"], "url": "https://a.example/"})


@pytest.mark.parametrize("group", ["224.0.1.75", "192.0.2.1:5060", "224.0.1.75:0", "[ff02::1]:5060", "x:5060"])
def test_a_group_is_one_of_ipv4(group: str) -> None:
    assert "is no multicast group and port" in refused({"group": group})


@pytest.mark.parametrize(
    "url", ["https://p.example/{mac}.cfg", "tftp://192.0.2.1", "http://p.example:8060/{vendor}/{model}/{version}/{MAC}"]
)
def test_a_url_is_a_template(url: str) -> None:
    assert settings(url=url).url == url


@pytest.mark.parametrize(
    "url", ["p.example/", "https://", "gopher://p.example/", "https://p.example/a b", "https://ü/"]
)
def test_a_url_is_one_that_phones_understand(url: str) -> None:
    assert "is no URL" in refused({"url": url})


@pytest.mark.parametrize("url", ["https://{vendor}.example/", "https://{model}/", "https://{mac}"])
def test_a_phone_does_not_say_which_server_it_asks(url: str) -> None:
    assert "is no URL" in refused({"url": url})


def test_a_place_that_nobody_fills_in_is_refused() -> None:
    assert "{serial} is unknown; there are {mac}, {MAC}, " in refused({"url": "https://p.example/{serial}"})
