"""Who may connect to a listening collector; the others are closed unread, counted and logged."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address

from tollhouse.collector.status import StreamStatus
from tollhouse.collector.stream_settings import PeerNetwork

#: A peer that is refused again and again is logged this often.
LOG_SECONDS = 60
#: So many refused peers are remembered; while they fill the memory, others are counted unlogged.
REMEMBERED_PEERS = 100

logger = logging.getLogger(__name__)


class PeerGate:
    """The allow-list of one PBX and the memory of whom it refused lately."""

    def __init__(
        self,
        allowed: Iterable[PeerNetwork],
        status: StreamStatus,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = tuple(allowed)
        self._status = status
        self._clock = clock
        #: When each refused peer was logged, oldest first.
        self._logged_at: OrderedDict[str, float] = OrderedDict()

    def admits(self, host: str) -> bool:
        """Whether a peer's address is in the allow-list."""
        # Without the scope of a link-local address: fe80::1%eth0.
        address = ip_address(host.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._allowed)

    def refuse(self, host: str, reason: str) -> None:
        """Count a peer that is not let in; log it once a minute."""
        self._status.refused_peer_count += 1
        self._status.last_refusal = f"{host}: {reason}"
        if self._is_to_be_logged(host):
            logger.warning("%s: connection of %s refused: %s", self._status.pbx_id, host, reason)

    def note_full(self, connection_count: int) -> None:
        """Count a moment in which no more connections may be opened; log it once a minute."""
        self._status.full_count += 1
        if self._is_to_be_logged(""):
            logger.warning(
                "%s: %d connections are open (settings.max_connections): the next one waits",
                self._status.pbx_id,
                connection_count,
            )

    def _is_to_be_logged(self, host: str) -> bool:
        now = self._clock()
        while self._logged_at and next(iter(self._logged_at.values())) <= now - LOG_SECONDS:
            self._logged_at.popitem(last=False)
        if host in self._logged_at or len(self._logged_at) >= REMEMBERED_PEERS:
            return False
        self._logged_at[host] = now
        return True
