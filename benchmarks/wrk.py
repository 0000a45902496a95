"""wrk as load generator, where answers are large or the server is faster than Python can ask.

Each request carries the cookie of another session. Latency quantiles are those of wrk, in seconds.
"""

import math
import subprocess
from pathlib import Path

import msgspec

from benchmarks.processes import LOAD_CORE
from benchmarks.signed_in import COOKIE, browser_headers
from benchmarks.tools import program

_SCRIPT = """
local cookies, at = {{}}, 0
for line in io.lines("{cookies}") do cookies[#cookies + 1] = line end
local requests = {{}}
local head = [=[
{head}]=]
init = function()
  local whole = head:gsub("\\n", "\\r\\n") .. "\\r\\n"
  local first, last = whole:find("@COOKIE@", 1, true)
  local before, after = whole:sub(1, first - 1), whole:sub(last + 1)
  for number, cookie in ipairs(cookies) do requests[number] = before .. cookie .. after end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'JSON{{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"refused":%d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: answers, seconds, quantiles of the latency in seconds, and how many were refused or lost."""

    requests: int
    seconds: float
    p50: float
    p99: float
    refused: int

    @property
    def rate(self) -> float:
        """Give the answers per second."""
        return self.requests / self.seconds


def script(file: Path, cookies: Path, path: str, cookie: str = COOKIE) -> Path:
    """Write the script that asks for `path` as browsers do, with the values of a cookie in a file, one a line."""
    headers = "".join(f"{name}: {value}\n" for name, value in browser_headers("@COOKIE@", cookie).items())
    file.write_text(_SCRIPT.format(cookies=cookies, head=f"GET {path} HTTP/1.1\n{headers}"))
    return file


def ask(port: int, connections: int, seconds: float, lua: Path) -> Asked:
    """Run wrk in one thread on the load generator's core, for whole seconds.

    Raises `RuntimeError` when an answer was no success.
    """
    command = ["taskset", "-c", str(LOAD_CORE), program("wrk"), "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s",
               "--timeout", "20s", "-s", str(lua), f"http://127.0.0.1:{port}/"]  # fmt: skip
    finished = subprocess.run(command, capture_output=True, check=True)
    line = next(line for line in finished.stdout.splitlines() if line.startswith(b"JSON"))
    asked = msgspec.json.decode(line[4:], type=Asked)
    if asked.refused:
        raise RuntimeError(f"{asked.refused} of {asked.requests} requests were refused or lost")
    return asked
