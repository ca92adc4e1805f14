"""Flags over environment over file, and each error with the place it was made."""

import json
import os
from pathlib import Path

import pytest

from gitops_profile.config import Config, ConfigError, Listener, load_config, schema, settings

# design.md section 10.
WHOLE = """
repository: {url: ., ref: main, path: profiles, poll: 30s}
state: /var/lib/gitops-profile
listen: ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060", "tls:0.0.0.0:5061", "ws:0.0.0.0:5062", "wss:0.0.0.0:5063",
  "udp:[::]:5060"]
http: {listen: "0.0.0.0:8060", public_url: "https://prov.example.com/"}
tls: {certificate: server.pem, key: server.key, client_ca: null}
subscriptions: {default_expires: 3600, min_expires: 60, max_expires: 86400}
notify: {rate: 2000, in_flight: 1000}
domains:
  example.com: {auth: digest, realm: example.com, credentials: users.htdigest, algorithms: [MD5]}
  lab.example.com: {auth: none}
limits: {message_bytes: 65535, subscriptions: 1000000, subscriptions_per_source: 1000}   # a trusted proxy is no source
trusted_proxies: [192.0.2.0/28]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gitops-profile.yaml"


def message(file: Path, text: str, **environment: str) -> str:
    """The error, without the folder the test runs in."""
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file, environment=environment)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(file), "FILE")


def test_without_anything_everything_has_a_default() -> None:
    config = load_config(environment={})
    assert config == Config()
    assert config.state == Path(".gitops-profile")
    assert [str(listener) for listener in config.listen] == ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
    assert (config.http.listen, config.http.public_url) == (None, None)


def test_the_whole_file_of_the_design_is_understood(file: Path) -> None:
    file.write_text(WHOLE)
    config = load_config(file, environment={})
    assert config.repository.poll == 30.0
    assert config.listen[5] == Listener("udp", "::", 5060)
    assert str(config.http.listen) == "0.0.0.0:8060"
    assert config.tls.certificate == Path("server.pem")
    assert config.domains["example.com"].credentials == Path("users.htdigest")
    assert [str(network) for network in config.trusted_proxies] == ["192.0.2.0/28"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "notify:\n", "notify: {}\n", "---\n"])
def test_a_file_that_says_nothing_is_the_defaults(file: Path, text: str) -> None:
    file.write_text(text)
    assert load_config(file, environment={}) == Config()


def test_a_flag_beats_a_variable_and_a_variable_beats_the_file(file: Path) -> None:
    file.write_text("notify: {rate: 1, in_flight: 1}\nrepository: {ref: a, url: a, path: a}")
    config = load_config(
        file,
        environment={"GITOPS_PROFILE_NOTIFY__RATE": "2", "GITOPS_PROFILE_REPOSITORY__REF": "b"},
        flags={"repository.ref": "c", "repository.path": "c", "state": None, "listen": []},
    )
    assert (config.notify.rate, config.notify.in_flight) == (2, 1)
    assert (config.repository.url, config.repository.ref, config.repository.path) == ("a", "c", "c")
    assert config.state == Path(".gitops-profile")


def test_the_environment_is_the_processes_own_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GITOPS_PROFILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GITOPS_PROFILE_STATE", "/elsewhere")
    assert load_config().state == Path("/elsewhere")


def test_a_variable_names_the_file(file: Path) -> None:
    file.write_text("state: /named")
    assert load_config(environment={"GITOPS_PROFILE_CONFIG": str(file)}).state == Path("/named")


@pytest.mark.parametrize("text", ["udp:127.0.0.1:1, tcp:127.0.0.1:2", '["udp:127.0.0.1:1", "tcp:127.0.0.1:2"]'])
def test_a_list_in_a_variable_is_json_or_has_commas(text: str) -> None:
    config = load_config(environment={"GITOPS_PROFILE_LISTEN": text})
    assert [str(listener) for listener in config.listen] == ["udp:127.0.0.1:1", "tcp:127.0.0.1:2"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GITOPS_PROFILE_DOMAINS", '{"example.com": {"auth": "none"}}'),
        ("GITOPS_PROFILE_DOMAINS__EXAMPLE.COM", '{"auth": "none"}'),
        ("GITOPS_PROFILE_DOMAINS__example.com__AUTH", "none"),
    ],
)
def test_a_mapping_in_a_variable_is_json_at_any_depth(name: str, text: str) -> None:
    assert load_config(environment={name: text}).domains["example.com"].auth == "none"


def test_an_empty_variable_is_not_set_and_null_is_nothing(file: Path) -> None:
    file.write_text("state: /kept\nhttp: {listen: '127.0.0.1:8060'}")
    config = load_config(
        file, environment={"GITOPS_PROFILE_STATE": "", "GITOPS_PROFILE_HTTP__LISTEN": "null", "OTHER": "x"}
    )
    assert (config.state, config.http.listen) == (Path("/kept"), None)


def test_a_variable_reaches_below_a_section_that_is_empty_in_the_file(file: Path) -> None:
    file.write_text("notify:\n")
    assert load_config(file, environment={"GITOPS_PROFILE_NOTIFY__RATE": "7"}).notify.rate == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repositry: {url: .}", "FILE: repositry: unknown key (did you mean repository?)"),
        ("repository: {urll: .}", "FILE: repository.urll: unknown key (did you mean repository.url?)"),
        ("rate: 5", "FILE: rate: unknown key (did you mean notify.rate?)"),
        ("min_expire: 5", "FILE: min_expire: unknown key (did you mean subscriptions.min_expires?)"),
        ("tls: {pem: x}", "FILE: tls.pem: unknown key (known here: certificate, key, client_ca)"),
        ("domains: {a.b: {aut: none}}", "FILE: domains.a.b.aut: unknown key (did you mean domains.a.b.auth?)"),
        ("notify: {rate: fast}", "FILE: notify.rate: must be a whole number, not 'fast'"),
        ("notify: {rate: 1.5}", "FILE: notify.rate: must be a whole number, not 1.5"),
        ("notify: {rate: true}", "FILE: notify.rate: true is no number"),
        ("notify: {rate: 0}", "FILE: notify.rate: must be greater than or equal to 1, not 0"),
        ("notify: {removed: gone}", "FILE: notify.removed: must be 'end' or 'empty', not 'gone'"),
        ("notify: 5", "FILE: notify: must be keys and values, not 5"),
        ("listen: udp:127.0.0.1:5060", "FILE: listen: must be a list, not 'udp:127.0.0.1:5060'"),
        ("listen: [5060]", "FILE: listen[0]: must be text, not 5060: quote it"),
        ("repository: {ref: 123}", "FILE: repository.ref: must be text, in quotes, not 123"),
        ("state: 5", "FILE: state: must be a path, not 5"),
        ("domains: {a b: {auth: none}}", "FILE: domains.a b: 'a b' is not a domain"),
        ("domains: {a.b: {auth: basic}}", "FILE: domains.a.b.auth: must be 'none' or 'digest', not 'basic'"),
        (
            "listen: ['udp:127.0.0.1:1', 'tls:127.0.0.1:5061']",
            "FILE: tls:127.0.0.1:5061 needs tls.certificate and tls.key",
        ),
        (
            "domains: {a.b: {auth: digest}}",
            "FILE: domains.a.b: digest needs credentials: name the file that gitops-profile passwd writes",
        ),
        (
            "trusted_proxies: [192.0.2.1/28]",
            "FILE: trusted_proxies[0]: '192.0.2.1/28' is no network such as 192.0.2.0/28",
        ),
        ("- a", "FILE: expected keys and values (such as repository: {url: .})"),
        ("a: b: c", "FILE:1:5: mapping values are not allowed in this context"),
        ("state: a\nstate: b", 'FILE:2:1: found duplicate key "state" with value "b" (original value: "a")'),
    ],
)
def test_what_is_wrong_in_the_file_is_said_in_one_line(file: Path, text: str, expected: str) -> None:
    assert message(file, text) == expected


def test_an_object_in_the_file_is_not_constructed(file: Path) -> None:
    assert "FILE:1:8: could not determine a constructor" in message(file, "state: !!python/object:os.system x")


def test_a_missing_file_is_said(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(file, environment={})


def test_a_file_that_is_not_utf_8_is_said(file: Path) -> None:
    file.write_bytes(b"state: \xff")
    with pytest.raises(ConfigError, match=r"is not UTF-8 \(byte 7\)"):
        load_config(file, environment={})


def test_an_error_names_the_variable_that_made_it(file: Path) -> None:
    said = message(file, "notify: {rate: 1}", GITOPS_PROFILE_NOTIFY__RATE="x")
    assert said == "GITOPS_PROFILE_NOTIFY__RATE: notify.rate: must be a whole number, not 'x'"


def test_an_unknown_variable_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"^GITOPS_PROFILE_NOTIFY__RAT: notify\.rat: unknown key \(did you mean"):
        load_config(environment={"GITOPS_PROFILE_NOTIFY__RAT": "1"})


def test_a_variable_that_is_not_json_is_said() -> None:
    with pytest.raises(ConfigError, match="^GITOPS_PROFILE_DOMAINS: is not JSON: "):
        load_config(environment={"GITOPS_PROFILE_DOMAINS": "{"})


def test_a_variable_below_what_is_no_section_names_the_file(file: Path) -> None:
    said = message(file, "notify: fast", GITOPS_PROFILE_NOTIFY__RATE="5")
    assert said == "FILE: notify: expected keys and values"


def test_an_error_names_the_flag_that_made_it() -> None:
    with pytest.raises(ConfigError, match=r"^--http: http\.listen: 'x' is not ADDRESS:PORT"):
        load_config(environment={}, flags={"http.listen": "x"})
    with pytest.raises(ConfigError, match=r"^--pnp: "):
        load_config(environment={}, flags={"pnp.interfaces": ["lo"]})


def test_what_is_wrong_with_several_settings_is_not_said_of_a_flag_that_has_nothing_to_do_with_it(file: Path) -> None:
    told = "http.tls needs tls.certificate and tls.key"
    text = "http: {listen: '127.0.0.1:8060', tls: true}\n"
    assert message(file, text) == f"FILE: {told}"
    assert message(file, text, GITOPS_PROFILE_STATE="elsewhere") == told
    with pytest.raises(ConfigError) as caught:
        load_config(file, flags={"repository.poll": "5"}, environment={})
    assert str(caught.value) == told


def test_every_setting_can_be_given_by_its_variable_and_by_its_flag() -> None:
    for setting in settings():
        for source in ({"environment": {setting.variable: setting.default}}, {"flags": {setting.key: setting.default}}):
            assert load_config(**{"environment": {}, **source}) == Config(), setting  # type: ignore[arg-type]


def test_the_settings_are_those_of_the_design() -> None:
    sections = (
        "repository state loop listen workers http tls webhook commit_status subscriptions notify domains limits trust "
        "trusted_proxies trusted_certificates pnp provisioning push"
    )
    assert {setting.key.partition(".")[0] for setting in settings()} == set(sections.split())
    flags = [setting.flag for setting in settings()]
    assert len(set(flags)) == len(flags)
    assert {"--repo", "--ref", "--path", "--state", "--listen", "--http", "--notify-rate"} <= set(flags)


def test_the_schema_is_json_and_refuses_unknown_keys() -> None:
    published = json.loads(json.dumps(schema()))
    assert published["additionalProperties"] is False
    assert published["properties"]["listen"]["default"] == ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
    assert all(part["additionalProperties"] is False for part in published["$defs"].values())
