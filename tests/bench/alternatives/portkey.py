"""Portkey's open-source gateway: routes and retries; no keys, budgets or costs of its own."""

from __future__ import annotations

import json

from bench import images
from bench.alternatives.base import Alternative
from bench.site import CPU_SHARES, PORT, PROVIDER

HERE = images.HERE / "portkey"
PACKAGE = "@portkey-ai/gateway"


class Portkey(Alternative):
    """Its npm package by its lock file, on the Node of the test image."""

    name = "portkey"
    title = "Portkey gateway"
    main = "portkey"

    def start(self) -> None:
        """Start one process of it."""
        server = f"node_modules/{PACKAGE}/build/start-server.js"
        self.containers["portkey"] = self.site.run(
            "portkey",
            self.site.tools,
            *("--workdir", "/opt/bench/portkey", "--entrypoint", "node"),
            *CPU_SHARES,
            *("--env", "NODE_ENV=production", "--env", "TRUSTED_CUSTOM_HOSTS=upstream"),
            command=(server, "--port=8787", "--headless"),
        )
        self.url = "http://portkey:8787/v1/chat/completions"
        self.keys = [PROVIDER["OPENAI_API_KEY"]]
        self.headers = {
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://upstream:{PORT}/v1",
        }

    def versions(self) -> dict[str, str]:
        """Return the lock file's version."""
        packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
        return {self.title: str(packages[f"node_modules/{PACKAGE}"]["version"])}
