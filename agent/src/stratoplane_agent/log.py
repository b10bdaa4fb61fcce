# SPDX-License-Identifier: Apache-2.0
"""Log lines: an event name with keys and values, as text for people or as JSON for collectors."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TextIO

_FIELDS: Final = "stratoplane_fields"
_ROOT: Final = "stratoplane_agent"
_NEEDS_QUOTES: Final = frozenset(' "=\\')


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Log:
    """Writes the events of one part of the agent; never pass it a secret."""

    def __init__(self, part: str) -> None:
        self._logger: Final = logging.getLogger(f"{_ROOT}.{part}")

    def debug(self, event: str, /, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        self._write(logging.ERROR, event, fields)

    def bug(self, event: str, error: BaseException, /, **fields: object) -> None:
        """Write an unexpected error with its traceback."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._logger.error(event, extra={_FIELDS: fields}, exc_info=error)

    def _write(self, level: int, event: str, fields: Mapping[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={_FIELDS: fields})


class _LineFormatter(logging.Formatter):
    """Common to both formats: one record becomes one line, whatever a provider put into its texts."""

    def format(self, record: logging.LogRecord) -> str:
        head = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        if record.name.startswith(_ROOT):
            head["event"] = record.msg
        else:
            head |= {"event": "library", "logger": record.name, "message": record.getMessage()}
        fields: Mapping[str, object] = getattr(record, _FIELDS, {})
        tail = {"traceback": self.formatException(record.exc_info)} if record.exc_info else {}
        return self.line({**head, **{key: value for key, value in fields.items() if value not in ("", None)}, **tail})

    def line(self, values: Mapping[str, object]) -> str:
        raise NotImplementedError


class TextFormatter(_LineFormatter):
    """``time level event key=value ...``; a value that needs it is quoted and escaped as JSON."""

    def line(self, values: Mapping[str, object]) -> str:
        head = [str(values[key]) for key in ("time", "level", "event")]
        return " ".join([*head, *(f"{key}={_plain(values[key])}" for key in list(values)[3:])])


class JsonFormatter(_LineFormatter):
    """One JSON object a line."""

    def line(self, values: Mapping[str, object]) -> str:
        return json.dumps(values, default=str)


def _plain(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return json.dumps(text) if not text.isprintable() or _NEEDS_QUOTES & set(text) else text


def configure(form: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Send the lines of this process to ``stream``, standard error by default."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, _number(level)))
    logging.getLogger(_ROOT).setLevel(_number(level))


def _number(level: LogLevel) -> int:
    return logging.getLevelNamesMapping()[level.value.upper()]


def trace_id(trace_parent: str) -> str:
    """Return the trace id inside a W3C ``traceparent`` (version-trace-span-flags), empty without one."""
    parts = trace_parent.split("-")
    return parts[1] if len(parts) >= 4 else ""  # noqa: PLR2004
