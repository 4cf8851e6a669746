"""What an entry of include/pbx.yml says about its stream, checked, with the model's defaults."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal

from tollhouse.connections import PbxConnection
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx import StreamDefaults

PeerNetwork = IPv4Network | IPv6Network

#: Who may connect to a collector whose entry names nobody: this machine.
LOOPBACK: tuple[PeerNetwork, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

#: ::ffff:192.0.2.10 is 192.0.2.10 behind so many bits.
_MAPPED_BITS = 96

#: Far above what a PBX with ten thousand extensions sends, buffers handed over included.
TICKETS_PER_SECOND = 10_000

#: Of a PBX that has one connection, the others are new ones in their TLS handshake.
OPEN_CONNECTIONS = {"one": 8, "many": 64}

#: The settings that are about the stream, as docs/configuration.md lists them.
KEYS = (
    "direction",
    "connections",
    "allowed_peers",
    "max_connections",
    "max_tickets_per_second",
    "login",
)

#: What a model without a word about its stream would speak: lines of text.
_UNSAID = StreamDefaults(direction="dial", port=0)


class StreamSettingsError(ValueError):
    """A setting does not hold; the message names the entry, the key and what is expected."""


@dataclass(frozen=True)
class StreamSettings:
    """How the collector and one PBX meet, and how much that PBX may do.

    Attributes:
        direction: the collector dials, or it listens and the PBX connects.
        connections: ``one``, a new connection replaces the one before it, or ``many``.
        default_port: where the connection names none.
        allowed_peers: who may connect to a listening collector.
        max_connections: open at once, those in a TLS handshake included.
        max_tickets_per_second: beyond it nothing is read for a while.
    """

    direction: Literal["dial", "listen"]
    connections: Literal["one", "many"]
    default_port: int
    allowed_peers: tuple[PeerNetwork, ...]
    max_connections: int
    max_tickets_per_second: int


def stream_of(pbx: Pbx) -> StreamDefaults:
    """Return how a PBX's model speaks over TCP."""
    return pbx.known_model.stream or _UNSAID


def stream_settings(pbx: Pbx) -> StreamSettings:
    """Return what an entry and its model say.

    Raises:
        StreamSettingsError: a setting does not hold.
    """
    if pbx.broken_layout is not None and pbx.known_model.stream is None:
        raise StreamSettingsError(
            f"{pbx.id}: how to collect from it is not known, because its layout does not hold. "
            f"Correct it and restart the collector.\n{pbx.broken_layout.explanation}"
        )
    defaults = stream_of(pbx)
    direction = pbx.settings.get("direction", defaults.direction)
    if direction not in ("dial", "listen"):
        raise _fault(pbx, "direction", direction, "it is dial or listen")
    connections = pbx.settings.get("connections", defaults.connections)
    if connections not in ("one", "many"):
        raise _fault(pbx, "connections", connections, "it is one or many")
    _look_for_misspelt(pbx)
    login = pbx.settings.get("login", True)
    if not isinstance(login, bool):
        raise _fault(pbx, "login", login, "it is true or false, without quotes")
    return StreamSettings(
        direction=direction,
        # One dialled connection is all there is.
        connections=connections if direction == "listen" else "one",
        default_port=defaults.port,
        allowed_peers=_networks(pbx),
        max_connections=_count(pbx, "max_connections", OPEN_CONNECTIONS[connections]),
        max_tickets_per_second=_count(pbx, "max_tickets_per_second", TICKETS_PER_SECOND),
    )


def port_of(connection: PbxConnection, settings: StreamSettings) -> int:
    """Return the port to dial, or to listen on.

    Raises:
        StreamSettingsError: the connection names none, and neither does the model.
    """
    port = connection.port or settings.default_port
    if not port:
        raise StreamSettingsError(
            f"connection {connection.connection_id!r} names no port, and its layout has none in "
            "`collection`."
        )
    return port


def _look_for_misspelt(pbx: Pbx) -> None:
    """Refuse a key that is nearly one of ours; others may say how tickets are read."""
    for key in pbx.settings:
        meant = get_close_matches(key, KEYS, n=1, cutoff=0.8)
        if meant and key not in KEYS:
            raise _fault(pbx, key, pbx.settings[key], f"there is no such key, {meant[0]} is meant")


def _networks(pbx: Pbx) -> tuple[PeerNetwork, ...]:
    named = pbx.settings.get("allowed_peers")
    if named is None:
        return LOOPBACK
    expected = 'it is a list of addresses or networks: ["192.0.2.10", "198.51.100.0/24"]'
    if not isinstance(named, list) or not named:
        raise _fault(pbx, "allowed_peers", named, expected)
    try:
        return tuple(_network(str(network)) for network in named)
    except ValueError as error:
        raise _fault(pbx, "allowed_peers", named, f"{expected} ({error})") from error


def _network(text: str) -> PeerNetwork:
    """Return a network; one of IPv4 addresses that are written as IPv6 as what it is."""
    network = ip_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def _count(pbx: Pbx, key: str, default: int) -> int:
    value: object = pbx.settings.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
        raise _fault(pbx, key, value, "it is a whole number from 1 to 1,000,000")
    return value


def _fault(pbx: Pbx, key: str, value: Any, expected: str) -> StreamSettingsError:
    return StreamSettingsError(f"{pbx.id}: settings.{key} is {value!r}: {expected}.")
