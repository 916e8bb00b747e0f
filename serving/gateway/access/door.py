"""Whether a gateway may listen where it is told to: beyond this machine only with keys, or where somebody says so."""

from __future__ import annotations

import ipaddress
import socket

from serving.gateway.config import GatewayConfig


def only_this_machine(host: str) -> bool:
    """Whether a listener at `host`, an address or a name of one, is reached from this machine alone."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.gethostbyname(host))
        except OSError:
            return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def open_door(host: str, config: GatewayConfig, keyed: bool) -> str:
    """Why a gateway must not listen at `host`, and what to do; empty where it may.

    `keyed`: whether clients need a key.
    """
    if keyed or config.allow_anybody or only_this_machine(host):
        return ""
    return (
        f"at {host} other machines reach the gateway, and without a key it would serve everybody: make one with "
        f"`understudy keys create`, listen at 127.0.0.1 (gateway.host), or, where something before it lets in only "
        f"whom it should, set gateway.allow_anybody: true"
    )
