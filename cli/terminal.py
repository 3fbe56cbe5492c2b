"""Tables for people. In a file or pipe a line is as long as it needs to be; on a narrow terminal all but the first
column give way, and what is cut off ends in an ellipsis: half a number in the next line would read as another number.
"""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

_WIDTH_IN_FILES = 10_000  # a table takes what it needs of that


def console() -> Console:
    """What was sent may look like markup, and stays as it is."""
    terminal = Console(markup=False, emoji=False)
    return terminal if terminal.is_terminal else Console(markup=False, emoji=False, width=_WIDTH_IN_FILES)


def table_of(*heads: str, title: str | None = None) -> Table:
    """The first column is what people go on by: it is whole."""
    first, *others = heads
    whole = Column(first, overflow="fold", no_wrap=True)
    return Table(whole, *others, title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
