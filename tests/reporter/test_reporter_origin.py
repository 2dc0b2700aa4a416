"""Commit, actor and job are read from CI, else from .git and the user's name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.reporter.stage import Home, Slipway, terraform_line

COMMIT = "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c"

CI = {
    "github": (
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": COMMIT,
            "GITHUB_ACTOR": "dana",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_REPOSITORY": "acme/infra",
            "GITHUB_RUN_ID": "42",
            "GITHUB_RUN_ATTEMPT": "2",
            "GITHUB_JOB": "deploy",
        },
        "https://github.example/acme/infra/actions/runs/42/attempts/2",
        "github-42-2-deploy-",
    ),
    "gitlab": (
        {
            "GITLAB_CI": "true",
            "CI_COMMIT_SHA": COMMIT,
            "GITLAB_USER_LOGIN": "dana",
            "CI_JOB_URL": "https://gitlab.example/acme/infra/-/jobs/9",
            "CI_PIPELINE_ID": "5",
            "CI_JOB_ID": "9",
            "CI_JOB_NAME": "deploy: prod",
        },
        "https://gitlab.example/acme/infra/-/jobs/9",
        "gitlab-5-9-deploy-prod-",
    ),
    "circleci": (
        {
            "CIRCLECI": "true",
            "CIRCLE_SHA1": COMMIT,
            "CIRCLE_USERNAME": "dana",
            "CIRCLE_BUILD_URL": "https://circleci.example/gh/acme/infra/7",
            "CIRCLE_WORKFLOW_ID": "w1",
            "CIRCLE_BUILD_NUM": "7",
            "CIRCLE_JOB": "deploy",
        },
        "https://circleci.example/gh/acme/infra/7",
        "circleci-w1-7-deploy-",
    ),
    "buildkite": (
        {
            "BUILDKITE": "true",
            "BUILDKITE_COMMIT": COMMIT,
            "BUILDKITE_BUILD_CREATOR": "dana",
            "BUILDKITE_BUILD_URL": "https://buildkite.example/acme/infra/builds/3",
            "BUILDKITE_JOB_ID": "j-1",
            "BUILDKITE_BUILD_ID": "b-1",
            "BUILDKITE_RETRY_COUNT": "1",
        },
        "https://buildkite.example/acme/infra/builds/3#j-1",
        "buildkite-b-1-1-j-1-",
    ),
    "jenkins": (
        {
            "JENKINS_URL": "https://jenkins.example/",
            "GIT_COMMIT": COMMIT,
            "BUILD_USER_ID": "dana",
            "BUILD_URL": "https://jenkins.example/job/infra/12/",
            "BUILD_TAG": "jenkins-infra-12",
            "EXECUTOR_NUMBER": "0",
        },
        "https://jenkins.example/job/infra/12/",
        "jenkins-jenkins-infra-12-0-",
    ),
}


@pytest.mark.parametrize("name", list(CI))
def test_it_reads_the_environment_of(name: str, home: Home, slipway: Slipway) -> None:
    environ, job_url, key = CI[name]
    home.environ.update(environ)
    del home.environ["LOGNAME"]
    home.run("terraform", stdin=terraform_line(0))
    query = slipway.batches()[0].query
    assert (query["commit"], query["actor"], query["job_url"]) == (COMMIT, "dana", job_url)
    assert query["run"].startswith(key)
    assert len(query["run"]) > len(key)


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Dana", "-c", "user.email=dana@example.com"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(home: Home) -> Path:
    git(home.folder, "init", "-q")
    git(home.folder, "commit", "-q", "--allow-empty", "-m", "First")
    return home.folder


def reported_commit(home: Home, slipway: Slipway) -> str | None:
    home.run("terraform", stdin=terraform_line(0))
    return slipway.batches()[-1].query.get("commit")


def test_it_finds_the_commit_on_disk(home: Home, slipway: Slipway, repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert reported_commit(home, slipway) == commit
    git(repository, "pack-refs", "--all")
    assert reported_commit(home, slipway) == commit
    git(repository, "checkout", "-q", "--detach")
    assert reported_commit(home, slipway) == commit
    (repository / "modules" / "a").mkdir(parents=True)
    assert reported_commit(Home(repository / "modules" / "a", home.environ), slipway) == commit


def test_it_finds_the_commit_of_a_worktree(home: Home, slipway: Slipway, repository: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "other", "../other")
    git(repository.parent / "other", "commit", "-q", "--allow-empty", "-m", "Second")
    commit = git(repository.parent / "other", "rev-parse", "HEAD")
    assert reported_commit(Home(repository.parent / "other", home.environ), slipway) == commit


def test_it_says_no_commit_where_there_is_none(home: Home, slipway: Slipway) -> None:
    (home.folder / ".git").mkdir()
    (home.folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert reported_commit(home, slipway) is None


def test_a_commit_that_ci_does_not_know_yet_is_read_from_disk(home: Home, slipway: Slipway, repository: Path) -> None:
    home.environ.update(BUILDKITE="true", BUILDKITE_COMMIT="HEAD")
    assert reported_commit(home, slipway) == git(repository, "rev-parse", "HEAD")


def test_it_writes_the_runs_link_into_the_job_summary(home: Home, slipway: Slipway, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# Deploy\n")
    home.environ.update(CI["github"][0], GITHUB_STEP_SUMMARY=str(summary))
    home.run("terraform", stdin=terraform_line(0))
    assert summary.read_text() == f"# Deploy\n[Slipway: terraform · prod]({slipway.url}/runs/run_1)\n\n"


def test_a_summary_that_cannot_be_written_is_no_trouble(home: Home, slipway: Slipway) -> None:
    home.environ.update(CI["github"][0], GITHUB_STEP_SUMMARY="/nowhere/at/all.md")
    assert home.run("terraform", stdin=terraform_line(0)).code == 0
    assert slipway.end() == "eof"
