"""Airflow's REST API on loopback: starting DAG runs, waiting for them and saying what failed."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode


class AirflowApiError(Exception):
    """Airflow refused a request, did not answer, or a run failed; the message says which."""


@dataclass(frozen=True)
class TaskRun:
    """One try of one task in a run."""

    task_id: str
    state: str
    try_number: int
    map_index: int


@dataclass
class AirflowApi:
    """A logged-in client of one API server."""

    port: int
    user: str
    password: str = field(repr=False)
    _token: str = field(default="", repr=False)

    def unhealthy_components(self) -> list[str]:
        """Names of the components that are not healthy yet; all of them while nothing answers."""
        try:
            health = self._send("GET", "/api/v2/monitor/health", None)
        except AirflowApiError:
            return ["api_server"]
        return [name for name, component in health.items() if component.get("status") != "healthy"]

    def dag_ids(self) -> dict[str, bool]:
        """Return the DAGs that the DAG processor has stored, each with whether it is paused."""
        dags = self.get("/api/v2/dags", limit=500)["dags"]
        return {dag["dag_id"]: dag["is_paused"] for dag in dags}

    def import_errors(self) -> list[str]:
        """Return the DAG files that do not load, with the last line of each error."""
        errors = self.get("/api/v2/importErrors")["import_errors"]
        return [
            f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}"
            for error in errors
        ]

    def set_paused(self, dag_id: str, *, is_paused: bool) -> None:
        """Let the scheduler run a DAG, or not."""
        self._request("PATCH", f"/api/v2/dags/{quote(dag_id)}", {"is_paused": is_paused})

    def trigger(self, dag_id: str, configuration: dict[str, Any] | None = None) -> str:
        """Ask for a run now; return its id."""
        body = {"logical_date": None, "conf": configuration or {}}
        return str(
            self._request("POST", f"/api/v2/dags/{quote(dag_id)}/dagRuns", body)["dag_run_id"]
        )

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a run: queued, running, success or failed."""
        return str(
            self.get(f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}")["state"]
        )

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The latest runs of a DAG, newest first."""
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns"
        runs: list[dict[str, Any]] = self.get(path, order_by="-run_after", limit=50)["dag_runs"]
        return runs

    def task_runs(self, dag_id: str, run_id: str) -> list[TaskRun]:
        """The tasks of a run, with their states."""
        path = f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        return [
            TaskRun(
                task_id=task["task_id"],
                state=task["state"] or "waiting",
                try_number=task["try_number"],
                map_index=task["map_index"],
            )
            for task in self.get(path)["task_instances"]
        ]

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        seconds: float,
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Wait until a run has succeeded, telling ``on_progress`` what it does.

        Raises:
            AirflowApiError: it failed or took longer; the message names the task and its log.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.run_state(dag_id, run_id)
            if state == "success":
                return
            if state == "failed":
                raise AirflowApiError(self.explain(dag_id, run_id, "failed"))
            tasks = self.task_runs(dag_id, run_id)
            active = [task.task_id for task in tasks if task.state in {"running", "queued"}]
            on_progress(f"{dag_id}: {', '.join(active) or state}")
            time.sleep(0.5)
        raise AirflowApiError(
            self.explain(dag_id, run_id, f"did not end within {seconds:.0f} seconds")
        )

    def explain(self, dag_id: str, run_id: str, what: str) -> str:
        """Say what happened to a run, with its troubled tasks and their logs."""
        return _failure(dag_id, run_id, self.task_runs(dag_id, run_id), what)

    def get(self, path: str, **parameters: object) -> Any:
        """Return the JSON answer to a GET."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self._request("GET", path + query, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON answer to a POST."""
        return self._request("POST", path, body)

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        if not self._token:
            login = {"username": self.user, "password": self.password}
            self._token = self._send("POST", "/auth/token", login)["access_token"]
        return self._send(method, path, body)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request(
                method, path, json.dumps(body) if body is not None else None, headers
            )
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise AirflowApiError(
                f"Airflow does not answer on port {self.port}: {error}"
            ) from error
        finally:
            connection.close()
        if response.status >= 300:
            raise AirflowApiError(
                f"Airflow answered {response.status} to {method} {path}: {text[:500]}"
            )
        return json.loads(text) if text else {}


def _failure(dag_id: str, run_id: str, tasks: list[TaskRun], what: str) -> str:
    culprits = [task for task in tasks if task.state in {"failed", "up_for_retry"}]
    culprits = culprits or [task for task in tasks if task.state in {"running", "queued"}]
    lines = [f"{dag_id} {what} (run {run_id})."]
    for task in culprits:
        mapped = f"/map_index={task.map_index}" if task.map_index >= 0 else ""
        lines.append(
            f"  task {task.task_id} is {task.state}; its log: var/log/tasks/dag_id={dag_id}/"
            f"run_id={run_id}/task_id={task.task_id}{mapped}/attempt={max(task.try_number, 1)}.log"
        )
    return "\n".join(lines)
