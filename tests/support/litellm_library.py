"""LiteLLM's library, which ours is compared with: its import takes seconds of a core.

Whoever uses it asks here, inside a test; the files that do are given to one worker
(support/fixtures.py), so that a run imports it once.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any


@cache
def litellm() -> Any:
    """Return LiteLLM."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it is fetched from the net
    import litellm

    litellm.suppress_debug_info = True
    return litellm
