"""The metrics of all processes of a gateway as those of one: added up when Prometheus asks."""

from __future__ import annotations

import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.samples import Sample

    Key = tuple[str, tuple[tuple[str, str], ...]]

SECONDS = 8.0
"""A process needs up to 6 s while its database is away, and Prometheus waits for 10."""

COUNTERS = frozenset({"counter", "histogram"})
ADDED_UP = frozenset(
    {
        "gateway_journal_bytes",
        "gateway_journal_max_bytes",
        "gateway_journal_waiting_bytes",
        "gateway_journal_waiting_records",
        "process_virtual_memory_bytes",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
    }
)
"""Gauges of which each process has a part."""

LEAST = frozenset(
    {
        "gateway_healthy",
        "gateway_database_up",
        "gateway_deployment_up",
        "process_start_time_seconds",
    }
)
"""Gauges that are as bad as the worst process says. Of all other gauges the largest one counts."""


def own_port(metrics_port: int, number: int) -> int:
    """Return the port on loopback where a process has its own metrics."""
    return metrics_port + number


def serve_sum(host: str, port: int, ports: Sequence[int]) -> None:
    """Listen, in threads, for whoever asks for the sum.

    Args:
        host: where to listen.
        port: where to listen.
        ports: where each process has its own metrics.

    Raises:
        OSError: something else listens there.
    """
    collected = CollectorRegistry()
    collected.register(SummedMetrics(ports))
    start_http_server(port, host, collected)


class SummedMetrics(Collector):
    """Adds up what the processes say.

    A process that died is started again and counts from 0. So that a sum never falls, what it had
    counted when it was last asked stays in the sum.

    Args:
        ports: where each process has its own metrics.
        read: returns the text that a port answers; raises OSError.
    """

    def __init__(self, ports: Sequence[int], read: Callable[[int], str] | None = None) -> None:
        self._ports = ports
        self._read = read or _read
        self._last: dict[tuple[int, Key], float] = {}
        self._before: dict[Key, float] = {}  # what processes had counted before they were restarted

    def describe(self) -> Iterable[Metric]:
        """Return nothing, because the registry would ask all processes at once."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the sums."""
        families: dict[str, Metric] = {}
        sums: dict[str, dict[Key, float]] = {}
        with ThreadPoolExecutor(len(self._ports)) as pool:
            texts = list(pool.map(self._text, self._ports))
        for port, text in zip(self._ports, texts, strict=True):
            for family in text_string_to_metric_families(text):
                families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                self._add(sums.setdefault(family.name, {}), family, port)
        self._keep(sums, families)
        silent = [number for number, text in enumerate(texts, 1) if not text]
        for name, family in families.items():
            for (sample, labels), value in sums[name].items():
                family.add_sample(sample, dict(labels), value)
        yield from _with_silent(families, silent, len(self._ports))

    def _text(self, port: int) -> str:
        try:
            return self._read(port)
        except OSError:
            return ""

    def _add(self, sums: dict[Key, float], family: Metric, port: int) -> None:
        for sample in family.samples:
            key = _key(sample)
            if family.type in COUNTERS:
                last = self._last.get((port, key), 0.0)
                if sample.value < last:
                    self._before[key] = self._before.get(key, 0.0) + last
                self._last[port, key] = sample.value
                sums[key] = 0.0  # `_keep` fills it in
            elif key not in sums:
                sums[key] = sample.value
            elif family.name in ADDED_UP:
                sums[key] += sample.value
            else:
                choose = min if family.name in LEAST else max
                sums[key] = choose(sums[key], sample.value)

    def _keep(self, sums: dict[str, dict[Key, float]], families: dict[str, Metric]) -> None:
        """Fill in the counters, also those of a process that does not answer now."""
        counted: dict[Key, float] = dict(self._before)
        for (_, key), value in self._last.items():
            counted[key] = counted.get(key, 0.0) + value
        for name, family in families.items():
            if family.type in COUNTERS:
                for key in sums[name]:
                    sums[name][key] = counted[key]


def _with_silent(
    families: dict[str, Metric], silent: Sequence[int], count: int
) -> Iterator[Metric]:
    """Yield the families, and say of processes that do not answer that they are not healthy."""
    if silent:
        healthy = Metric("gateway_healthy", "1 when the gateway can do its work.", "gauge")
        healthy.add_sample("gateway_healthy", {}, 0.0)
        families["gateway_healthy"] = healthy
        text = "1 for each reason why it cannot."
        name = "gateway_unhealthy_reason"
        reasons = families.setdefault(name, Metric(name, text, "gauge"))
        for number in silent:
            why = f"process {number} of {count} gives no metrics"
            reasons.add_sample(name, {"reason": why}, 1.0)
    yield from families.values()


def _key(sample: Sample) -> Key:
    return sample.name, tuple(sorted(sample.labels.items()))


def _read(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as answer:
        text: bytes = answer.read()
    return text.decode()
