"""The admin socket: asked by its owner, refused to others, and absent in a way that says what to do."""

import asyncio
import os
import pwd
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gitops_profile.admin_client import AdminError, AdminUnavailable, call_admin
from gitops_profile.http import AdminServer

USER = pwd.getpwuid(os.getuid()).pw_name


async def echo(params: dict[str, Any]) -> Any:
    return params


async def nothing(params: dict[str, Any]) -> Any:
    return None


async def refuse(params: dict[str, Any]) -> Any:
    raise AdminError("no profile user/example.com/bob: see get presentities")


async def broken(params: dict[str, Any]) -> Any:
    raise KeyError("a bug")


HANDLERS = {"echo": echo, "nothing": nothing, "refuse": refuse, "broken": broken}


@pytest.fixture(params=["short", "deep"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A socket's path; a deep one does not fit into a socket address."""
    folder = tmp_path if request.param == "short" else tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "admin.sock"


@pytest.fixture
async def admin(path: Path) -> AsyncIterator[AdminServer]:
    admin = AdminServer(path, HANDLERS)
    await admin.start()
    yield admin
    await admin.close()


async def test_a_handler_gets_the_parameters_and_its_result_comes_back(admin: AdminServer, path: Path) -> None:
    params = {"key": "user/example.com/alice", "limit": 3, "names": ["ä", None]}
    assert await call_admin(path, "echo", params) == {**params, "by": USER}
    assert await call_admin(path, "echo") == {"by": USER}
    assert await call_admin(path, "nothing") is None


async def test_who_asks_is_what_the_kernel_says_and_not_what_was_sent(admin: AdminServer, path: Path) -> None:
    assert await call_admin(path, "echo", {"by": "somebody else"}) == {"by": USER}


async def test_requests_are_answered_side_by_side(path: Path) -> None:
    both = asyncio.Barrier(2)

    async def meet(params: dict[str, Any]) -> Any:
        await both.wait()
        return "met"

    admin = AdminServer(path, {"meet": meet})
    await admin.start()
    assert list(await asyncio.gather(call_admin(path, "meet"), call_admin(path, "meet"))) == ["met", "met"]
    await admin.close()


async def test_only_the_owner_may_open_it(admin: AdminServer, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600  # noqa: ASYNC240  # a test's


async def test_a_refusal_reaches_the_person_who_asked(admin: AdminServer, path: Path) -> None:
    with pytest.raises(AdminError, match="no profile user/example.com/bob: see get presentities"):
        await call_admin(path, "refuse")


async def test_an_unknown_name_is_said(admin: AdminServer, path: Path) -> None:
    with pytest.raises(AdminError, match="knows no dance"):
        await call_admin(path, "dance")


async def test_a_bug_is_logged_and_told_without_details(
    admin: AdminServer, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(AdminError, match="its log says why"):
        await call_admin(path, "broken")
    assert "admin request failed name=broken" in caplog.text
    assert await call_admin(path, "echo", {"still": "there"}) == {"still": "there", "by": USER}


async def test_without_a_server_it_says_what_to_do(path: Path) -> None:
    with pytest.raises(AdminUnavailable) as caught:
        await call_admin(path, "echo")
    assert str(caught.value) == f"no server is running on {path}; start one with gitops-profile serve"


async def test_without_the_folder_it_says_the_same(path: Path) -> None:
    missing = path.parent / "gone" / "admin.sock"
    with pytest.raises(AdminUnavailable, match="start one with gitops-profile serve"):
        await call_admin(missing, "echo")


async def test_the_socket_is_gone_after_close(admin: AdminServer, path: Path) -> None:
    await admin.close()
    assert not path.exists()  # noqa: ASYNC240  # a test's
    with pytest.raises(AdminUnavailable):
        await call_admin(path, "echo")


async def test_what_a_killed_server_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(AdminUnavailable):
        await call_admin(path, "echo")
    admin = AdminServer(path, HANDLERS)
    await admin.start()
    assert await call_admin(path, "echo", {"a": 1}) == {"a": 1, "by": USER}
    await admin.close()


async def test_a_file_in_its_place_is_left_alone(path: Path) -> None:
    path.write_text("notes")  # noqa: ASYNC240  # a test's
    with pytest.raises(FileExistsError, match="is in the way of the admin socket"):
        await AdminServer(path, HANDLERS).start()
    assert path.read_text() == "notes"  # noqa: ASYNC240  # a test's


async def test_the_socket_of_a_later_server_is_not_removed(admin: AdminServer, path: Path) -> None:
    later = AdminServer(path, HANDLERS)
    await later.start()
    await admin.close()
    assert await call_admin(path, "echo", {"a": 1}) == {"a": 1, "by": USER}
    await later.close()


async def test_a_server_that_goes_away_before_its_answer_is_said(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    path = tmp_path / "admin.sock"
    async with await asyncio.start_unix_server(hang_up, path):
        with pytest.raises(AdminUnavailable, match="stopped before it answered"):
            await call_admin(path, "echo")


async def test_something_else_on_the_socket_is_said(tmp_path: Path) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        writer.close()

    path = tmp_path / "admin.sock"
    async with await asyncio.start_unix_server(other, path):
        with pytest.raises(AdminUnavailable, match="is no gitops-profile server"):
            await call_admin(path, "echo")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
async def test_parameters_that_are_no_object_are_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "admin.sock"
    admin = AdminServer(path, HANDLERS)
    await admin.start()
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert await reader.readline() == b"HTTP/1.1 400 Bad Request\r\n"
    writer.close()
    await admin.close()
