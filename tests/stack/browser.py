"""A real browser, Debian's Chromium without a screen, logged in to the Airflow UI."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright


@contextmanager
def logged_in(address: str, user: str, password: str) -> Iterator[Page]:
    """Yield a page of a browser in which ``user`` has logged in at ``address``."""
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs user namespaces that root in a container may not have.
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        try:
            page = browser.new_page()
            page.goto(address)
            page.fill("input[name=username]", user)
            page.fill("input[name=password]", password)
            page.click("button[type=submit]")
            page.get_by_text("Dags", exact=True).first.wait_for()
            yield page
        finally:
            browser.close()
