"""One OpenTelemetry trace a request, where OTEL_EXPORTER_OTLP_ENDPOINT is set.

`settings.py` checks the variables, without importing OpenTelemetry. `exporter.py` sends the spans.
`spans.py` makes them from a request's attempts, `forward_span.py` for a request that LiteLLM's
proxy answers. They are imported only when there is an endpoint. Why LiteLLM's own callback
is not used: docs/decisions.md, number 11.
"""
