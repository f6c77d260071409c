"""Reports of what runs: metrics for Prometheus, spans of OpenTelemetry, and the fields of the request log.

It knows nothing of GraphQL's execution and of the database: the application gives it reports and numbers.
"""
