"""What the packaged options of Airflow cost an application of that name, and any other; as whole processes."""

from __future__ import annotations

import os
import tempfile

from timing import Program, Row, above, airflow_python, median, milliseconds, processes, python

#: A start: options of core and of one provider, and where the secrets are.
GETS = """
from framework import App
conf = App({name!r}, home='.').conf
for name in ('core.executor', 'secrets.backend', 'celery.broker_url', 'logging.base_log_folder'):
    conf.get(*name.split('.'), fallback='')
"""
OTHER, AIRFLOW = "four options of an App that is not called airflow", "… of `App('airflow')`, Airflow not installed"
LISTED = "… of `App('airflow')`, and every option listed"


def rows(quick: bool) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        programs = {
            OTHER: python("-c", GETS.format(name="airways"), folder=folder),
            AIRFLOW: python("-c", GETS.format(name="airflow"), folder=folder),
            LISTED: python(
                "-c", f"{GETS.format(name='airflow')}\nassert len(list(conf.sections())) > 50", folder=folder
            ),
        }
        if (peer := airflow_python()) is not None:
            root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
            beside = {"PYTHONPATH": root, "AIRFLOW_HOME": folder}
            bare = "… with Airflow's Python, the App not called airflow"
            programs[bare] = Program([peer, "-c", GETS.format(name="airways")], beside, folder)
            programs["… with Airflow's Python, `App('airflow')` beside it"] = Program(
                [peer, "-c", GETS.format(name="airflow")], beside, folder
            )
        times = processes(programs, 7 if quick else 21)
    found = []
    base = OTHER
    for name in programs:
        if "not called" in name:
            base = name
            found.append(Row(name, milliseconds(median(times, name))))
            continue
        more = above(times, name, base)
        limit = None if name == LISTED else 4
        target = f"at most +{limit} ms" if limit else ""
        met = more <= limit if limit else None
        found.append(Row(name, milliseconds(median(times, name)), f"+{milliseconds(more)}", target, met))
    return found
