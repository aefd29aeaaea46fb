"""`gateway native`: what start_litellm.sh runs."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from gateway.config.checked import LOOPBACK, checked_config
from gateway.database.url import redacted
from gateway.log import set_up_logging
from gateway.native import litellm_proxy
from gateway.native.environment import Folders, add_secrets, native_environment
from gateway.native.preflight import check_ollama_models, require_free_port
from gateway.native.supervise import run_gateway

if TYPE_CHECKING:
    from collections.abc import Sequence


LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class NativeStart:
    """What a person asked for.

    Attributes:
        host: where to listen; None is loopback.
        port: None is LITELLM_PORT, or 4000.
        with_costs: bring an embedded Postgres.
        pull: download a missing model without asking.
        command: a command of the gateway to run instead of serving.
    """

    host: str | None = None
    port: int | None = None
    with_costs: bool = False
    pull: bool = False
    command: Sequence[str] = ()
    folders: Folders = field(default_factory=Folders)

    def run(self) -> int:
        """Run until the gateway ends; return its exit code.

        Raises:
            ConfigurationError: something is set wrong, or the port is taken.
            NativeInstallError: what a database needs could not be installed.
        """
        self.folders.make_data()
        environment = native_environment(os.environ, self.folders, host=self.host, port=self.port)
        set_up_logging(as_json=environment.get("JSON_LOGS", "").lower() == "true")
        with ExitStack() as stack:
            has_database = self._database(environment, stack)
            if self.command:
                return run_gateway(self.command, environment)
            settings, effective = checked_config(environment)
            require_free_port(settings)
            check_ollama_models(effective, pull=self.pull)
            if has_database:
                code = run_gateway(["migrate"], environment)
                if code != 0:
                    return code
                if settings.host in LOOPBACK:
                    LOG.info("every request needs a key now; yours: ./litellm/start_litellm.sh key")
            environment = litellm_proxy.connected(environment)
            when = environment["LITELLM_PROXY"]
            LOG.info("starting LiteLLM's proxy %s, for its own APIs", when)
            proxy = litellm_proxy.start(environment, self.folders.data / "state")
            if not has_database:
                proxy.outlive_exec()
                _become_server(environment)
            stack.callback(proxy.stop)  # before the database
            return run_gateway(["serve"], environment)

    def _database(self, environment: dict[str, str], stack: ExitStack) -> bool:
        """Start or name the database that is wanted; return whether there is one."""
        if not (self.with_costs or environment.get("DATABASE_URL") or environment.get("DB_HOST")):
            return False
        from gateway.native.prisma_install import ensure_prisma  # noqa: PLC0415 -- not without

        if environment.get("DATABASE_URL"):
            origin = "the shell" if os.environ.get("DATABASE_URL") else ".env"
            LOG.info("DATABASE_URL of %s: %s", origin, redacted(environment["DATABASE_URL"]))
        elif self.with_costs:
            from gateway.native.embedded_postgres import embedded_postgres  # noqa: PLC0415 -- with costs

            environment["DATABASE_URL"] = stack.enter_context(embedded_postgres(self.folders))
        add_secrets(environment, self.folders)
        ensure_prisma(self.folders)
        return True


def _become_server(environment: dict[str, str]) -> NoReturn:
    """Replace this process by the gateway: there is nothing left to look after."""
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "gateway", "serve"], environment)  # noqa: S606 -- no shell
