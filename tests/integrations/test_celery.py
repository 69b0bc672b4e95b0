"""The Celery example: its own tests, and a real worker on a real queue."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from servers import valkey

import framework

pytest.importorskip("celery")
pytest.importorskip("redis")

EXAMPLE = Path(__file__).parents[2] / "examples" / "celery"


def environment(**more: str) -> dict[str, str]:
    ours = ("INVOICES_", "FRAMEWORK_", "PYTEST")
    clean = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return {**clean, "PYTHONPATH": str(Path(framework.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1", **more}


def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=EXAMPLE, env=environment(**more), capture_output=True, text=True
    )


@pytest.mark.external
def test_the_tests_of_the_example_pass() -> None:
    words = ("-n", "0", "-p", "no:cacheprovider", "--rootdir", str(EXAMPLE), "-c", "pyproject.toml", "test_tasks.py")
    done = run("-m", "pytest", "-q", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.external
def test_the_dump_in_the_readme_is_what_dump_prints() -> None:
    assert run("-m", "framework", "dump").stdout.strip() in (EXAMPLE / "README.md").read_text()


def test_a_worker_takes_a_task_from_a_real_queue(tmp_path: Path) -> None:
    with valkey(tmp_path, "--requirepass", "made-up-queue-password") as port:
        queue = {"INVOICES__SECRETS__BACKEND_KWARGS": '{"configs_file_path": "secrets/configs.json"}'}
        queue["INVOICES_CONN_BROKER"] = f"redis://:made-up-queue-password@127.0.0.1:{port}/0"
        words = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "2", "--loglevel", "INFO"]
        log = tmp_path / "worker.log"
        with log.open("w") as file:
            worker = subprocess.Popen(words, cwd=EXAMPLE, env=environment(**queue), stdout=file, stderr=file)
        try:
            code = "from tasks import sign; print(sign.delay(7, '12.50').get(timeout=300))"
            done = run("-c", code, **queue)
        finally:
            worker.terminate()
            worker.wait()
        assert done.stdout == "7 12.50 EUR 1bdf4698\n", done.stderr + log.read_text()
        assert "made-up-signing-key" not in log.read_text()
        assert "made-up-queue-password" not in log.read_text()


def test_a_missing_secret_stops_the_worker(tmp_path: Path) -> None:
    with valkey(tmp_path) as port:
        queue: dict[str, Any] = {"INVOICES__SECRETS__BACKEND": "", "INVOICES__SECRETS__BACKEND_KWARGS": ""}
        queue["INVOICES_CONN_BROKER"] = f"redis://127.0.0.1:{port}/0"
        done = run("-m", "celery", "-A", "tasks", "worker", "-c", "1", **queue)
        assert done.returncode != 0
        assert "'invoices-signing-key' not found" in done.stdout + done.stderr
