import socket

from repoint.testing.ports import free_port


def test_a_port_for_a_server_is_none_that_a_connection_gets() -> None:
    ports = {free_port() for _ in range(20)}
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        assert max(ports) < given.getsockname()[1]
    for port in ports:
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))
