"""Ports for a system that may run beside another."""

from __future__ import annotations

import socket

import yaml

from trials.system import free_ports, on_free_ports


def test_free_ports_differ_and_can_be_taken() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports[:3]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


def test_every_listener_of_up_is_moved() -> None:
    found = on_free_ports()
    engines = yaml.safe_load(found["UNDERSTUDY_ENGINES__PORTS"])
    assert engines.keys() == {"teacher", "student-a", "student-b"}
    listeners = {*engines.values(), int(found["UNDERSTUDY_GATEWAY__PORT"]), int(found["UNDERSTUDY_CONTROL__PORT"])}
    assert len(listeners) == 5
