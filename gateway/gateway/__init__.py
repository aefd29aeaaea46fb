"""What we run around LiteLLM's proxy: the part of the gateway that is ours.

Start reading at `cli.py`, the table of contents: each command is one function there. `serve.py`
is the way of a start (check, render, import, serve); `front.py` is what a request passes first.
Settings come in through `environment.py` (VAR or VAR_FILE) and `settings.py`; what a user edits,
litellm_config.yaml, goes through `config_check.py` and `config_render.py` before LiteLLM sees it.
"""

__version__ = "0.1.0"
