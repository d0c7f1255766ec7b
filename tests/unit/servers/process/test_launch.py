"""A launch says where ports belong; ports are free and given once."""

import socket

import pytest

from pytest_llmval.errors import SettingsError
from pytest_llmval.servers.process.ports import free_ports


def test_ports_take_the_place_of_their_names(launch):
    """In any argument and in values of the environment; other braces stay as they are."""
    wanted = launch(
        command=("serve", "--port={port}", '{"port": 1, "x": "{unknown}"}', "{grpc_port}:{port}"),
        env=(("METRICS", "at {metrics_port}"), ("{port}", "1")),
    )

    placed = wanted.at({"port": 8000, "grpc_port": 8001, "metrics_port": 8002})

    assert wanted.port_names == ("port", "grpc_port", "metrics_port")
    assert placed.command == ("serve", "--port=8000", '{"port": 1, "x": "{unknown}"}', "8001:8000")
    assert placed.env == {"METRICS": "at 8002", "{port}": "1"}


def test_a_port_may_be_told_by_the_environment_alone(launch):
    """And ports that nothing asks for are not looked for."""
    assert launch(command=("serve",), env=(("PORT", "{port}"),)).port_names == ("port",)


def test_a_command_without_a_port_is_refused(launch):
    """Nobody would know where the server listens."""
    with pytest.raises(SettingsError) as raised:
        launch(command=("serve", "--port=8000"))

    assert str(raised.value) == (
        "model version 'v1': command ['serve', '--port=8000'] does not say where to listen; "
        "write '{port}' where the port belongs, for example '--port={port}'"
    )


def test_no_port_is_given_twice():
    """Servers bind late, so a port that looks free may be promised."""
    given = [port for _ in range(200) for port in free_ports(("port", "grpc_port", "metrics_port")).values()]

    assert len(set(given)) == 600


def test_a_port_that_was_given_is_free():
    """The one who asked for it can listen there."""
    with socket.create_server(("127.0.0.1", free_ports(["port"])["port"])) as listener:
        assert listener.fileno() >= 0
