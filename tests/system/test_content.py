"""A document told as a link: the real server, sipp as the phone, curl as its HTTP client."""

import email.message
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.ports import own_port
from tests.transport.authority import Authority, Issued

from .lab import SCENARIOS, Lab, Message, eventually, file_of, need

pytestmark = [pytest.mark.system, pytest.mark.peer]


def large(version: int) -> bytes:
    """A document that does not fit into a datagram that may not be fragmented (RFC 3261 §18.1.1)."""
    return f"<profile version='{version}'>{'<line/>' * 300}</profile>\n".encode()


def linked(lab: Lab, scenario: str) -> str:
    """The scenario of a phone that does the same and follows links (RFC 4483 §5.1)."""
    text = (SCENARIOS / f"{scenario}.xml").read_text()
    made = lab.folder / f"linked-{scenario}"
    made.with_suffix(".xml").write_text(
        text.replace("Event: ua-profile", "Accept: text/xml, message/external-body\nEvent: ua-profile")
    )
    return str(made)


def serve(lab: Lab, scheme: str = "http", **settings: object) -> None:
    """Start with links under a path of `scheme`."""
    port = own_port()
    http = {"listen": f"127.0.0.1:{port}", "public_url": f"{scheme}://127.0.0.1:{port}/p/", "tls": scheme == "https"}
    file = lab.folder / "gitops-profile.yaml"
    file.write_text(json.dumps({"http": http, **settings}))  # JSON is YAML
    lab.server.start("--config", str(file))


def curl(url: str, *options: str) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers in small letters, and the body."""
    command = [need("curl"), "--silent", "--show-error", "--include", *options, url]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
    head, _, body = answer.partition(b"\r\n\r\n")
    while body.startswith(b"HTTP/1.1 "):  # the challenge came first
        head, _, body = body.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return (
        int(status.split()[1]),
        {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)},
        body,
    )


def pointer(notify: Message) -> email.message.Message:
    """The external-body of a NOTIFY, by the standard library's MIME parser."""
    headers = f"Content-Type: {notify.header('Content-Type')}\n\n".encode() + notify.body
    outer = email.message_from_bytes(headers)
    assert outer.get_content_type() == "message/external-body"
    assert outer.get_param("access-type") == "URL"
    assert int(notify.header("Content-Length")) == len(notify.body)
    return outer


def inner(link: email.message.Message) -> email.message.Message:
    """The headers of what the link leads to."""
    parts = link.get_payload()
    assert isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], email.message.Message)
    return parts[0]


def url_of(notify: Message) -> str:
    url = pointer(notify).get_param("URL")
    assert isinstance(url, str)
    return url


def metric(lab: Lab, status: int) -> float:
    """How many fetches ended so."""
    file = json.loads((lab.folder / "gitops-profile.yaml").read_text())
    _, _, text = curl(f"http://{file['http']['listen']}/metrics")
    found = re.search(
        rf'^gitops_profile_content_fetches_total{{status="{status}"}} (\S+)$', text.decode(), re.MULTILINE
    )
    return float(found.group(1)) if found else 0.0


def test_a_large_document_is_told_as_a_link_over_udp_and_each_version_has_its_own(lab: Lab) -> None:
    """Checklist rows 29, 47 and 48."""
    lab.git.commit({file_of("alice"): large(1)})
    serve(lab)
    phone = lab.phone(linked(lab, "watch"), "alice", 2)
    first = phone.has(1)[0]
    link = pointer(first)
    assert len(first.data) <= 1300
    status, headers, body = curl(url_of(first))
    assert (status, body) == (200, large(1))
    assert (link.get_param("size"), link.get_param("hash")) == (str(len(body)), hashlib.sha1(body).hexdigest())
    assert headers["etag"] == f'"{first.header("SIP-ETag").removesuffix(".url")}"'
    assert headers["content-type"] == inner(link)["Content-Type"] == "text/xml"
    assert curl(url_of(first), "--header", f"If-None-Match: {headers['etag']}")[0] == 304

    lab.git.commit({file_of("alice"): large(2)})
    second = phone.finish()[1]
    assert url_of(second) != url_of(first)
    assert curl(url_of(second))[2] == large(2)
    assert curl(url_of(first))[0] == 410
    assert curl(url_of(second)[:-1] + "x")[0] == 404
    assert [metric(lab, status) for status in (200, 304, 410, 404)] == [2, 1, 1, 1]

    lab.server.end()
    lab.server.start("--config", str(lab.folder / "gitops-profile.yaml"))
    assert curl(url_of(second))[2] == large(2)  # a URL outlives the process


def test_a_user_whose_name_has_odd_characters_gets_his_link(lab: Lab) -> None:
    lab.git.commit({file_of("o%27n%2F1"): large(1)})
    serve(lab)
    (notify,) = lab.phone(linked(lab, "watch"), "o'n%2F1").finish()
    assert "/user/example.com/o%27n%2F1." in url_of(notify)
    assert curl(url_of(notify))[2] == large(1)


def test_a_person_sees_the_document_that_came_by_link(lab: Lab) -> None:
    lab.git.commit({file_of("alice"): large(1)})
    serve(lab)
    asked = ("phone", "alice@example.com", "--server", lab.server.address(), "--expires", "0")
    done = lab.run(*asked, "--accept", "message/external-body")
    assert done.returncode == 0, done.stderr
    assert b"by link: as the NOTIFY says, text/xml, " in done.stdout and large(1) in done.stdout
    done = lab.run(*asked, "--accept", "message/external-body", "-o", "json")
    assert done.stdout.count(b'"kind": "by link"') == 1


def test_a_sensitive_document_is_fetched_over_https_by_who_showed_who_he_is(
    lab: Lab, authority: Authority, issued: Issued, tmp_path: Path
) -> None:
    """Checklist row 42: over UDP it is a link, the link is https, and it is not enough to have it."""
    sensitive = "body: <password/>\ncontent_type: text/xml\nsensitive: true\n"
    lab.git.commit({"profiles/user/example.com/alice.yaml": sensitive})
    users = tmp_path / "users.htdigest"
    for user in ("alice", "bob"):
        done = lab.run("passwd", str(users), f"{user}@example.com", given=b"secret\n")
        assert done.returncode == 0, done.stderr
    domains = {"example.com": {"auth": "digest", "credentials": str(users)}}
    serve(lab, "https", domains=domains, tls={"certificate": str(issued.certificate), "key": str(issued.key)})
    credentials = ("-i", "127.0.0.1", "-au", "alice", "-ap", "secret")
    (notify,) = lab.phone(linked(lab, "digest"), "alice", options=credentials).finish()
    assert b"password" not in notify.data
    url = url_of(notify)
    assert url.startswith("https://127.0.0.1:")
    trust = ("--cacert", str(authority.certificate))
    assert curl(url, *trust)[0] == 401
    assert curl(url, *trust, "--digest", "--user", "alice:secret")[::2] == (200, b"<password/>")
    assert curl(url, *trust, "--digest", "--user", "bob:secret")[0] == 403
    assert curl(url, *trust, "--digest", "--user", "alice:wrong")[0] == 401
    line = "authentication failed source=127.0.0.1 realm=example.com reason=wrong-response user='alice'"
    eventually("the guess is logged", lambda: line in lab.server.stderr())

    (tmp_path / "password").write_text("secret\n")
    asked = ["phone", "alice@example.com", "--server", lab.server.address(), "--expires", "0"]
    asked += ["--accept", "text/xml, message/external-body", "--ca", str(authority.certificate)]
    done = lab.run(*asked, "--password-file", str(tmp_path / "password"))
    assert (done.returncode, done.stdout.count(b"<password/>")) == (0, 1), done
    assert b"by link" in done.stdout
    assert lab.run(*asked).returncode == 1
