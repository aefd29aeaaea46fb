"""Reads a script, and says of a wrong one: which line, what was found, what is allowed."""

import difflib
from dataclasses import asdict, dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scripted_upstream.script import Script

_MAX_FOUND = 60
_PREFIX = "Value error, "


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a script.

    Attributes:
        line: where, from 1.
        where: the same as a path, e.g. rules[0].do.status.
        found: the value at that place, as YAML has it.
        message: what is wrong with it.
        allowed: the values or names that could stand there; empty when the message says it.
    """

    line: int
    where: str
    found: str
    message: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        allowed = f"; allowed: {', '.join(self.allowed)}" if self.allowed else ""
        found = f" (found {self.found})" if self.found else ""
        return f"line {self.line}: {self.where or 'script'}: {self.message}{found}{allowed}"


class ScriptError(ValueError):
    """A script that cannot be used."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems

    def document(self) -> list[dict[str, Any]]:
        """Return the problems for a JSON answer."""
        return [asdict(each) for each in self.problems]


def read_file(path: Path) -> Script:
    """Return the script in a file; raises ScriptError, also when it cannot be opened."""
    try:
        return read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError([Problem(0, "", str(path), f"cannot be read: {error}")]) from error


def read(text: str) -> Script:
    """Return the script that a YAML (or JSON) text holds; raises ScriptError."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ScriptError([Problem(line, "", "", f"is not YAML: {error.problem}")]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ScriptError([Problem(1, "", "", f"is not YAML: {error}")]) from error
    if root is None:
        return Script()
    twice = _twice(root, "")
    if twice:
        raise ScriptError(twice)
    try:
        return Script.model_validate(content)
    except ValidationError as error:
        problems = {_problem(root, each) for each in error.errors(include_url=False)}
        raise ScriptError(sorted(problems, key=lambda each: (each.line, each.where))) from error


def _twice(node: yaml.Node, where: str, depth: int = 0) -> list[Problem]:
    """Return the names that stand twice in one mapping: YAML would silently take the last."""
    if depth > 20:  # noqa: PLR2004 -- deeper than any script; an alias can hold itself
        return []
    problems: list[Problem] = []
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in names:
                line = key.start_mark.line + 1
                problems.append(Problem(line, _join(where, key.value), "", "is given twice"))
            names.add(key.value)
            problems += _twice(value, _join(where, key.value), depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            problems += _twice(value, _join(where, index), depth + 1)
    return problems


def _join(where: str, step: str | int) -> str:
    if isinstance(step, int):
        return f"{where}[{step}]"
    return f"{where}.{step}" if where else step


def _problem(root: yaml.Node, error: ErrorDetails) -> Problem:
    node, mark, where = root, root.start_mark, ""
    for step in error["loc"]:
        found = _child(node, step)
        if found is not None:  # else a member of a union, which pydantic puts between the steps
            node, mark = found
            where = _join(where, step)
    message = error["msg"].removeprefix(_PREFIX)
    message = message[:1].lower() + message[1:]
    allowed = _literals(error)
    if error["type"] == "extra_forbidden":
        name = str(error["loc"][-1])
        allowed = _fields(error["loc"][:-1])
        near = difflib.get_close_matches(name, allowed, 1)
        message = f"there is no '{name}' here" + (f", did you mean '{near[0]}'?" if near else "")
    return Problem(mark.line + 1, where, _shown(node), message, allowed)


def _fields(loc: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the names that may stand in the part of a script at a place."""
    current: list[Any] = [Script]
    for step in loc:
        inner = [each for outer in current for each in _inside(outer, step)]
        current = inner or current
    return tuple(
        field.alias or name
        for each in current
        if isinstance(each, type) and issubclass(each, BaseModel)
        for name, field in each.model_fields.items()
    )


def _inside(outer: object, step: str | int) -> list[Any]:
    """Return the types that can stand at a step below a type, unions taken apart."""
    if isinstance(outer, type) and issubclass(outer, BaseModel):
        for name, field in outer.model_fields.items():
            if step in {name, field.alias}:
                return _members(field.annotation)
        return []
    return _members(get_args(outer)[-1]) if get_origin(outer) in {list, dict} else []


def _members(annotation: object) -> list[Any]:
    return list(get_args(annotation)) if get_origin(annotation) is UnionType else [annotation]


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Mark] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        value = node.value[step]
        return value, value.start_mark
    return None


def _shown(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return ""
    text = str(node.value)
    return text if len(text) <= _MAX_FOUND else f"{text[:_MAX_FOUND]}…"


def _literals(error: ErrorDetails) -> tuple[str, ...]:
    if error["type"] != "literal_error":
        return ()
    text = str(error["ctx"]["expected"])
    return tuple(each.strip(" '") for each in text.replace(" or ", ", ").split(","))
