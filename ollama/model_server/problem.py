"""What stands in the way of serving the model, and what a person can do about it."""


class Problem(Exception):  # noqa: N818 # it is shown to people, most of it is not our error
    """One reason why the model is not served.

    Attributes:
        reason: what happened, one line.
        what_to_do: what to set or do, one line.
        passing: whether it may go away by itself, so that trying again makes sense.
    """

    def __init__(self, reason: str, what_to_do: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.what_to_do = what_to_do
        self.passing = passing
