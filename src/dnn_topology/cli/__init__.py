"""The command line: a shell over the library, which nothing imports."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError, Parameter

from dnn_topology._checks import DnnTopologyError
from dnn_topology._machine import IN_WORDS, CannotWriteError, end_if_unguarded, of_the_machine
from dnn_topology._version import __version__
from dnn_topology.cli.options import defaults_from_file, whole_numbers
from dnn_topology.cli.spelling import our_words
from dnn_topology.remedies import elsewhere, flag_names, flags_of_arguments, in_flags, of_file, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERRUPTED, BROKEN_PIPE = 130, 141  # as shells say it
NARROWEST = 20  # columns of a terminal; the library that prints the help never ends in much fewer
# command → where it is; it is imported when it is called, or its help is asked for
COMMANDS = {
    "run": "run:run",
    "train": "run:train",
    "topology": "run:topology",
    "visualise": "visualise:visualise",
    "report": "report:report",
    "cavities": "lists:cavities",
    "nets": "lists:nets",
    "datasets": "lists:datasets",
    "layers": "lists:layers",
    "engines": "lists:engines",
    "estimate": "lists:estimate",
    "early-stop": "stopping:early_stop",
    "compare": "compare:compare",
    "detect": "detect:detect",
    "study": "study:study",
    "demo": "run:demo",
}
GAP = {"fit": "gap:fit", "predict": "gap:predict", "evaluate": "gap:evaluate"}

app = App(
    name="dnn-topology",
    help="The shape of what a deep network has learned: persistent homology of its neurons' correlations.",
    help_epilogue="Start with `dnn-topology demo`.",
    help_format="markdown",
    version=f"dnn-topology {__version__}",
    default_parameter=Parameter(negative=(), consume_multiple=True, allow_repeating=True),
    config=[defaults_from_file, whole_numbers],
    suppress_keyboard_interrupt=False,  # which would end the process without a word
)
gap = App(name="gap", help="Foretell the generalisation gap from the topology of training inputs.")


def _register(target: App, commands: Mapping[str, str]) -> None:
    """Name the commands of an app."""
    for name, place in commands.items():
        target.command(f"{__name__}.{place}", name=name)


_register(app, COMMANDS)
_register(gap, GAP)
app.command(gap)
app.command(f"{__name__}.{COMMANDS['visualise']}", name="visualize", show=False)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: The words after the program's name; by default those of this process.

    Returns:
        The exit status: 0, or 2 after a mistake that the user can mend, which is explained in one line on standard
        error, 1 if epochs were killed, crashed or took too long while the others were finished, or 130 after Ctrl-C.
        Any other exception is a fault of ours and is raised, which ends the program with 1 too.
    """
    end_if_unguarded()
    _suit_terminal()
    words = list(sys.argv[1:] if args is None else args)
    command = _command(words)
    warnings.showwarning = partial(_warn, command)
    try:
        words = our_words(words)
        status = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CannotWriteError as error:
        return _complain(error.with_remedy(elsewhere(error.path, words, flag_names(_app(command)))))
    except DnnTopologyError as error:
        _complain(in_flags(str(error), flags_of_arguments(_app(command))) + of_file(words))
        return 2 if getattr(error, "mendable", True) else 1
    except CycloptsError as error:
        said = one_line(str(error)).replace("Unused Tokens: ", "there is no place for ")
        return _complain(f"{said} See `{' '.join(['dnn-topology', *command, '--help'])}`.")
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept, and the same command goes on from there", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:  # whoever read the answer has enough, such as `head`
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):  # as rich ends then
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that closing it at the end is no error either
        return BROKEN_PIPE
    except (OSError, ValueError) as error:
        if (told := of_the_machine(error)) is None:
            raise
        return _complain(str(told))
    return status if isinstance(status, int) else 0


def _suit_terminal() -> None:
    """Make do with whatever terminal, pipe or notebook this program was called from."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=IN_WORDS)  # a terminal that lacks ε shows epsilon
    if shutil.get_terminal_size().columns < NARROWEST:
        os.environ["COLUMNS"] = str(NARROWEST)
    if os.environ.get("MPLBACKEND", "").startswith("module:"):  # of a notebook, which other programs may not have
        del os.environ["MPLBACKEND"]


def _command(words: Sequence[str]) -> list[str]:
    """Return the command that is called, as words."""
    if words[:1] == ["gap"]:
        return [word for word in words[:2] if word in {"gap", *GAP}]
    return [words[0]] if words and words[0] in {*COMMANDS, "visualize"} else []


def _app(command: Sequence[str]) -> App:
    """Return the app of a command."""
    target = app
    for word in command:
        target = target[word]
    return target


def _warn(command: Sequence[str], message: Warning | str, category: type, *_: object, **__: object) -> None:
    """Print a warning on one line; that something takes long, commands say in their own words."""
    if category.__name__ == "LongComputationWarning":
        return
    text = in_flags(" ".join(str(message).split()), flags_of_arguments(_app(command)))
    print(f"dnn-topology: warning: {text}", file=sys.stderr)  # noqa: T201


def _complain(message: str) -> int:
    """Print one line on standard error."""
    print(f"dnn-topology: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    return 2
