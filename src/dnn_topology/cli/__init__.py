"""The command line: a shell over the library, which nothing imports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from dnn_topology._checks import DnnTopologyError
from dnn_topology._version import __version__
from dnn_topology.cli import demo, detect, engines, gap, lists, run, stopping, study, visualise
from dnn_topology.cli.options import ListCommand, normalise
from dnn_topology.runs import EpochsFailedError

# The class of everything that Typer finds wrong with an invocation; public only as an ancestor of this one.
UsageError: Any = typer.BadParameter.__mro__[2]
INTERRUPTED = 130  # as shells say it

app = typer.Typer(
    name="dnn-topology",
    help="The shape of what a deep network has learned: persistent homology of its neurons' correlations.",
    epilog="Start with `dnn-topology demo`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": normalise, "help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    run.run,
    run.train,
    run.topology,
    visualise.visualise,
    lists.nets,
    lists.datasets,
    lists.layers,
    engines.engines,
    engines.estimate,
    stopping.early_stop,
    detect.detect,
    study.study,
    demo.demo,
)
for function in COMMANDS:
    app.command(cls=ListCommand)(function)
app.add_typer(gap.app, name="gap")
app.command("visualize", cls=ListCommand, hidden=True)(visualise.visualise)


def _version(asked: bool) -> None:
    """Print the version and stop.

    Raises:
        Exit: Always, when asked.
    """
    if asked:
        typer.echo(f"dnn-topology {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The shape of what a deep network has learned: persistent homology of its neurons' correlations."""
    del version


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: The words after the program's name; by default those of this process.

    Returns:
        The exit status: 0, or 2 after a mistake that the user can mend, which is explained in one line on standard
        error, 1 if epochs were killed, crashed or took too long while the others were finished, or 130 after Ctrl-C.
        Any other exception is a fault of ours and is raised, which ends the program with 1 too.
    """
    try:
        status = app(sys.argv[1:] if args is None else list(args), standalone_mode=False)
    except EpochsFailedError as error:
        _complain(str(error))
        return 2 if error.mendable else 1
    except DnnTopologyError as error:
        return _complain(str(error))
    except UsageError as error:
        return _complain(f"{error.format_message()} See `dnn-topology --help`.")
    except (typer.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    if status == INTERRUPTED:
        typer.echo("interrupted; what is finished is kept, and the same command goes on from there", err=True)
    return int(status or 0)


def _complain(message: str) -> int:
    """Print one line on standard error."""
    typer.echo(f"dnn-topology: {' '.join(message.split())}", err=True)
    return 2
