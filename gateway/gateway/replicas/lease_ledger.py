"""Budgets over several gateways: a table, and the function that grants room in a budget.

The table has one row for each gateway and budget: what the gateway may spend without asking. A
gateway reports to `gateway_data.lease` what it holds and what it has journaled, and is granted
more. Both are totals. So a report that arrives twice changes nothing, and after a lost answer the
next call corrects the row. Each call locks the budget before it reads anything, so that it sees
what the previous call has written.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.limits.account import PRECISION
from gateway.replicas.tables import ALIVE_SECONDS

if TYPE_CHECKING:
    from gateway.database.connection import Connection

LOST_MINUTES = 10
"""How long the room of a gateway that has vanished with its journal stays set aside."""

SPARE = 64
"""Each grant adds one part in this many of what no gateway holds, so that few requests must ask."""

_CREATE = f"""
ALTER TABLE gateway_data.replica ADD COLUMN IF NOT EXISTS shares boolean NOT NULL DEFAULT false;

CREATE TABLE IF NOT EXISTS gateway_data.lease (
    kind text NOT NULL,
    id text NOT NULL,
    replica text NOT NULL,
    holds double precision NOT NULL,
    costs double precision NOT NULL,
    upto bigint NOT NULL,
    call bigint NOT NULL,
    PRIMARY KEY (kind, id, replica)
) WITH (fillfactor = 50);

CREATE OR REPLACE FUNCTION gateway_data.lease(
    me text, my_call bigint, what text, name text, one text, other text, budget float8,
    may_pass boolean, my_holds float8, my_costs float8, my_upto bigint, first float8, wanted float8,
    OUT granted float8, OUT spent float8, OUT elsewhere float8
) LANGUAGE plpgsql AS $body$
DECLARE
    top float8 := budget * (1 + {PRECISION});
    applied bigint;
    unapplied float8;
    free float8;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(what || ' ' || name, 735188));
    IF EXISTS (SELECT FROM gateway_data.lease AS l WHERE l.kind = what AND l.id = name
        AND l.replica = me AND l.call > my_call) THEN
        RETURN;  -- nobody waits for this answer any more, and a later call has said what holds
    END IF;
    SELECT
        coalesce(CASE what
            WHEN 'key' THEN (SELECT t.spend FROM "LiteLLM_VerificationToken" AS t
                WHERE t.token = one)
            WHEN 'team' THEN (SELECT t.spend FROM "LiteLLM_TeamTable" AS t WHERE t.team_id = one)
            WHEN 'team_member' THEN (SELECT t.spend FROM "LiteLLM_TeamMembership" AS t
                WHERE t.team_id = one AND t.user_id = other)
            WHEN 'user' THEN (SELECT t.spend FROM "LiteLLM_UserTable" AS t WHERE t.user_id = one)
            WHEN 'organization' THEN (SELECT t.spend FROM "LiteLLM_OrganizationTable" AS t
                WHERE t.organization_id = one)
            WHEN 'organization_member' THEN (SELECT t.spend
                FROM "LiteLLM_OrganizationMembership" AS t
                WHERE t.organization_id = one AND t.user_id = other)
            WHEN 'end_user' THEN (SELECT t.spend FROM "LiteLLM_EndUserTable" AS t
                WHERE t.user_id = one)
        END, 0),
        coalesce((SELECT p.at FROM gateway_data.journal_position AS p WHERE p.journal = me), -1),
        coalesce((SELECT sum(l.costs) FROM gateway_data.lease AS l
            LEFT JOIN gateway_data.journal_position AS p ON p.journal = l.replica
            WHERE l.kind = what AND l.id = name AND l.replica <> me
                AND coalesce(p.at, -1) < l.upto), 0),
        coalesce((SELECT sum(l.holds) FROM gateway_data.lease AS l
            JOIN gateway_data.replica AS r ON r.id = l.replica
            WHERE l.kind = what AND l.id = name AND l.replica <> me
                AND r.beat_at > now() - interval '{LOST_MINUTES} min'), 0)
    INTO spent, applied, unapplied, elsewhere;
    unapplied := unapplied + CASE WHEN applied >= my_upto THEN 0 ELSE my_costs END;
    free := top - spent - unapplied - elsewhere - my_holds;
    granted := CASE
        WHEN first <= 0 THEN 0
        WHEN free >= wanted THEN wanted + (free - wanted) / {SPARE}
        WHEN free >= first THEN greatest(first, free / 2)
        WHEN may_pass AND elsewhere = 0 AND my_holds = 0
            AND spent + unapplied < budget * (1 - {PRECISION}) THEN first
        ELSE 0 END;
    INSERT INTO gateway_data.lease AS l (kind, id, replica, holds, costs, upto, call)
    VALUES (what, name, me, my_holds + granted, my_costs, my_upto, my_call)
    ON CONFLICT (kind, id, replica) DO UPDATE
    SET holds = excluded.holds, costs = excluded.costs, upto = excluded.upto, call = excluded.call;
END
$body$;

CREATE OR REPLACE FUNCTION gateway_data.shares_budgets(me text) RETURNS boolean
LANGUAGE plpgsql AS $body$
DECLARE
    has_others boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(735188);
    SELECT EXISTS (SELECT FROM gateway_data.replica AS r
        WHERE r.id <> me AND r.beat_at > now() - interval '{LOST_MINUTES} min') INTO has_others;
    INSERT INTO gateway_data.replica AS r (id, shares) VALUES (me, has_others)
    ON CONFLICT (id) DO UPDATE SET beat_at = now(), shares = has_others;
    RETURN has_others;
END
$body$
"""  # noqa: S608 -- constants of ours

SHARES = "SELECT gateway_data.shares_budgets(%(id)s)"
"""Record, and return, whether there are other gateways to share budgets with.

Calls run one after another. If one gateway starts while another finds itself alone, the second call
sees what the first has written.
"""

OTHERS = f"""
SELECT
    EXISTS (SELECT FROM gateway_data.replica
        WHERE id <> %(id)s AND beat_at > now() - interval '{LOST_MINUTES} min'),
    NOT EXISTS (SELECT FROM gateway_data.replica WHERE id <> %(id)s AND NOT shares
        AND beat_at > now() - interval '{ALIVE_SECONDS} s')
"""  # noqa: S608 -- as above
"""Return whether there are other gateways, and whether all live ones share their budgets."""

GIVE_ALL_BACK = "DELETE FROM gateway_data.lease WHERE replica = %(id)s RETURNING id"
"""Delete all rows of a gateway, before it begins to share."""

REMOVE_REPLICA = "DELETE FROM gateway_data.replica WHERE id = %(dead)s RETURNING id"
"""Delete a gateway that is gone, and whose costs are in the database."""

LEASE = """
SELECT granted, spent, elsewhere FROM gateway_data.lease(
    %(replica)s, %(call)s, %(kind)s, %(id)s, %(one)s, %(other)s, %(budget)s, %(may_pass)s,
    %(holds)s, %(costs)s, %(upto)s, %(first)s, %(wanted)s)
"""

FORGET = """
DELETE FROM gateway_data.lease AS l WHERE (
        l.replica = %(id)s OR NOT EXISTS (
            SELECT FROM gateway_data.replica AS r WHERE r.id = l.replica))
    AND l.upto <= coalesce(
        (SELECT p.at FROM gateway_data.journal_position AS p WHERE p.journal = l.replica), -1)
RETURNING l.id
"""
"""Delete the rows of a gateway that ends, and of gateways that are gone.

Rows with costs that are still in a journal stay: these costs count until they are in the database.
"""

FINGERPRINT = hashlib.sha256(_CREATE.encode()).hexdigest()
"""The hash of the SQL; the function's comment has it, to show what the function was made from."""

_FUNCTION = (
    "gateway_data.lease(text, bigint, text, text, text, text, float8, boolean, float8, float8,"
    " bigint, float8, float8)"
)


def create_ledger(connection: Connection) -> None:
    """Create the table and the functions, if they are missing or were made from other SQL.

    Raises:
        psycopg.errors.InsufficientPrivilege: the role may not create them.
    """
    found = connection.execute(
        "SELECT obj_description(to_regprocedure(%s), 'pg_proc')", [_FUNCTION]
    ).fetchone()
    if found == (FINGERPRINT,):
        return
    with connection.transaction():
        connection.execute(_CREATE.encode())
        connection.execute(f"COMMENT ON FUNCTION {_FUNCTION} IS '{FINGERPRINT}'".encode())
