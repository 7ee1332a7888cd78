"""The commands of the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from sluicegate._core import __version__
from sluicegate._zone.command import zone
from sluicegate.checking.command import check_policy
from sluicegate.importers.command import importing
from sluicegate.replay.command import replay_log

__all__ = ["run"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def run(arguments: list[str]) -> int:
    """Run the command line; what is wrong with it is a ``ValueError``."""
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="sluicegate", standalone_mode=False)
    except Exception as error:
        # The parser's own complaints, such as an unknown option, can say themselves in a line.
        told = getattr(error, "format_message", None)
        if told is not None:
            raise ValueError(f"{told().rstrip('.')} (see sluicegate --help)") from None
        if type(error).__name__ == "Abort":
            raise KeyboardInterrupt from None
        raise
    return code if isinstance(code, int) else 0


def _version(asked: bool) -> None:
    if asked:
        print(f"sluicegate {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Rate limiting: exact, bounded, cheap."""


app.command("replay")(replay_log)
app.command("zone")(zone)
app.command("check")(check_policy)
app.add_typer(importing, name="import")
