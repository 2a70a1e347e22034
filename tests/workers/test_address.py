"""The address that workers share."""

import socket

import pytest

from deep_chat_proxy.workers.address import reserved


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_a_free_port_is_the_same_for_all_that_share_it(host: str) -> None:
    with reserved(host, 0) as port:
        listening = [socket.socket() for _ in range(2)]
        for each in listening:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.bind(("127.0.0.1", port))
            each.listen()
        with socket.create_connection(("127.0.0.1", port)):
            pass
        for each in listening:
            each.close()


def test_an_address_that_is_not_there_is_refused() -> None:
    with pytest.raises(OSError, match="Cannot assign requested address"), reserved("192.0.2.1", 0):
        pass
