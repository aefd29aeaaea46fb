"""The upstream asked directly: what is left when there is no gateway."""

from __future__ import annotations

from bench.alternatives.base import Alternative
from bench.site import PORT


class Floor(Alternative):
    """Nobody in between."""

    name = "floor"
    title = "upstream directly"
    main = "none"

    def start(self) -> None:
        """Do nothing: it runs already."""
        self.url = f"http://upstream:{PORT}/v1/chat/completions"
