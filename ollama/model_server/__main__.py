"""Lets `python -m model_server` be `model-server`."""

from model_server.cli import app

app()
