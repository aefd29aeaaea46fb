"""How far the model server is, in a file that `status` and `health` read from outside.

The health check runs every ten seconds: what is here needs nothing beyond the standard library.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

STATE_FILE = Path("/tmp/model-server/state.json")  # noqa: S108 -- a tmpfs of its own
DEFAULT_MODEL = "llama3.2"

Step = Literal["starting", "pulling", "importing", "warming", "ready", "failed"]
_FOR_THE_HEALTH_CHECK = ("was_ready", "url", "always_loaded")


@dataclass(frozen=True, kw_only=True)
class State:
    """One moment of the model server."""

    state: Step = "starting"
    model: str
    percent: int | None = None
    """How much of a download or import is done; null where nothing is counted."""
    detail: str = ""
    what_to_do: str = ""

    was_ready: bool = False
    """Whether the model has been served since the start."""
    url: str = ""
    """Where Ollama answers, from inside the container."""
    always_loaded: bool = True
    """Whether the model never leaves memory by itself."""

    def __post_init__(self) -> None:
        if self.state not in get_args(Step):
            raise ValueError(f"{self.state!r} is not a state")

    @property
    def first_steps(self) -> bool:
        """Whether it is on its way to being served for the first time."""
        return not self.was_ready and self.state not in {"ready", "failed"}

    def as_data(self) -> str:
        """Return what people's programs read."""
        told = {
            key: value for key, value in asdict(self).items() if key not in _FOR_THE_HEALTH_CHECK
        }
        return json.dumps(told, ensure_ascii=False)

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
        fresh.write_text(json.dumps(asdict(self)), encoding="utf-8")
        fresh.replace(path)

    @classmethod
    def read(cls, path: Path, model: str) -> "State":
        """Return what was written last; "starting" when nothing was yet."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls(model=model, detail="the server has not started")
        except (OSError, ValueError, TypeError) as error:
            return cls(
                state="failed",
                model=model,
                detail=f"{os.fspath(path)} cannot be read: {str(error).splitlines()[0]}",
                what_to_do="restart the container",
            )
