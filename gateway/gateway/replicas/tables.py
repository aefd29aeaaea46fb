"""The tables that gateways share, and every statement on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.database.triggers import CHANNEL, REPLICAS_CHANGED
from gateway.journal.statements import POSITIONS_KEPT

if TYPE_CHECKING:
    from gateway.database.connection import Connection

ALIVE_SECONDS = 10
"""A gateway that has been silent for this long does not count."""

_CREATE = """
CREATE SCHEMA IF NOT EXISTS gateway_data;
CREATE TABLE IF NOT EXISTS gateway_data.replica (
    id text PRIMARY KEY,
    beat_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
ALTER TABLE gateway_data.replica ADD COLUMN IF NOT EXISTS host text NOT NULL DEFAULT '';
CREATE TABLE IF NOT EXISTS gateway_data.cooldown (
    deployment text PRIMARY KEY,
    kind text NOT NULL,
    status integer,
    until timestamptz NOT NULL,
    told_at timestamptz NOT NULL
) WITH (fillfactor = 50)
"""

EXIST = """
SELECT to_regclass('gateway_data.lease') IS NOT NULL AND EXISTS (
    SELECT FROM pg_attribute WHERE attname = 'host'
        AND attrelid = to_regclass('gateway_data.replica'))
"""
"""Whether `migrate` has created all tables and columns."""

_IS_ALIVE = f"beat_at > now() - interval '{ALIVE_SECONDS} s'"
_TELL = f"pg_notify('{CHANNEL}', '{REPLICAS_CHANGED}')"

JOIN = f"""
WITH gone AS (
    DELETE FROM gateway_data.replica
    WHERE id = %(predecessor)s OR beat_at < now() - interval '{POSITIONS_KEPT.days} days'
), forgotten AS (
    DELETE FROM gateway_data.cooldown WHERE NOT EXISTS (
        SELECT FROM gateway_data.replica
        WHERE id NOT IN (%(predecessor)s, %(id)s) AND {_IS_ALIVE})
)
INSERT INTO gateway_data.replica (id, host) VALUES (%(id)s, %(host)s)
ON CONFLICT (id) DO UPDATE SET beat_at = now(), host = excluded.host
RETURNING {_TELL}
"""  # noqa: S608 -- constants of ours
"""Join the other gateways, and delete the row of this gateway's predecessor.

The row of a gateway that has vanished stays as long as its journal may be applied.
If no other gateway is alive, all cooldowns are deleted, so that a restart asks each deployment
again.
"""

BEAT = f"""
WITH beat AS (
    INSERT INTO gateway_data.replica (id) VALUES (%(id)s)
    ON CONFLICT (id) DO UPDATE SET beat_at = now()
)
SELECT
    ARRAY(SELECT id FROM gateway_data.replica WHERE id <> %(id)s AND {_IS_ALIVE}),
    coalesce((SELECT jsonb_agg(jsonb_build_object(
            'deployment', deployment, 'kind', kind, 'status', status, 'told_at', told_at,
            'seconds', extract(epoch FROM until - now())))
        FROM gateway_data.cooldown), '[]')
"""  # noqa: S608 -- as above
"""Report that this gateway is alive; return the ids of the others that are, and all cooldowns."""

LEAVE = f"DELETE FROM gateway_data.replica WHERE id = %(id)s RETURNING {_TELL}"  # noqa: S608 -- as above

BEGIN_COOLDOWN = f"""
INSERT INTO gateway_data.cooldown AS c (deployment, kind, status, until, told_at)
VALUES (%(deployment)s, %(kind)s, %(status)s,
    now() + make_interval(secs => %(seconds)s), clock_timestamp())
ON CONFLICT (deployment) DO UPDATE SET kind = excluded.kind, status = excluded.status,
    until = greatest(c.until, excluded.until), told_at = excluded.told_at
WHERE excluded.kind <> 'unreachable' OR c.kind = 'unreachable'
RETURNING to_jsonb(told_at) #>> '{{}}', {_TELL}
"""  # noqa: S608 -- as above
"""Publish a cooldown; return the time of that, in the form in which it is read later.

A failure to connect does not replace a cooldown that a provider's answer began; then no row is
returned.
"""

END_COOLDOWN = f"""
DELETE FROM gateway_data.cooldown WHERE deployment = %(deployment)s AND told_at = %(told_at)s
RETURNING {_TELL}
"""  # noqa: S608 -- as above
"""Publish the end of a cooldown, unless it has begun again since it was last read."""

SILENT = f"""
SELECT r.id, r.host, r.beat_at, (
    SELECT max(known.usd) FROM (
        SELECT sum(l.costs) AS usd FROM gateway_data.lease AS l
        LEFT JOIN gateway_data.journal_position AS p ON p.journal = l.replica
        WHERE l.replica = r.id AND coalesce(p.at, -1) < l.upto GROUP BY l.kind
    ) AS known)
FROM gateway_data.replica AS r WHERE NOT {_IS_ALIVE} ORDER BY r.beat_at
"""  # noqa: S608 -- as above
"""Return the gateways that are gone with costs that may not be in the database.

The last column is the least that these costs are, by what the gateway reported of shared budgets.
"""

HOSTS = "SELECT id, host FROM gateway_data.replica"

REMOVE_SILENT = f"DELETE FROM gateway_data.replica WHERE id = %(dead)s AND NOT {_IS_ALIVE}"  # noqa: S608 -- as above

FORGET_ALL = """
DO $$ BEGIN
    IF to_regclass('gateway_data.replica') IS NOT NULL THEN
        DELETE FROM gateway_data.replica;
    END IF;
END $$
"""
"""Forget all gateways, after a restore: the backup holds their journals as well."""

OTHERS = f"SELECT count(*) FROM gateway_data.replica WHERE {_IS_ALIVE}"  # noqa: S608 -- as above
ROOM = """
SELECT current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0)
"""
"""Return how many connections roles other than superusers may have at once."""


def create_tables(connection: Connection) -> None:
    """Create the tables where they are missing; for `migrate`.

    Raises:
        psycopg.errors.InsufficientPrivilege: the role may not create a schema.
    """
    with connection.transaction():
        connection.execute(_CREATE)
