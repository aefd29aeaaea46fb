"""What every alternative can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from bench.load import client
from bench.load.bodies import bodies
from bench.measure import engine
from support.wait import until

if TYPE_CHECKING:
    from datetime import datetime

    from bench.site import Site

START_SECONDS = 300
WARM_SECONDS = 3


class Alternative(ABC):
    """One of those that are compared.

    Attributes:
        name: a short one, for JSON and the command line.
        title: what it is, for people.
        model: the name that it is asked for.
        url: where it takes chat completions, on the site's network.
        keys: what it is asked with, in turn.
        headers: what it wants in each request besides.
        containers: by service; processor time and memory are theirs.
        main: the service that a request meets.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    model: ClassVar[str] = "gpt-4o-mini"
    main: ClassVar[str]

    def __init__(self, site: Site) -> None:
        self.site = site
        self.url = ""
        self.keys = ["sk-none"]
        self.headers: dict[str, str] = {}
        self.containers: dict[str, str] = {}

    @abstractmethod
    def start(self) -> None:
        """Start it, without waiting until it answers."""

    def rows_since(self, moment: datetime) -> int | None:
        """Return how many requests it has written down since then; None when it keeps no rows."""
        del moment
        return None

    def versions(self) -> dict[str, str]:
        """Return its own version, by its name."""
        return {}

    def wait(self) -> None:
        """Wait until it answers."""

        def answered() -> bool:
            seen = client.run(self.site.load, self.spec(bodies(self.model), 1, requests=1))
            if seen.failure.startswith("status 4"):
                raise RuntimeError(f"{self.title} will never answer so: {seen.failure}")
            if not seen.answers:
                raise AssertionError(seen.failure)
            return True

        def alive() -> None:
            for container in self.containers.values():
                self.site.must_run(container)

        until(answered, seconds=START_SECONDS, what=f"an answer of {self.title}", alive=alive)

    def warm(self) -> None:
        """Ask for some seconds: caches fill, and what compiles as it goes has compiled."""
        client.run(self.site.load, self.spec(bodies(self.model), 16, seconds=WARM_SECONDS))

    def spec(
        self,
        asked: list[str],
        connections: int,
        *,
        seconds: float = 5,
        warm_seconds: float = 0,
        stream: bool = False,
        requests: int = 0,
    ) -> client.Spec:
        """Return a load on this alternative."""
        return client.Spec(
            url=self.url,
            keys=self.keys,
            bodies=asked,
            connections=connections,
            seconds=seconds,
            warm_seconds=warm_seconds,
            stream=stream,
            requests=requests,
            headers=self.headers,
        )

    def pause(self) -> None:
        """Take it out of the way of the others."""
        engine.pause(self.containers.values())

    def resume(self) -> None:
        """Let it go on."""
        engine.resume(self.containers.values())
