"""The commands: `scripted-upstream serve`, `scripted-upstream check FILE…`."""

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from scripted_upstream.blackhole import blackhole
from scripted_upstream.control import create_app
from scripted_upstream.journal import Journal
from scripted_upstream.load import ScriptError, read_file
from scripted_upstream.script import Script
from scripted_upstream.server import config
from scripted_upstream.upstream import Upstream


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, or 2 when a script or the environment cannot be used."""
    parser = argparse.ArgumentParser(prog="scripted-upstream", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve until stopped; SCRIPT names the script")
    check = commands.add_parser("check", help="say what is wrong with scripts")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    chosen = parser.parse_args(arguments)
    return _serve() if chosen.command == "serve" else _check(chosen.files)


def _check(files: list[Path]) -> int:
    code = 0
    for file in files:
        try:
            script = read_file(file)
        except ScriptError as error:
            _complain(file, error)
            code = 2
        else:
            _say(f"{file}: ok, {_rules(script)}")
    return code


def _serve() -> int:
    file = os.environ.get("SCRIPT")
    try:
        script = read_file(Path(file)) if file else Script()
        port, keep = _number("PORT", 9000), _number("JOURNAL_SIZE", 1000)
        dropping = _number("BLACKHOLE_PORT", 9001)
    except ScriptError as error:
        _complain(Path(file or ""), error)
        return 2
    except ValueError as error:
        _say(f"scripted-upstream cannot start: {error}")
        return 2
    upstream = Upstream(journal=Journal(keep=keep))
    host = os.environ.get("HOST") or "0.0.0.0"  # noqa: S104 -- a container's own network
    _say(f"scripted-upstream: port {port}, {file or 'no script'}, {_rules(script)}")
    with blackhole(host, dropping):
        uvicorn.Server(config(create_app(script, upstream), host, port)).run()
    return 0


def _rules(script: Script) -> str:
    count = len(script.rules)
    return f"{count} rule" if count == 1 else f"{count} rules"


def _number(name: str, default: int) -> int:
    """Return a positive whole number from the environment; empty is unset."""
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} is {text!r}; set it to a whole number from 1 up")
    return int(text)


def _complain(file: Path, error: ScriptError) -> None:
    for problem in error.problems:
        _say(f"{file}: {problem}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
