"""What prevents serving the model, and what a person can do about it."""

from typing import Literal

Again = Literal["soon", "later", "never"]
"""When it makes sense to try again: at once and often, now and then, or not before a change."""


class Problem(Exception):  # noqa: N818 -- it is shown to people, most of it is not our error
    """One reason why the model is not served.

    Attributes:
        reason: what happened, one line.
        what_to_do: what to set or do, one line.
        again: when it makes sense to try again.
    """

    def __init__(self, reason: str, what_to_do: str, *, again: Again) -> None:
        super().__init__(reason)
        self.reason = reason
        self.what_to_do = what_to_do
        self.again = again
