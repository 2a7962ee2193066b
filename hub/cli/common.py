"""What every command group needs: settings, output, errors, an event loop."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from hub.config import Loaded

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What was given before the subcommand's name."""

    config_file: Path | None = None
    overrides: tuple[str, ...] = ()


class Failure(click.ClickException):
    """A command failed for a reason that someone can act on: exit code 1, no traceback."""

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(f"{message}\nNext step: {next_step}" if next_step else message)


def fail(message: str, *, next_step: str = "") -> NoReturn:
    """End the command with an error that names what to do next."""
    raise Failure(message, next_step=next_step)


def global_options() -> GlobalOptions:
    """The options of the root command that is running."""
    found = click.get_current_context().find_object(GlobalOptions)
    return found if found is not None else GlobalOptions()


def config_option(function: F) -> F:
    """Let ``--config FILE`` also stand after the subcommand's name."""

    def keep(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
        if value is not None:
            ctx.obj = replace(global_options(), config_file=value)

    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        expose_value=False,
        callback=keep,
        help="The settings file.",
    )(function)


def json_option(function: F) -> F:
    """Add ``--json``, passed as ``as_json``: one JSON value on stdout, nothing else."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts to read.")(
        function
    )


def load_settings() -> Loaded:
    """The settings for the running command; problems end it with their explanation."""
    from hub.config import ConfigError, load

    options = global_options()
    try:
        return load(options.config_file, overrides=options.overrides)
    except ConfigError as error:
        fail(
            f"the settings can't be used.\n\n{error}\n",
            next_step="correct them; `store-hub config check` looks again",
        )


def print_json(value: object) -> None:
    """Print ``value`` as one JSON document."""
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    empty: str = "nothing",
) -> None:
    """Print a table; ``empty`` when there are no rows.  Numbers go to the right.

    A terminal gets colours and folded cells; anything else gets plain, whole lines.
    """
    if not rows:
        click.echo(empty)
        return
    if not sys.stdout.isatty():
        click.echo(_plain_table(columns, rows))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, box=None, header_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if _all_numbers(rows, index) else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(cell)) for cell in row))
    console().print(table)


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    texts = [list(columns), *([_cell(cell) for cell in row] for row in rows)]
    for index in range(len(columns)):
        width = max(len(row[index]) for row in texts)
        right = _all_numbers(rows, index)
        for row in texts:
            row[index] = row[index].rjust(width) if right else row[index].ljust(width)
    return "\n".join("  ".join(row).rstrip() for row in texts)


def _cell(cell: object) -> str:
    # Texts from devices may hold anything; a line of a table stays one line.
    return "" if cell is None else "".join(c if c.isprintable() else "\ufffd" for c in str(cell))


def _all_numbers(rows: Sequence[Sequence[object]], index: int) -> bool:
    return all(isinstance(row[index], int) for row in rows)


def console(*, stderr: bool = False) -> Console:
    """A rich console; plain and unwrapped when its stream is no terminal."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal:
        made = Console(stderr=stderr, highlight=False, width=200)
    return made


def progress() -> Progress:
    """A progress bar on stderr, so that stdout stays for the result."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(stderr=True),
    )


def run_async(
    function: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Any]:
    """Make an ``async def`` a command; Ctrl-C cancels it and exits with 130."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        import asyncio

        try:
            return asyncio.run(function(*args, **kwargs))
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None

    return wrapper
