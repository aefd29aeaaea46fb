"""The same load by wrk, which everybody knows: shows that our own client is not what is measured.

https://github.com/wg/wrk. It breaks off what is under way at its end, so that its answers cannot be
counted against calls and rows, and it cannot time the parts of a stream; hence a client of our own.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from bench.load.bodies import MARKER

if TYPE_CHECKING:
    from bench.load.client import Spec

SCRIPT = """
local keys = {%(keys)s}
local bodies = {%(bodies)s}
local number = 0
local base = os.time() %% 100000 * 10000000
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
%(headers)s
request = function()
  number = number + 1
  wrk.headers["Authorization"] = "Bearer " .. keys[number %% #keys + 1]
  local body = bodies[number %% #bodies + 1]
  local unique = string.format("%%012d", base + number)
  return wrk.format(nil, nil, nil, (body:gsub("%(marker)s", unique)))
end
"""


def rate(container: str, spec: Spec) -> float:
    """Return how many answers a second wrk gets.

    Raises:
        RuntimeError: when it says nothing of that, or of answers that were none.
    """
    script = SCRIPT % {
        "keys": ",".join(f'"{key}"' for key in spec.keys),
        "bodies": ",".join(f"[==[{body}]==]" for body in spec.bodies),
        "headers": "\n".join(
            f'wrk.headers["{name}"] = "{value}"' for name, value in spec.headers.items()
        ),
        "marker": MARKER,
    }
    command = f"cat > /tmp/load.lua; wrk -t1 -c{spec.connections} -d{max(1, round(spec.seconds))}s"
    done = subprocess.run(
        [
            *("docker", "exec", "--interactive", container, "sh", "-c"),
            f"{command} --timeout 30s -s /tmp/load.lua {spec.url}",
        ],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise RuntimeError(f"wrk: {done.stdout[-500:]}{done.stderr[-500:]}")
    return float(found.group(1))
