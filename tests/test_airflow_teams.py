"""What our backends ask for when a team asks, beside Airflow's own classes for the stores.

Compared are the stores whose providers are installed in the Airflow of test_beside_airflow.py.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import airflow_teams
import pytest
from test_beside_airflow import Airflow, airflow  # noqa: F401 - a fixture


@pytest.mark.parametrize("multi_team", ["True", "False"])
def test_a_team_asks_for_the_same_names_as_in_airflow(airflow: Airflow, multi_team: str) -> None:  # noqa: F811
    home = airflow.home(f"teams-{multi_team}")
    env = {**home.env, "AIRFLOW__CORE__MULTI_TEAM": multi_team, "PYTHONPATH": airflow._framework()}
    done = subprocess.run(
        [airflow.python, Path(airflow_teams.__file__)],
        cwd=home.path,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    if not found:
        pytest.skip("this Airflow has no provider with a secrets backend")
    for short, rows in found.items():
        for kwargs, kind, secret_id, team, theirs, ours in rows:
            assert ours == theirs, (short, kwargs, kind, secret_id, team)
        assert any(theirs for *_, theirs, _ in rows)
