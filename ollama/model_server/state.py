"""How far the model server is, in a file that `status` and `health` read from outside."""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

Step = Literal["starting", "pulling", "importing", "warming", "ready", "failed"]


class State(BaseModel):
    """One moment of the model server."""

    state: Step = "starting"
    model: str
    percent: int | None = None
    """How much of a download or import is done; null where nothing is counted."""
    detail: str = ""
    what_to_do: str = ""
    was_ready: bool = False
    """Whether the model has been served since the start; for the health check alone."""

    @property
    def first_steps(self) -> bool:
        """Whether it is on its way to being served for the first time."""
        return not self.was_ready and self.state not in {"ready", "failed"}

    def as_data(self) -> str:
        """Return what people's programs read."""
        return self.model_dump_json(exclude={"was_ready"})

    def __str__(self) -> str:
        percent = "" if self.percent is None else f" {self.percent} %"
        line = f"{self.state} {self.model}{percent}"
        return "; ".join(
            filter(None, [": ".join(filter(None, [line, self.detail])), self.what_to_do])
        )

    def write(self, path: Path) -> None:
        """Replace the file as a whole: a reader never sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(self.model_dump_json(), encoding="utf-8")
        fresh.replace(path)

    @classmethod
    def read(cls, path: Path, model: str) -> "State":
        """Return what was written last; "starting" when nothing was yet."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(model=model, detail="the server has not begun")
        except (OSError, ValidationError) as error:
            return cls(
                state="failed",
                model=model,
                detail=f"{os.fspath(path)} cannot be read: {str(error).splitlines()[0]}",
                what_to_do="restart the container",
            )
