"""One OpenTelemetry trace a request, where OTEL_EXPORTER_OTLP_ENDPOINT is set.

`settings.py` checks the variables, without importing OpenTelemetry; `exporter.py` sends the spans,
which `spans.py` makes of what failover wrote down of the request, and `handed_on.py` of what goes
by LiteLLM's proxy. They are imported only when there is an endpoint. Why LiteLLM's own callback
is not used: docs/decisions.md, number 11.
"""
