"""How many users a stack serves: a small simulation, checked against what was measured.

    python docs/capacity.py     prints the two tables of docs/scaling.md

The simulation is of queues: requests that wait for a gateway process, which serves one after
another. First it plays the loads of docs/performance/*.json, where so many clients ask again as
soon as they are answered, with the processor times measured there; the rates and latencies that
come out stand beside the measured ones. Then it plays users, who ask when they like.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import statistics
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

RECORDS = Path(__file__).resolve().parent / "performance"

# Measured; each with where.
APPLIER_MS = 0.11  # processor time of a row in the applier, a process of its own (decision 19)
POSTGRES_MS = 0.24  # processor time of a row in PostgreSQL, at 64 at once (performance.md)
ROW_BYTES = 1700  # a row with its indexes (tests/conformance/test_row_size.py)
FLUSH_MS = 0.11  # a flush of the journal (decision 8)
PROCESS_MB = 80  # a gateway's container at any load (performance.md)
STREAM_KB = 27  # a gateway with 2,000 open streams beside one with none
CONNECTIONS_EACH, CONNECTIONS_ELSE = 4, 16  # gateway/replicas/connections.py

# The one number that is fitted: the part of a core that a process gets where load, upstream,
# database and gateway share two cores.
SHARE = 0.83

# Assumed; another stack has other users.
REQUESTS_A_DAY = 20
BUSIEST_HOUR = 0.2  # of a day's requests
ANSWER_SECONDS = 5.0
PLAIN_MS = 0.88  # the process' own time for a plain request, at 64 at once (performance.md)
FULL = 0.6  # of a process' time, so that a burst finds room
PROCESSES_A_MACHINE = 5  # what 8 cores are enough for (GATEWAY_PROCESSES=auto)
USERS = (10, 1_000, 100_000, 10_000_000)
SIMULATED = 20_000
"""Requests of a simulation; enough for a 99th percentile that does not move."""


@dataclass(frozen=True)
class Point:
    """A load that was measured.

    Attributes:
        name: the record and the load.
        clients: how many ask at once.
        cpu_ms: processor time of the gateway's container for a request.
        away_ms: the time that a request spends elsewhere: at the upstream, and in the flush.
        rate: answers a second.
        p50_ms: the median latency.
    """

    name: str
    clients: int
    cpu_ms: float
    away_ms: float
    rate: float
    p50_ms: float


def points() -> list[Point]:
    """Return every load of the records, as the median of its rounds."""
    found = []
    for name in ("overhead", "guard"):
        record = json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))
        for cell, title in record["cells"].items():
            values = [
                sample["values"]
                for sample in record["samples"]
                if (sample["cell"], sample["alternative"]) == (cell, "gateway")
            ]
            cpu, rate, p50 = (
                statistics.median(each[key] for each in values)
                for key in ("cpu_ms", "rate", "p50_ms")
            )
            clients = int(cell.rpartition("-")[2])
            found.append(Point(f"{name}: {title}", clients, cpu, FLUSH_MS + 0.1, rate, p50))
    return found


def closed(clients: int, service_ms: float, away_ms: float) -> tuple[float, float]:
    """Return rate and median latency in ms, with clients that ask again once they are answered.

    A request is served half before it goes to the upstream, and half after it.
    """
    chance = random.Random(clients)  # noqa: S311 -- a simulation
    waiting = [(chance.random() * service_ms, 0, 0.0, client) for client in range(clients)]
    heapq.heapify(waiting)
    free = 0.0
    done: list[float] = []
    while len(done) < SIMULATED:
        now, half, began, client = heapq.heappop(waiting)
        began = now if half == 0 else began
        free = max(free, now) + chance.expovariate(2 / service_ms)
        if half == 0:
            heapq.heappush(waiting, (free + away_ms, 1, began, client))
        else:
            done.append(free - began)
            heapq.heappush(waiting, (free, 0, free, client))
    return SIMULATED / free * 1000, statistics.median(done)


def opened(rate: float, processes: int, service_ms: float) -> tuple[float, float]:
    """Return p50 and p99, in ms, of what the gateway adds when requests come by chance.

    Each request goes to one of the processes by chance, as connections do.
    """
    chance = random.Random(processes)  # noqa: S311 -- a simulation
    free = [0.0] * processes
    now, added = 0.0, []
    for _ in range(SIMULATED):
        now += chance.expovariate(rate / 1000)
        number = chance.randrange(processes)
        free[number] = max(free[number], now) + chance.expovariate(1 / service_ms)
        added.append(free[number] - now + FLUSH_MS)
    added.sort()
    return added[SIMULATED // 2], added[SIMULATED * 99 // 100]


@dataclass(frozen=True)
class Size:
    """What so many users need.

    Attributes:
        users: how many.
        rate: requests a second in the busiest hour.
        streams: answers that are open then.
        processes: of the gateway.
        p50_ms, p99_ms: what the gateway adds.
        memory_mb: of all gateways, with the streams.
        postgres_cores: that the rows keep busy.
        gb_a_month: of rows.
        connections: to PostgreSQL.
    """

    users: int
    rate: float
    streams: float
    processes: int
    p50_ms: float
    p99_ms: float
    memory_mb: float
    postgres_cores: float
    gb_a_month: float
    connections: int

    @property
    def machines(self) -> int:
        """How many machines of 8 cores the gateways fill."""
        return math.ceil(self.processes / PROCESSES_A_MACHINE)


def size(users: int) -> Size:
    """Return what so many users need."""
    rate = users * REQUESTS_A_DAY * BUSIEST_HOUR / 3600
    service = PLAIN_MS / SHARE
    processes = max(1, math.ceil(rate * service / 1000 / FULL))
    streams = rate * ANSWER_SECONDS
    return Size(
        users,
        rate,
        streams,
        processes,
        *opened(rate, processes, service),
        memory_mb=processes * PROCESS_MB + streams * STREAM_KB / 1000,
        postgres_cores=rate * POSTGRES_MS / 1000,
        gb_a_month=users * REQUESTS_A_DAY * 30 * ROW_BYTES / 1e9,
        connections=processes * CONNECTIONS_EACH + CONNECTIONS_ELSE,
    )


def simulated(point: Point) -> tuple[float, float]:
    """Return rate and median latency of a load by the simulation."""
    service = (point.cpu_ms - APPLIER_MS) / SHARE
    return closed(point.clients, service, point.away_ms)


def check_table() -> str:
    """Return the measured loads beside the simulated ones."""
    rows = []
    for point in points():
        rate, p50 = simulated(point)
        rows.append(
            [point.name, f"{point.rate:,.0f}", f"{rate:,.0f}", f"{point.p50_ms:.1f}", f"{p50:.1f}"]
        )
    heads = ["load", "requests/s", "simulated", "p50, ms", "simulated"]
    return tabulate(rows, heads, "github", disable_numparse=True)


def size_table() -> str:
    """Return what each number of users needs."""
    rows = [
        [
            f"{each.users:,}",
            _rounded(each.rate),
            _rounded(each.streams),
            f"{each.processes}",
            f"{each.machines}",
            f"{each.p50_ms:.1f} · {each.p99_ms:.1f}",
            f"{each.memory_mb:,.0f}",
            _rounded(each.postgres_cores),
            _rounded(each.gb_a_month),
            f"{each.connections}",
        ]
        for each in map(size, USERS)
    ]
    heads = [
        *("users", "requests/s", "open answers", "processes", "machines"),
        *("adds, ms: p50 · p99", "memory, MB", "cores for rows", "rows, GB a month"),
        "connections",
    ]
    return tabulate(rows, heads, "github", disable_numparse=True)


def _rounded(value: float) -> str:
    """Return a number with two digits that count."""
    if value >= 100:  # noqa: PLR2004 -- from here on without a fraction
        return f"{value:,.0f}"
    return f"{value:.2g}" if value >= 0.01 else "0"  # noqa: PLR2004 -- as above


if __name__ == "__main__":
    print(check_table(), size_table(), sep="\n\n")
