"""What the gateways of one database know of each other: who is there, and what is in cooldown.

Begin with `replicas.py`: each gateway says every few seconds that it lives and reads, in the same
statement, who else does. `cooldowns.py` is the table of deployments in cooldown; `connections.py`
counts what all of them take of PostgreSQL's connections. A notification only says that there is
something to read: what holds is what the tables say, so one that is lost or late costs time alone.
"""
