"""What every command does with an error: one line on stderr and an exit code."""

from __future__ import annotations

import errno
import io
import sys
import traceback
from typing import Any, NoReturn

import click

from qcompile.cli.options import is_verbose
from qcompile.errors import QCompileError


class Command(click.Command):
    """A command of qcompile. No traceback leaves it but under `-v`, and that only for defects of qcompile."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever goes wrong ends in one line."""
        _show_any_name()
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a closed pipe can still be met
            return result
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click's own: usage errors, and quiet on a closed pipe
        except QCompileError as error:
            _end(str(error), error.exit_code)
        except KeyboardInterrupt:
            _end("interrupted", 130)
        except MemoryError as error:
            _end(f"not enough memory ({error or 'no more can be had'}); use a smaller batch or a larger machine", 1)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            _end(_system(error), 1)
        except Exception as error:
            if is_verbose():
                click.echo(traceback.format_exc(), err=True, nl=False)
            what = f"{type(error).__name__}: {error}"
            _end(f"internal error in {_where(error)} ({what}); run again with -v and report it", 1)


def _end(message: str, code: int) -> NoReturn:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _system(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else " a file"
    return f"cannot read or write{where} ({error.strerror or error}); check the path, its rights and the space on disk"


def _where(error: BaseException) -> str:
    """`qcompile.passes.lower.fuse:12`: the innermost line of qcompile that the error went through."""
    where = "qcompile"
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__"))
        if module.partition(".")[0] == "qcompile":
            where = f"{module}:{line}"
    return where


def _show_any_name() -> None:
    """Names in models hold any character; a terminal that lacks one shows its escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
