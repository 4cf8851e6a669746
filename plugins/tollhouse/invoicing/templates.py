"""The templates of the documents: Jinja and CSS, which a user may copy and edit (I11).

A file in ``include/templates/<issuer_id>/`` takes the place of the one with the same name for that
issuer. What a template loads comes from these folders and nowhere else (I16); a fault names the
file and the line.
"""

from __future__ import annotations

import mimetypes
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from tollhouse.invoicing.fonts import printable


class TemplateFaultError(Exception):
    """A template does not work; the message names its file and line."""


class TemplateFolders:
    """The folders of one issuer's templates, its own first; everything is escaped."""

    def __init__(self, root: Path, issuer_id: str) -> None:
        self.root = root
        own = root / issuer_id
        is_below = own.resolve().parent == root.resolve()
        self.folders = [own, root] if is_below and own.is_dir() else [root]
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(self.folders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_keep_printable,
        )
        self._environment.filters["fit"] = fit

    def find(self, name: str) -> Path | None:
        """Return the file of that name from the first folder that has it; never one outside."""
        for folder in self.folders:
            path = (folder / name).resolve()
            if path.is_file() and path.is_relative_to(folder.resolve()):
                return path
        return None

    def render(self, name: str, values: dict[str, Any]) -> str:
        """Fill in a template.

        Raises:
            TemplateFaultError: naming the template's file and line.
        """
        try:
            return self._environment.get_template(name).render(values)
        except TemplateSyntaxError as error:
            raise TemplateFaultError(
                f"{error.name or name}, line {error.lineno}: {error.message}"
            ) from error
        except (
            TemplateError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise TemplateFaultError(f"{self._fault_line(error, name)}: {error}") from error

    def _fault_line(self, error: Exception, name: str) -> str:
        """Find the innermost template line in the traceback, where Jinja puts its frames."""
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            path = Path(frame.filename)
            if any(path.is_relative_to(folder) for folder in self.folders):
                return f"{path.relative_to(self.root)}, line {frame.lineno}"
        return f"{name} (missing, or a file that it includes is)"


class TemplateFetcher:
    """Gives WeasyPrint the files of the template folders and refuses every other address."""

    #: WeasyPrint stops instead of printing without a file that the template asks for.
    _fail_on_errors = True

    def __init__(self, folders: TemplateFolders) -> None:
        self._folders = folders

    def __call__(self, url: str) -> Any:
        """Fetch, as WeasyPrint asks for it."""
        return self.fetch(url)

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> Any:
        """Open a file below the template folders, the issuer's own first."""
        from weasyprint.urls import URLFetcherResponse  # slow to import, wanted by rendering only

        del headers  # a file has none
        address = urlsplit(url)
        path = Path(unquote(address.path))
        if address.scheme != "file" or not path.is_relative_to(self._folders.root):
            raise TemplateFaultError(f"templates load files of their own folder only, not {url}")
        found = self._folders.find(str(path.relative_to(self._folders.root)))
        if found is None:
            raise TemplateFaultError(f"{path.relative_to(self._folders.root)} does not exist")
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return URLFetcherResponse(url, found.read_bytes(), {"Content-Type": kind})


def fit(value: object, width: int, align: str = "left") -> str:
    """Set a value into a column of fixed width, cut with an ellipsis, for the monospaced annex."""
    text = printable(str(value)).replace("\n", " ")
    if len(text) > width:
        text = text[: width - 1] + "…"
    return text.rjust(width) if align == "right" else text.ljust(width)


def _keep_printable(value: object) -> object:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
