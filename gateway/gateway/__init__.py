"""The gateway: the data plane on port 4000, and the commands that `./run` calls.

Start reading at `assembly.py`, which creates the rooms that a request passes, and at
`http/endpoint.py`, which takes a request through them. `cli.py` has a function for each command,
and `serve.py` is a start. docs/architecture.md describes the rooms.
"""

__version__ = "0.1.0"
