"""The one file below plugins/ that Airflow scans: our pages in its navigation, and a warm start."""

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from tollhouse import warm_start
from tollhouse.ui.app import PAGES, URL_PREFIX, make_app


class TollhousePlugin(AirflowPlugin):
    """Pages of Tollhouse inside the Airflow UI; imports that its tasks share."""

    name = "tollhouse"
    fastapi_apps: ClassVar[list[dict[str, Any]]] = [
        {"app": make_app(), "url_prefix": URL_PREFIX, "name": "Tollhouse"}
    ]
    external_views: ClassVar[list[dict[str, Any]]] = [
        {
            "name": page.title,
            # Relative, so that the pages work behind a reverse proxy's prefix as well.
            "href": f"{URL_PREFIX.lstrip('/')}/{page.route}/",
            "url_route": f"tollhouse-{page.route}",
            "destination": "nav",
            "category": "browse",
        }
        for page in PAGES
    ]
    listeners: ClassVar[list[Any]] = [warm_start]
