"""Groups of commands whose help says the whole of what each does: click cuts it after 45 letters."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

import click


class Group(click.Group):
    """Commands, each with the first paragraph of its help."""

    def described(self, ctx: click.Context) -> Iterable[tuple[str, str]]:
        """Every command's name and what it does."""
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            assert command is not None
            yield name, " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.described(ctx)))
