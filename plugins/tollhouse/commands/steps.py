"""How long commands show what they do: a moving line while a step runs, then its duration."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status


@contextmanager
def step(console: Console, title: str) -> Iterator[Status]:
    """Show a step while it runs; ``status.update`` tells what it waits for."""
    started = time.monotonic()
    with console.status(title) as status:
        yield status
    seconds = time.monotonic() - started
    console.print(f"[green]✓[/green] {title} [dim]{seconds:.1f} s[/dim]", highlight=False)
