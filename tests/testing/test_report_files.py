"""The files of a failing run: what they are called, what is in them, and what happens if they cannot be written."""

import json
from pathlib import Path

import pytest

from tests.testing.report_samples import make_run
from triort._model.errors import UsageError
from triort.testing._plan.codec import load_plan
from triort.testing._report.files import write_reports
from triort.testing._report.page import page_html


def test_plan_trace_and_page_are_written_into_a_folder_that_is_made(tmp_path: Path) -> None:
    run, folder = make_run(), tmp_path / "reports" / "storm"
    written = write_reports(run, folder)
    assert [path.name for path in written] == [
        "seed-97-tier-1.plan.json",
        "seed-97-tier-1.trace.json",
        "seed-97-tier-1.html",
    ]
    assert sorted(folder.iterdir()) == sorted(written)
    plan, trace, page = (path.read_text(encoding="utf-8") for path in written)
    assert load_plan(plan, "the plan") == run.plan
    assert json.loads(trace)["metadata"]["seed"] == 97
    assert page == page_html(run)


def test_a_second_run_of_the_seed_replaces_the_first(tmp_path: Path) -> None:
    assert write_reports(make_run(), tmp_path) == write_reports(make_run(violation=False), str(tmp_path))
    assert len(list(tmp_path.iterdir())) == 3
    assert "All checks passed" in (tmp_path / "seed-97-tier-1.html").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_one_readable_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError) as caught:
        write_reports(make_run(), tmp_path / "file" / "reports")
    folder = tmp_path / "file" / "reports"
    assert str(caught.value) == f"The reports of seed 97 cannot be written to {folder}: Not a directory."
