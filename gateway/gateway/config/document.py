"""litellm_config.yaml as data that still knows its lines, so that a problem can be pointed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from pathlib import Path

Key = str | int
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ConfigDocument:
    """A parsed configuration file.

    Attributes:
        path: where it was read from.
        data: its content, plain dicts and lists.
    """

    def __init__(self, path: Path, root: yaml.Node, data: dict[str, Any]) -> None:
        self.path = path
        self.data = data
        self._root = root

    def where(self, *keys: Key) -> str:
        """Return file:line of the value at `keys`, or of the nearest parent that exists."""
        node, line = self._root, self._root.start_mark.line
        for key in keys:
            child = _child(node, key)
            if child is None:
                break
            line, node = child
        return f"{self.path}:{line + 1}"


def read_config(path: Path) -> ConfigDocument:
    """Return the file's content.

    Raises:
        ConfigurationError: there is no such file, it is a directory, or it is not a YAML mapping.
    """
    if path.is_dir():
        raise _unusable(
            str(path),
            "is a directory; Docker makes one when the file to be mounted does not exist",
            "remove that directory on the host, and put litellm_config.yaml in its place",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _unusable(
            str(path), "does not exist", "mount litellm_config.yaml there, or set LITELLM_CONFIG"
        ) from None
    except OSError as error:
        raise _unusable(
            str(path), f"cannot be read: {error.strerror}", "make it readable for this user"
        ) from error
    return parse_config(path, text)


def parse_config(path: Path, text: str) -> ConfigDocument:
    """Return `text` as a document that calls itself `path`.

    Raises:
        ConfigurationError: it is not a YAML mapping, or names a key twice.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 -- _Loader is a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        reason = getattr(error, "problem", None) or "cannot be parsed"
        raise _unusable(
            where, f"is not YAML: {reason}", "correct the line; check its indentation"
        ) from None
    if root is None or not isinstance(data, dict):
        raise _unusable(
            str(path), "holds no settings", "start from the shipped litellm_config.yaml"
        )
    problems = _repeated_keys(path, root)
    if problems:
        raise ConfigurationError(problems)
    return ConfigDocument(path, root, data)


def _child(node: yaml.Node, key: Key) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return name.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line, node.value[key]
    return None


def _repeated_keys(path: Path, node: yaml.Node) -> list[Problem]:
    """Report repeated keys: YAML lets a later one replace an earlier one silently."""
    problems: list[Problem] = []
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if name.value in seen:
                problems.append(
                    Problem(
                        f"{path}:{line}",
                        f"'{name.value}' is set here and in line {seen[name.value]}",
                        "keep one of them",
                    )
                )
            seen[name.value] = line
            problems.extend(_repeated_keys(path, value))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            problems.extend(_repeated_keys(path, item))
    return problems


def _unusable(where: str, found: str, fix: str) -> ConfigurationError:
    return ConfigurationError([Problem(where, found, fix)])
