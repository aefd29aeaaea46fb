"""The gateway without a container, started by start_litellm.sh.

Start reading at `command.py`: settings as compose would have them (`environment.py`,
`dotenv_file.py`), a look at the port and at Ollama (`preflight.py`), and when costs are wanted a
database (`embedded_postgres.py`) with Prisma's engine (`prisma_install.py`). Then `gateway migrate`
and `gateway serve`, the same as in the container, run under `supervise.py`, and beside it LiteLLM's
proxy (`litellm_proxy.py`).
"""
