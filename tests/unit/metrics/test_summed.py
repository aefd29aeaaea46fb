"""The metrics of several processes, added up."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from gateway.metrics.summed import SummedMetrics

TEXT = """
# HELP gateway_requests_total Requests.
# TYPE gateway_requests_total counter
gateway_requests_total{{alias="a",outcome="ok"}} {requests}
# HELP gateway_answer_seconds Seconds.
# TYPE gateway_answer_seconds histogram
gateway_answer_seconds_bucket{{alias="a",le="1.0"}} {requests}
gateway_answer_seconds_bucket{{alias="a",le="+Inf"}} {requests}
gateway_answer_seconds_count{{alias="a"}} {requests}
gateway_answer_seconds_sum{{alias="a"}} {seconds}
# HELP gateway_healthy Health.
# TYPE gateway_healthy gauge
gateway_healthy {healthy}
# HELP gateway_journal_bytes Bytes.
# TYPE gateway_journal_bytes gauge
gateway_journal_bytes {bytes}
# HELP gateway_journal_oldest_waiting_seconds Age.
# TYPE gateway_journal_oldest_waiting_seconds gauge
gateway_journal_oldest_waiting_seconds {oldest}
"""

FIRST = {"requests": 3, "seconds": 1.5, "healthy": 1, "bytes": 100, "oldest": 2}
SECOND = {"requests": 4, "seconds": 2.5, "healthy": 1, "bytes": 50, "oldest": 7}


class Processes:
    """Two processes whose metrics a test sets; None for one that does not answer."""

    def __init__(self) -> None:
        self.says: dict[int, dict[str, float] | None] = {9401: dict(FIRST), 9402: dict(SECOND)}
        self._registry = CollectorRegistry()
        self._registry.register(SummedMetrics([9401, 9402], self._read))

    def _read(self, port: int) -> str:
        said = self.says[port]
        if said is None:
            raise ConnectionRefusedError
        return TEXT.format(**said)

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample, asked now."""
        return self._registry.get_sample_value(name, labels)

    def requests(self) -> float | None:
        """Return how many requests there were."""
        return self.value("gateway_requests_total", alias="a", outcome="ok")


@pytest.fixture
def processes() -> Processes:
    """Return two processes."""
    return Processes()


def test_counts_are_added_up(processes: Processes) -> None:
    """Counters and the parts of histograms are the sum of all processes."""
    assert processes.requests() == 7
    assert processes.value("gateway_answer_seconds_sum", alias="a") == 4.0
    assert processes.value("gateway_answer_seconds_bucket", alias="a", le="1.0") == 7
    assert processes.value("gateway_answer_seconds_count", alias="a") == 7


def test_a_state_is_that_of_all_together(processes: Processes) -> None:
    """Room is added up, an age is the greatest, and health is the worst."""
    assert processes.value("gateway_journal_bytes") == 150
    assert processes.value("gateway_journal_oldest_waiting_seconds") == 7
    assert processes.value("gateway_healthy") == 1
    processes.says[9402] = SECOND | {"healthy": 0}
    assert processes.value("gateway_healthy") == 0


def test_a_sum_never_falls_when_a_process_is_started_again(processes: Processes) -> None:
    """What a dead process had counted stays in the sum, while it is away and when it is back."""
    assert processes.requests() == 7
    processes.says[9401] = None
    assert processes.requests() == 7
    processes.says[9401] = FIRST | {"requests": 0, "seconds": 0}
    assert processes.requests() == 7
    processes.says[9401] = FIRST | {"requests": 2}
    assert processes.requests() == 9


def test_a_process_without_metrics_is_not_healthy(processes: Processes) -> None:
    """A process that does not answer is a reason, even if all are silent."""
    processes.says[9401] = None
    assert processes.value("gateway_healthy") == 0
    reason = {"reason": "process 1 of 2 gives no metrics"}
    assert processes.value("gateway_unhealthy_reason", **reason) == 1
    processes.says[9402] = None
    assert processes.value("gateway_healthy") == 0
    assert processes.value("gateway_journal_bytes") is None
