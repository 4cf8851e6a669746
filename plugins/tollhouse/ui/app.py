"""The web application behind Tollhouse's pages: generated sites and invoices.

A FastAPI app of a plugin is not protected by Airflow by itself: every route here depends on the
view permission of the user who is logged in. Nothing outside the listed folders can be reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse

from tollhouse.settings import load_settings
from tollhouse.ui.data_checks import DATA_DOCS_FOLDER, data_checks_page
from tollhouse.ui.invoices import INVOICES_FOLDER, invoices_page

URL_PREFIX = "/tollhouse"


@dataclass(frozen=True)
class Page:
    """An entry of the navigation: its title and its path below the prefix."""

    title: str
    route: str


PAGES = (
    Page("Invoices", "invoices"),
    Page("Warehouse docs", "docs"),
    Page("Data checks", "data-checks"),
)

#: Served instead of a site that has not been generated yet.
NOT_YET = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Not there yet</title>
<body style="font-family: sans-serif; margin: 3em; max-width: 40em">
<h1>Not there yet</h1><p>{reason}</p></body></html>"""


def make_app() -> FastAPI:
    """Build the application; every route asks Airflow whether the user may see its pages."""
    app = FastAPI(title="Tollhouse", docs_url=None, redoc_url=None, openapi_url=None)
    router = APIRouter(dependencies=[Depends(requires_access_view(AccessView.WEBSITE))])
    router.add_api_route("/docs/", warehouse_docs, response_class=HTMLResponse, response_model=None)
    router.add_api_route("/data-checks/", data_checks, response_class=HTMLResponse)
    router.add_api_route("/data-checks/site/{path:path}", data_docs_file, response_model=None)
    router.add_api_route("/invoices/", invoices, response_class=HTMLResponse)
    router.add_api_route("/invoices/files/{path:path}", invoice_file, response_model=None)
    app.include_router(router)
    return app


def warehouse_docs() -> FileResponse | HTMLResponse:
    """The dbt docs site: one static file, made at deployment."""
    site = load_settings().var / "dbt" / "target" / "static_index.html"
    if not site.exists():
        return HTMLResponse(
            NOT_YET.format(reason="Run <code>make docs</code> to generate this site.")
        )
    return FileResponse(site, media_type="text/html")


def data_checks() -> HTMLResponse:
    """What was checked at the two borders, and the outcome."""
    return HTMLResponse(data_checks_page(load_settings()))


def data_docs_file(path: str) -> FileResponse:
    """A file of the Data Docs of Great Expectations.

    They show values of tickets in pages that are not ours: what a hostile one smuggles in runs
    apart from Airflow, without its cookies.
    """
    return FileResponse(
        file_below(load_settings().var / DATA_DOCS_FOLDER, path),
        headers={"Content-Security-Policy": "sandbox allow-scripts"},
    )


def invoices() -> HTMLResponse:
    """The issued invoices, newest month first, with their documents."""
    return HTMLResponse(invoices_page(load_settings()))


def invoice_file(path: str) -> FileResponse:
    """One document of an issued invoice."""
    return FileResponse(
        file_below(load_settings().var / INVOICES_FOLDER, path), content_disposition_type="inline"
    )


def file_below(folder: Path, relative: str) -> Path:
    """Return an existing file below ``folder``; links and ``..`` that leave it are refused.

    Raises:
        HTTPException: 404, whatever the reason, so that nothing is learned about other paths.
    """
    try:
        path = (folder / relative).resolve()
        is_served = path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        # A name too long, links in a circle, a NUL: such a file cannot be there.
        raise HTTPException(status_code=404) from error
    if not is_served:
        raise HTTPException(status_code=404)
    return path
