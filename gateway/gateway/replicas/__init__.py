"""What the gateways of one database know of each other, and what they share.

Begin with `replicas.py`: each gateway says every few seconds that it lives and reads who else does;
`join.py` joins that with the rooms. `cooldowns.py` is the table of deployments in cooldown, for
which a notification only says that there is something to read: one that is lost costs time alone.
`sharing.py` says when budgets are shared, `lease_ledger.py` is the ledger in the database that
grants room in them, `leases.py` asks it. `connections.py` counts PostgreSQL's connections.
"""
