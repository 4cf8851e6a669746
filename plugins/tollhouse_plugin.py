"""The one file below plugins/ that Airflow scans: it puts Tollhouse's pages into Airflow's navigation."""

from airflow.plugins_manager import AirflowPlugin

from tollhouse.ui.app import PAGES, URL_PREFIX, make_app


class TollhousePlugin(AirflowPlugin):
    """Pages of Tollhouse inside the Airflow UI."""

    name = "tollhouse"
    fastapi_apps = [{"app": make_app(), "url_prefix": URL_PREFIX, "name": "Tollhouse"}]
    external_views = [
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
