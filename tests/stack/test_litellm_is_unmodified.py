"""LiteLLM in the image is the package that was published, byte by byte."""

from __future__ import annotations

import json

from support.stack import Stack

COMPARE = """
import base64, hashlib, json
from importlib.metadata import distribution
changed, compared = [], 0
for file in distribution("litellm").files:
    if file.hash is None or not file.locate().exists():
        continue
    digest = hashlib.new(file.hash.mode, file.locate().read_bytes()).digest()
    compared += 1
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
        changed.append(str(file))
print(json.dumps({"changed": changed, "compared": compared}))
"""


def test_every_file_is_as_its_record_says(stack: Stack) -> None:
    """Nothing is patched, neither in the build nor by a process that runs."""
    found = json.loads(stack.execute("gateway", "python", "-c", COMPARE))

    assert found["changed"] == []
    assert found["compared"] > 1000
