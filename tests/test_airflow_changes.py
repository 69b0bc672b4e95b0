"""`config lint` and `config update` know the changes in Airflow: with Airflow installed, all of its own list."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_beside_airflow import airflow_python

from framework import App
from framework.cli.lint import _learn, findings

#: Options that we report differently, because Airflow's list names what it does not declare, or loses the unit:
#: (section, key) -> the kind.
OTHERWISE = {
    ("core", "load_default_connections"): "deprecated",
    ("webserver", "session_lifetime_days"): "deprecated",
    ("webserver", "force_log_out_after"): "deprecated",
    ("policy", "airflow_local_settings"): "deprecated",
    ("core", "executor"): "outdated",
}
#: The same, where ours names what follows on Airflow's new name.
FOLLOWED = {
    ("webserver", "access_logfile"): "[api] log_config",
    ("webserver", "page_size"): "[api] fallback_page_limit",
    ("scheduler", "statsd_allow_list"): "[metrics] metrics_allow_list",
}


def found_in(home: Path, text: str) -> list[tuple[str, str]]:
    (home / "airflow.cfg").write_text(text)
    app = App("airflow", home=str(home), environ={})
    _learn(app)
    return [(finding.kind, finding.what) for finding in findings(app)]


def test_every_change_that_airflow_knows(tmp_path: Path) -> None:
    script = (
        "import json; from airflow.cli.commands.config_command import CONFIGS_CHANGES as all_; print(json.dumps([["
        "*c.config, c.renamed_to, c.default_change and str(c.old_default), c.remove_if_equals, c.is_invalid_if, "
        "c.was_removed] for c in all_]))"
    )
    environ = {"AIRFLOW_HOME": str(tmp_path / "theirs"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([airflow_python(), "-c", script], capture_output=True, text=True, check=True, env=environ)
    changes = json.loads(done.stdout.strip().splitlines()[-1])
    assert len(changes) > 150
    for section, key, renamed, old_default, old_value, invalid, _ in changes:
        text = str(old_value or invalid or old_default or "1").replace("%", "%%")
        ((kind, what),) = found_in(tmp_path, f"[{section}]\n{key} = {text}\n")
        if (section, key) in OTHERWISE:
            assert kind == OTHERWISE[section, key], (section, key)
        elif renamed:
            assert kind == "renamed"
            assert FOLLOWED.get((section, key), f"[{renamed[0]}] {renamed[1]}") in what, (section, key)
        else:
            values = {"changed default": old_default, "old value": old_value, "invalid": invalid}
            assert kind == next((name for name, given in values.items() if given), "deprecated"), (section, key)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[scheduler]\ncatchup_by_default = True", "changed default"),
        ("[scheduler]\ncatchup_by_default = t", "changed default"),
        ("[scheduler]\ncreate_cron_data_intervals = 1", "changed default"),
        ("[scheduler]\ncatchup_by_default = False", None),
        ("[core]\nexecutor = CeleryExecutor", None),  # Airflow would make it LocalExecutor
        ("[core]\nparallelism = 0", "invalid"),
        ("[core]\nparallelism = 32", None),
        ("[core]\nhostname = :", "old value"),
        ("[email]\nemail_backend = airflow.contrib.utils.sendgrid.send_email", "old value"),
        ("[email]\nemail_backend = my.own", None),
        (
            "[logging]\nlog_filename_template = {{ ti.dag_id }}/{{ ti.task_id }}/{{ ts }}/{{ try_number }}.log",
            "old value",
        ),
        ("[elasticsearch]\nlog_id_template = {dag_id}-{task_id}-{logical_date}-{try_number}", "old value"),
    ],
)
def test_a_value_counts_as_it_is(tmp_path: Path, text: str, kind: str | None) -> None:
    found = found_in(tmp_path, text + "\n")
    assert [each for each, _ in found] == ([kind] if kind else []), found


OLD = """\
[core]
# how many at once
parallelism = 0
executor = CeleryExecutor
hostname = :

[scheduler]
catchup_by_default = True
create_cron_data_intervals = False

[webserver]
session_lifetime_days = 30
"""


def test_update_changes_old_defaults_when_all_is_asked_for(world: Any) -> None:
    cfg = world.write("airflow.cfg", OLD)
    world.set(AIRFLOW_HOME=str(world.home))
    status, out, err = world.run("--name", "airflow", "config", "update")
    assert status == 0 and cfg.read_text() == OLD
    assert "[core] hostname is commented out" in out and "catchup_by_default" not in out
    assert "by hand: airflow.cfg:3: the value '0' of [core] parallelism is refused" in err
    assert "left as they are: 2 deprecated options or old defaults" in err
    status, out, _ = world.run("--name", "airflow", "config", "update", "--fix", "--all-recommendations")
    assert status == 0 and "[scheduler] catchup_by_default becomes False, today's default" in out
    assert cfg.read_text() == (
        OLD.replace("hostname = :", "# hostname = :")
        .replace("default = True", "default = False")
        .replace("session_lifetime_days = 30", "# session_lifetime_days = 30")
    )
    assert not list(world.home.glob("airflow.cfg?*")), "nothing is deleted, so there is no copy"


def test_lint_names_every_finding(world: Any) -> None:
    world.write("airflow.cfg", OLD)
    world.set(AIRFLOW_HOME=str(world.home))
    status, out, _ = world.run("--name", "airflow", "config", "lint", "--output", "json")
    assert status == 1
    assert {(row["option"], row["kind"]) for row in json.loads(out)} == {
        ("parallelism", "invalid"),
        ("hostname", "old value"),
        ("catchup_by_default", "changed default"),
        ("session_lifetime_days", "deprecated"),
    }
