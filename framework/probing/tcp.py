"""A TCP connection, and the reason when there is none."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket


class Failed(Exception):
    """A step of a test did not work; the text is ours and repeats nothing of the server."""


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """A TCP connection.

    Raises:
        Failed: there is no answer, with the reason.
    """
    import socket

    try:
        return socket.create_connection((host, port), timeout)
    except (OSError, ValueError, OverflowError) as fault:  # ValueError: an invalid name
        failure = f"{host}:{port}: {reason(fault, timeout)}"
    raise Failed(failure)


def reason(fault: BaseException, timeout: float) -> str:
    """A description of an error of another package."""
    import socket
    import ssl

    if isinstance(fault, (TimeoutError, socket.timeout)):
        return f"no answer within {timeout:g} s"
    if isinstance(fault, socket.gaierror):
        return "the name of the host cannot be resolved"
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted ({fault.verify_message})"
    if isinstance(fault, ssl.SSLError):
        return "the TLS handshake failed; perhaps the server does not use TLS on this port"
    if isinstance(fault, ConnectionResetError):
        return "the server closed the connection"
    if isinstance(fault, OSError) and fault.errno:
        return os.strerror(fault.errno)
    return f"it failed with {type(fault).__name__}"
