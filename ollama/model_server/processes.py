"""Which model processes run, as the kernel has them: Ollama lists a crashed one as loaded."""

from pathlib import Path


def runs(weights: str, proc: Path = Path("/proc")) -> bool:
    """Return whether a process was started with the weights of that digest (hexadecimal)."""
    return any(b"runner" in line and weights.encode() in line for line in _command_lines(proc))


def _command_lines(proc: Path) -> list[bytes]:
    lines = []
    for each in proc.glob("[0-9]*/cmdline"):
        try:
            lines.append(each.read_bytes())
        except OSError:  # it ended meanwhile
            continue
    return lines
