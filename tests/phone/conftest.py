"""The phone is tried on the lab of the transports."""

from tests.transport.conftest import authority, certificates, server_files, trusting

__all__ = ["authority", "certificates", "server_files", "trusting"]
