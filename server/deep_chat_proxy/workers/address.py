"""The address that several processes listen at: the system gives each connection to one of them."""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """Hold an address for the processes that will listen there, without listening; yields the port, a free one for 0.

    Raises OSError where the address cannot be had, or somebody listens there, who would share its connections.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with ExitStack() as held:
        missing: OSError | None = None
        taken = 0
        for family, name in dict.fromkeys((each[0], each[4]) for each in found):
            address = (name[0], port or taken, *name[2:])
            try:
                # One that shares with nobody tells whether the address is free.
                with _bound(family, address, socket.SO_REUSEADDR) as tried:
                    address = tried.getsockname()
                held.enter_context(_bound(family, address, socket.SO_REUSEPORT))
            except OSError as fault:
                if fault.errno == errno.EADDRINUSE:
                    raise OSError(fault.errno, f"{address[:2]}: address already in use") from None
                # Of several, as of `localhost`, some may not be there.
                missing = fault
            else:
                taken = int(address[1])
        if not taken and missing is not None:
            raise missing
        yield taken


def _bound(family: int, address: tuple[object, ...], option: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made
