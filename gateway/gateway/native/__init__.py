"""The gateway without a container, started by start_litellm.sh.

Start reading at `command.py`: settings as compose would have them (`environment.py`,
`dotenv_file.py`), checks of the port and of Ollama (`preflight.py`), and for costs a database
(`embedded_postgres.py`) with Prisma's engine (`prisma_install.py`). Then `gateway migrate` and
`gateway serve`, the same as in the container, run under `supervise.py`, next to LiteLLM's proxy
(`litellm_proxy.py`).
"""
