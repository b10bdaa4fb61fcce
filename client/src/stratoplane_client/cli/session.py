# SPDX-License-Identifier: Apache-2.0
"""One run of the command: its settings, the context, the client, the project."""

import os
import sys
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import click

from stratoplane_client.errors import ClientError, InvalidSettingError

if TYPE_CHECKING:
    from stratoplane_client.cli.contexts import Context, Contexts
    from stratoplane_client.client import Client
    from stratoplane_client.transport import Attempt

FORMATS = ("table", "json", "yaml", "name")
_WORTH_A_WORD = 1.0
_TIMEOUT = 30.0
_FAIL_FAST_TIMEOUT = 2.0


class NoContextError(ClientError):
    """No server is configured, or nobody is logged in; the caller logs in."""


class Session:
    """One run of the command. Options fill it in, what they did not say comes from environment and context."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self.output = "table"
        self.verbose = False
        self.context_name: str | None = None
        self.named_project: str | None = None
        self.doing = ""
        self.noun = ""
        self.interrupted = "Aborted."
        self.fail_fast = False

    def does(self, doing: str, noun: str = "") -> None:
        """Remember what is being done, for the line that says that it failed, and to which noun of the command."""
        self.doing = doing
        self.noun = noun

    @property
    def machine_readable(self) -> bool:
        """Whether a program reads the output."""
        return self.output in {"json", "yaml"}

    @cached_property
    def color(self) -> bool:
        """Whether standard output takes colours."""
        return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    @cached_property
    def contexts(self) -> "Contexts":
        """Every context of the file."""
        from stratoplane_client.cli.contexts import config_file, load

        return load(config_file())

    @cached_property
    def current_name(self) -> str:
        """Name of the context that counts, empty for none."""
        return self.context_name or os.environ.get("STRATOPLANE_CONTEXT") or self.contexts.current

    @cached_property
    def context(self) -> "Context":
        """The context that counts, with what the environment says instead.

        Raises:
            NoContextError: neither says where the server is.
            InvalidSettingError: it is named and unknown.
        """
        from stratoplane_client.cli.contexts import Context

        url, token = os.environ.get("STRATOPLANE_URL"), os.environ.get("STRATOPLANE_TOKEN")
        kept = self.contexts.named_or_raise(self.current_name) if self.current_name else None
        if url and (kept is None or url.rstrip("/") != kept.url):
            # A token is shown to no other server than the one that gave it.
            return Context(url=url.rstrip("/"), token=token or "")
        if kept is None:
            raise NoContextError("no server is configured; log in with 'stratoplane login URL'")
        return Context(url=kept.url, token=token, ca_file=kept.ca_file) if token else kept

    @cached_property
    def client(self) -> "Client":
        """The client of the context.

        Raises:
            NoContextError: nobody has logged in.
        """
        if not self.context.token:
            raise NoContextError(f"you are not logged in to {self.context.url}; run 'stratoplane login'")
        return self.connect(self.context.url, self.context.token, self.context.ca_file)

    def connect(self, url: str, token: str | None, ca_file: str) -> "Client":
        """Return a client that this command's observer watches; all its calls are one trace."""
        import secrets

        from stratoplane_client.client import Client, Options
        from stratoplane_client.retries import RetryPolicy

        options = Options(
            timeout=_FAIL_FAST_TIMEOUT if self.fail_fast else _TIMEOUT,
            retries=RetryPolicy(attempts=1 if self.fail_fast else _attempts()),
            ca_file=ca_file or None,
            trace_id=secrets.token_hex(16),
            user_agent="stratoplane",
            observe=self._observe,
        )
        return Client(url, token=token, options=options)

    @cached_property
    def project_id(self) -> str:
        """Id of the project that counts: of ``--project``, the environment, the context, or the only one there is.

        Raises:
            NameUnknownError: it is named and unknown.
            InvalidSettingError: there is a choice and nothing says which.
        """
        from stratoplane_client.reading import is_id

        wanted = self.named_project or os.environ.get("STRATOPLANE_PROJECT")
        if wanted is None and self.context.project_id:
            return self.context.project_id
        if wanted is not None:
            return wanted if is_id(wanted) else self._found(wanted)
        visible = list(islice(self.client.projects.list(), 2))
        if len(visible) != 1:
            few = "several projects are" if visible else "no project is"
            raise InvalidSettingError(f"{few} visible; choose one with --project or 'stratoplane project use NAME'")
        return visible[0].id

    def _found(self, wanted: str) -> str:
        if wanted == self.context.project and self.context.project_id:
            return self.context.project_id
        doing, noun = self.doing, self.noun
        self.noun = "project"
        found_id = any_project_id(self, wanted) if "/" in wanted else self.client.projects.find(wanted).id
        self.doing, self.noun = doing, noun
        return found_id

    def _observe(self, attempt: "Attempt") -> None:
        call, outcome = attempt.call, attempt.status or attempt.failure
        if self.verbose:
            line = f"{call.method} {call.target} {outcome} {attempt.seconds * 1000:.0f} ms request {attempt.request_id}"
            click.echo(line, err=True)
        noticed = attempt.pause is not None and attempt.pause >= _WORTH_A_WORD and sys.stderr.isatty()
        if attempt.pause is not None and (self.verbose or noticed):
            click.echo(f"Trying again in {attempt.pause:.1f} s: {attempt.failure}", err=True)


def any_project_id(session: Session, wanted: str) -> str:
    """Return the id of a project of any organization, for operators: ``organization/project``, or the id itself.

    Raises:
        NameUnknownError: there is none of that name.
    """
    from stratoplane_client.reading import is_id

    return wanted if is_id(wanted) else session.client.operator.projects.find(wanted).id


def _attempts() -> int:
    text = os.environ.get("STRATOPLANE_ATTEMPTS", "7")
    if not text.isdigit() or int(text) < 1:
        raise InvalidSettingError(f"STRATOPLANE_ATTEMPTS is {text!r}; it must be a whole number of at least 1")
    return int(text)
