"""From the environment and litellm_config.yaml to checked settings.

Start reading at `checked.py`: variables (`environment.py`, `settings.py`) and the file
(`document.py`, `check.py`) become one effective configuration (`render.py`). Everything that is
wrong is a `Problem` (`problems.py`) that names its variable, or its file and line.
"""
