"""What a release carries: one version everywhere, addresses that the workflow writes, forms that ask for the checks."""

from __future__ import annotations

import re
import runpy

import pytest
import yaml

from tests.conftest import ROOT
from yolo_cot.version import __version__

ADDRESSES = runpy.run_path(str(ROOT / ".ci" / "addresses.py"))
HOME = "https://example.org/us/yolo-cot"


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_file_names_the_same_version():
    assert yaml.safe_load(text_of("CITATION.cff"))["version"] == __version__
    assert f"\n## {__version__}\n" in text_of("CHANGELOG.md")
    for name in ("README.md", "README.zh-CN.md"):
        assert re.findall(r"yolo_cot-([\d.]+)-py3-none-any.whl", text_of(name)) == [__version__]


def test_the_citation_names_both_papers():
    papers = yaml.safe_load(text_of("CITATION.cff"))["references"]
    assert [paper["identifiers"][0]["value"] for paper in papers] == ["arXiv:2107.12292", "arXiv:2106.13112"]


def test_the_release_writes_the_repositorys_address():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 and later read TOML")
    text = text_of("pyproject.toml").replace(
        "[project.scripts]\n", ADDRESSES["urls"](HOME, "docs") + "[project.scripts]\n"
    )
    assert tomllib.loads(text)["project"]["urls"]["Homepage"] == HOME


def test_no_link_of_a_released_readme_needs_a_file_beside_it():
    text = ADDRESSES["absolute"](text_of("README.md"), HOME, "v1")
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
    assert len(found) > 20
    assert [link for link in found if not link.startswith("https://")] == []
    assert f"{HOME}/blob/v1/docs/blocks.md#cotattention" in found
    assert f"{HOME}/raw/v1/docs/figures/overview-dark.svg" in found


@pytest.mark.parametrize("form", ["bug", "question"])
def test_a_form_asks_for_the_checks_and_needs_them(form):
    fields = {field.get("id"): field for field in yaml.safe_load(text_of(f".github/ISSUE_TEMPLATE/{form}.yml"))["body"]}
    assert "yolo-cot checks" in fields["checks"]["attributes"]["label"]
    assert fields["checks"]["validations"]["required"]


@pytest.mark.parametrize("name", ["ci", "docs", "release", "weekly"])
def test_a_workflow_is_yaml_with_jobs(name):
    jobs = yaml.safe_load(text_of(f".github/workflows/{name}.yml"))["jobs"]
    assert all("runs-on" in job and job["steps"] for job in jobs.values())


def test_every_python_that_is_promised_is_tested_and_both_ends_of_the_dependencies_are():
    promised = re.findall(r"Python :: (3\.\d+)", text_of("pyproject.toml"))
    jobs = yaml.safe_load(text_of(".github/workflows/ci.yml"))["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == promised
    assert any("--resolution lowest-direct" in step.get("run", "") for step in jobs["lowest"]["steps"])
    weekly = yaml.safe_load(text_of(".github/workflows/weekly.yml"))["jobs"]
    assert any("install --pre" in step.get("run", "") for step in weekly["pre-releases"]["steps"])


def test_every_client_of_the_page_is_installed_by_a_job():
    tools = re.findall(r"<!-- needs (\w+) -->", text_of("docs/clients.md"))
    jobs = yaml.safe_load(text_of(".github/workflows/weekly.yml"))["jobs"]
    installed = " ".join(jobs["clients"]["strategy"]["matrix"]["tools"]).replace("-", "_").split()
    names = {"pytorch_grad_cam": "grad_cam"}
    assert {names.get(tool, tool) for tool in tools} - {"tensorboard"} == set(installed)


def test_publishing_waits_for_the_wheel_on_three_systems():
    jobs = yaml.safe_load(text_of(".github/workflows/release.yml"))["jobs"]
    assert jobs["publish"]["needs"] == "check"
    assert len(jobs["check"]["strategy"]["matrix"]["os"]) == 3
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
