"""Structured logs: pretty in dev, one JSON object a line in production."""

import logging
import sys

import structlog

from gqlapi.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Set up structlog, and send the standard library's loggers (uvicorn, SQLAlchemy, Alembic) through it."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    if settings.is_production:
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    # It writes two lines for each call of the driver.
    logging.getLogger("aiosqlite").setLevel(logging.INFO)
    # It counts every file that changes, also those that lead to no restart.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    # One line a request is ours, with its id.
    logging.getLogger("uvicorn.access").disabled = True
