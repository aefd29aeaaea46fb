"""Deployments by a request's tags, when tag filtering is on.

`tag` asks for deployments that have any of the tags, `&tag` demands one, `!tag` excludes one.
Without tags, deployments tagged `default` are asked, if there are any. Source: LiteLLM 1.106.2,
router_strategy/tag_based_routing.py. Its tag_regex, tag_routing_prefix, tag_filtering_match_any and
allow_fail_open are not implemented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.routing.tracked import TrackedDeployment

DEFAULT = "default"


def with_tags(
    candidates: Sequence[TrackedDeployment],
    everyone: Sequence[TrackedDeployment],
    tags: Sequence[str],
) -> Sequence[TrackedDeployment]:
    """Return the deployments that may answer a request with these tags; it may be none.

    Args:
        candidates: the deployments in use.
        everyone: all deployments of the alias, which decide whether a tag is known.
        tags: the tags of the request.
    """
    required = {tag[1:] for tag in tags if tag.startswith("&") and len(tag) > 1}
    excluded = {tag[1:] for tag in tags if tag.startswith("!") and len(tag) > 1}
    wanted = {tag for tag in tags if not tag.startswith(("&", "!"))}
    allowed = [
        each
        for each in candidates
        if required.issubset(each.deployment.tags) and excluded.isdisjoint(each.deployment.tags)
    ]
    if not wanted:
        return allowed if required else _defaults(candidates, allowed)
    matching = [each for each in allowed if not wanted.isdisjoint(each.deployment.tags)]
    if matching:
        return matching
    if any(not wanted.isdisjoint(each.deployment.tags) for each in everyone):
        return ()
    return [each for each in allowed if DEFAULT in each.deployment.tags]


def _defaults(
    candidates: Sequence[TrackedDeployment], allowed: Sequence[TrackedDeployment]
) -> Sequence[TrackedDeployment]:
    if not any(DEFAULT in each.deployment.tags for each in candidates):
        return allowed
    return [each for each in allowed if DEFAULT in each.deployment.tags]
