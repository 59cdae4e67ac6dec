"""Sockets on the loopback address."""

import socket

from inference_endpoints_local.loopback import HOST, listen


def test_the_body_of_a_response_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    with listen() as listener, socket.create_connection((HOST, listener.getsockname()[1])):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
