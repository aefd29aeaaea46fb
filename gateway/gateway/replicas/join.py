"""Connect this gateway's rooms with what the gateways of a database share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.proxy.identity import derive_secret
from gateway.replicas.cooldowns import Cooldowns
from gateway.replicas.leases import Leases, ledger
from gateway.replicas.replicas import Replicas
from gateway.replicas.sharing import Sharing
from gateway.routing.deployments import CLOCK

if TYPE_CHECKING:
    from gateway.access.access import Access
    from gateway.journal.spend_journal import SpendJournal
    from gateway.limits.limits import Limits
    from gateway.replicas.replicas import Place
    from gateway.routing.router import Router


def join_others(
    access: Access, journal: SpendJournal | None, router: Router, limits: Limits, master_key: str
) -> Replicas | None:
    """Return the object to start and close with the gateway; None without a database."""
    database = access.database
    if database is None or journal is None:
        return None
    deployments = router.deployments
    secret = derive_secret(master_key)
    cooldowns = Cooldowns(database, secret, deployments, router.states, CLOCK)
    replicas = Replicas(database, journal.journal_id, journal.predecessor)
    leases = Leases(limits, ledger(database, journal.journal_id), lambda: not database.answers)
    replicas.sharing = sharing = Sharing(database, leases, journal.journal_id)
    journal.on_taken_over = sharing.remove_replica

    def changed(deployment_id: str) -> None:
        cooldowns.changed(deployment_id)
        if replicas.place.count > 1:
            replicas.wake()

    def moved(place: Place) -> None:
        limits.share(place.part)

    deployments.changed = changed
    replicas.is_heard = access.follow_replicas(replicas.wake)
    replicas.moved = moved
    replicas.publish, replicas.read = cooldowns.publish, cooldowns.read
    return replicas
