"""The admin socket and the operations listener."""

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gitops_profile.http import AdminError, AdminServer, AdminUnavailable, OperationsServer, call_admin


async def echo(parameters: dict[str, Any]) -> dict[str, Any]:
    return {"got": parameters}


async def refuse(parameters: dict[str, Any]) -> None:
    raise AdminError("no such thing")


async def test_requests_and_refusals(tmp_path: Path) -> None:
    socket = tmp_path / "admin.sock"
    server = AdminServer(socket, {"echo": echo, "refuse": refuse})
    await server.start()
    assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600
    assert await call_admin(socket, "echo", {"a": 1}) == {"got": {"a": 1}}
    with pytest.raises(AdminError, match="no such thing"):
        await call_admin(socket, "refuse")
    with pytest.raises(AdminError, match="older"):
        await call_admin(socket, "unknown")
    await server.close()
    with pytest.raises(AdminUnavailable, match="gitops-profile serve"):
        await call_admin(socket, "echo")


async def test_a_socket_left_by_a_killed_server_is_replaced(tmp_path: Path) -> None:
    socket = tmp_path / "admin.sock"
    left = await asyncio.start_unix_server(lambda reader, writer: None, socket)
    left.close()
    await left.wait_closed()
    server = AdminServer(socket, {"echo": echo})
    await server.start()
    assert await call_admin(socket, "echo") == {"got": {}}
    await server.close()


async def test_health_and_metrics() -> None:
    well = False
    server = OperationsServer(lambda: (well, {"ready": well}), lambda: b"# HELP x\n")
    port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
            assert response.status == 503 and json.loads(await response.text()) == {"ready": False}
        well = True
        async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
            assert response.status == 200
        async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
            assert await response.text() == "# HELP x\n"
    await server.close()
