"""The evaluation as a command: `python -m backend_stub.evaluation MODEL`.

Exit code 0: at or above the bar. 1: below it. 2: no verdict, the message says why.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import httpx

from backend_stub.evaluation import entries, report
from backend_stub.evaluation.evaluate import Answer, UnusableError, ask
from backend_stub.settings import Settings, SettingsError

RESULTS_VARIABLE = "EVALUATION_RESULTS"
"""A folder where the record of each whole run is kept; the gateway says it at every start."""


def main(
    arguments: Sequence[str] | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> int:
    """Run the evaluation and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        bar = report.Bar(options.min_recall, options.min_precision, options.min_valid_json)
        sentences = entries.spread(entries.load(), options.sentences)
        settings = Settings.from_environment()
        started = time.monotonic()
        answers = asyncio.run(
            ask(
                settings,
                options.model,
                sentences,
                concurrency=options.concurrency,
                transport=transport,
                on_answer=_progress(len(sentences)),
            )
        )
        result = report.figures(options.model, answers, time.monotonic() - started)
        record = json.dumps(report.record(result, bar), ensure_ascii=False, indent=2)
        print(record if options.json else report.table(result, bar))
        if options.record:
            _write(options.record, record)
        kept = os.environ.get(RESULTS_VARIABLE)
        if kept and len(sentences) == len(entries.load()):
            _write(Path(kept) / f"{quote(options.model, safe='')}.json", record)
    except (SettingsError, UnusableError) as error:
        print(f"{options.model}: no verdict\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{options.model}: no verdict, interrupted", file=sys.stderr)
        return 2
    return 1 if result.below(bar) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backend_stub.evaluation",
        description="Evaluate a model on German sentences, through the gateway, as /extract asks.",
        epilog="exit code 0: at or above the bar; 1: below; 2: no verdict",
        allow_abbrev=False,
    )
    parser.add_argument("model", metavar="MODEL", help="an alias of the gateway")
    parser.add_argument(
        "--sentences",
        metavar="N",
        type=_count,
        default=len(entries.load()),
        help="ask only N sentences, evenly spread over the set (default: all %(default)s)",
    )
    parser.add_argument(
        "--concurrency",
        metavar="N",
        type=_count,
        default=1,
        help="sentences at a time (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the record, not the table")
    parser.add_argument(
        "--record", metavar="FILE", type=Path, help="also write the record to a file"
    )
    for name, least in (
        ("recall", report.Bar.recall),
        ("precision", report.Bar.precision),
        ("valid-json", report.Bar.valid_json),
    ):
        variable = f"EVALUATION_MIN_{name.replace('-', '_').upper()}"
        parser.add_argument(
            f"--min-{name}",
            metavar="SHARE",
            type=_share,
            default=os.environ.get(variable) or str(least),  # argparse checks a string's type
            help=f"the bar, 0 to 1 (default: {variable}, else {least})",
        )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a share from 0 to 1; correct the option or its variable"
        )
    return share


def _progress(number: int) -> Callable[[Answer], None]:
    """Return what shows each answer on stderr: one line that changes, or a line each in a log."""
    done = 0
    ending = "\r" if sys.stderr.isatty() else "\n"

    def show(answer: Answer) -> None:
        nonlocal done
        done += 1
        last = "\n" if done == number else ending
        how = f"{answer.outcome} {answer.error}".rstrip()
        line = f"{done}/{number} {answer.entry.id}: {how}, {answer.seconds:.1f} s"
        print(f"{line:<70}", end=last, file=sys.stderr, flush=True)

    return show


def _write(path: Path, content: str) -> None:
    """Write a file whole or not at all.

    Raises:
        UnusableError: it cannot be written.
    """
    try:
        new = path.with_name(f".{path.name}.new")
        new.write_text(content + "\n", encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise UnusableError(
            f"{path} cannot be written ({error.strerror}): name a file in a folder that uid "
            f"{os.getuid()} may write, or take the record from --json"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
