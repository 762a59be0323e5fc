#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""What `.ci/run` and `.github/workflows` run, session by session; `make` does the everyday ones without nox.

nox -s tests | lowest | docs | bench | package | sdist | coverage | workflows
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
# A build of PyTorch for CPUs is not to be had everywhere in every version: the lowest run is with this one.
TORCH = ("torch==2.13.0", "torchvision==0.28.0")
SIZE_LIMIT_MIB = 20


def pinned() -> tuple[str, ...]:
    """Return what installs the versions of constraints.txt; with CONSTRAINTS= (empty) the newest."""
    constraints = os.environ.get("CONSTRAINTS", "constraints.txt")
    return ("--constraint", constraints) if constraints else ()


def install(session: nox.Session, group: str, *wanted: str) -> None:
    """Install the package, not in editable form, and a group of what working on it takes."""
    session.install(*pinned(), "pip>=25.1")
    session.install(*pinned(), "--group", group, *wanted)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Style, types and every test, against the built wheel."""
    install(session, "dev", ".[all]")
    sources = ("src", "tests", "docs", "examples", "noxfile.py")
    session.run("ruff", "format", "--check", *sources)
    session.run("ruff", "check", *sources)
    session.run("codespell")
    session.run("mypy")
    session.run("pytest", "--numprocesses", "logical", *session.posargs)


@nox.session(python="3.11", default=False)
def lowest(session: nox.Session) -> None:
    """The tests with the lowest versions that pyproject.toml declares, PyTorch aside."""
    folder = Path(session.create_tmp())
    (folder / "override.txt").write_text("\n".join(TORCH))
    versions = folder / "lowest.txt"
    session.install("uv>=0.5", "pip>=25.1")
    session.run(
        "uv", "pip", "compile", "pyproject.toml", "--quiet", "--no-header",
        "--extra", "attacks", "--extra", "engines", "--extra", "metis",
        "--resolution", "lowest-direct", "--override", folder / "override.txt", "--output-file", versions,
    )  # fmt: skip
    session.install("--constraint", versions, ".[attacks,engines,metis]")
    session.install("--constraint", versions, "--group", "test")
    # Old versions warn of what newer ones changed: here that is no error.
    session.run("pytest", "--numprocesses", "logical", "--override-ini", "filterwarnings=", *session.posargs)


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """Build the site; every script of the gallery runs."""
    install(session, "docs", ".[all]")
    session.run("python", "-m", "sphinx", "-b", "html", "-E", "-W", "--keep-going", "-q", "docs", "docs/_build/html")


@nox.session(python="3.11", default=False)
def bench(session: nox.Session) -> None:
    """Measure the engines: about half an hour on a quiet machine, resumed where it stopped."""
    install(session, "bench", ".[all,giotto-ph]")
    session.run("python", "benchmarks/engines.py", *session.posargs)
    session.run("python", "benchmarks/install_size.py")


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Branch coverage of the whole suite, child processes included; from Python 3.14 on it costs little more time."""
    install(session, "coverage", ".[all]")
    session.run("coverage", "erase")
    # Under coverage, which ends them otherwise, a loader's lasting workers are found dead when the loader is forgotten.
    ignored = "ignore::pytest.PytestUnraisableExceptionWarning"
    session.run("coverage", "run", "-m", "pytest", "--numprocesses", "logical", "-W", ignored, *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")  # fails below the floor that pyproject.toml sets


def build(session: nox.Session) -> tuple[Path, Path]:
    """Build the wheel and the sdist in `dist/`, and return both."""
    made = Path("dist").resolve()
    shutil.rmtree(made, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", made, silent=True)
    (wheel,), (sdist,) = made.glob("*.whl"), made.glob("*.tar.gz")
    return wheel, sdist


@nox.session(python="3.11")
def package(session: nox.Session) -> None:
    """Build sdist and wheel, and check both."""
    install(session, "package")
    session.run("validate-pyproject", "pyproject.toml")
    session.run("pyroma", "--min", "8", ".")  # 10 needs an address of the project
    session.run("repo-review", ".")
    wheel, sdist = build(session)
    session.run("check-wheel-contents", wheel)
    session.run("twine", "check", "--strict", wheel, sdist)
    if sdist.stat().st_size > SIZE_LIMIT_MIB * 2**20:
        session.error(f"{sdist.name} is larger than {SIZE_LIMIT_MIB} MiB: what is bulky in it?")


@nox.session(python="3.11", default=False)
def sdist(session: nox.Session) -> None:
    """The sdist's own tests, unpacked in an empty folder, against the wheel."""
    install(session, "package")
    wheel, source = build(session)
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    folder.mkdir()
    session.run("tar", "--extract", "--file", source, "--directory", folder, external=True)
    session.chdir(folder / source.name.removesuffix(".tar.gz"))
    install(session, "test", f"{wheel}[all]")
    session.run("pytest", "--numprocesses", "logical", *session.posargs)


@nox.session(default=False)
def workflows(session: nox.Session) -> None:
    """Check the workflows for mistakes, and for what could be misused."""
    session.install("pip>=25.1")
    session.install("--group", "workflows")
    session.run("zizmor", "--offline", ".github")
    session.run("actionlint")


if __name__ == "__main__":
    nox.main()
