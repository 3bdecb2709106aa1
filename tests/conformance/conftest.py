"""Fixtures of every vendor's suite, and the rule that every test says which cell of CONFORMANCE.md it proves."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import operations, postgres
from support.process import Throng
from support.site import Site

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = 200
# Folders whose tests prove nothing that a vendor documents, and so no cell: what the server does by itself, what only the
# native API answers, and whether the tools of these suites can be believed.
WITHOUT_CELLS = {"server", "native", "tooling"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=("sqlite", "postgres"), default="sqlite", help="where the server keeps its data (sqlite)")


def pytest_configure() -> None:
    # The server inherits it: thousands of idle connections need as many descriptors on both sides.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16384 if hard == resource.RLIM_INFINITY else min(16384, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses a test that proves no cell or an unknown one, and writes its cells into the JUnit file for report.py."""
    known = operations.cells()
    for item in items:
        vendor = Path(item.path).parent.name
        markers = list(item.iter_markers("conformance"))
        if vendor in WITHOUT_CELLS:
            if markers:
                raise pytest.UsageError(f"{item.nodeid} is in {vendor}/, which proves no cells")
            continue
        if not markers:
            raise pytest.UsageError(f"{item.nodeid} has no @pytest.mark.conformance(operation=..., status=...)")
        for marker in markers:
            cell = (vendor, marker.kwargs["operation"], marker.kwargs["status"])
            if cell not in known:
                raise pytest.UsageError(f"{item.nodeid}: operations.toml has no {cell[1]} {cell[2]} for {vendor}")
            item.user_properties.append(("conformance", f"{cell[0]} {cell[1]} {cell[2]}"))


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    return request.config.getoption("--engine")


@pytest.fixture(scope="session")
def binary() -> Path:
    path = Path(os.environ.get("THRONG_BIN", ROOT / "target" / "release" / "throng"))
    if not path.exists():
        raise pytest.UsageError(f"no server to test at {path}: build it, or set THRONG_BIN")
    return path


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for this run, of a short name (a PostgreSQL socket lives in it), removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="throng-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def new_folder(scratch: Path) -> Callable[[], Path]:
    return lambda: Path(tempfile.mkdtemp(dir=scratch))


@pytest.fixture(scope="session")
def new_cluster(new_folder: Callable[[], Path]) -> Iterator[Callable[[], postgres.Cluster]]:
    """Makes a PostgreSQL of the test's own, one that it may stop and start again."""
    clusters: list[postgres.Cluster] = []

    def start() -> postgres.Cluster:
        cluster = postgres.Cluster(new_folder())
        clusters.append(cluster)
        return cluster.start()

    yield start
    for cluster in clusters:
        if cluster.running():
            cluster.stop()


@pytest.fixture(scope="session")
def postgres_url(engine: str, new_cluster: Callable[[], postgres.Cluster]) -> str | None:
    """The PostgreSQL that scripts/test started, else one of our own; none on SQLite."""
    if engine == "sqlite":
        return None
    return os.environ.get("THRONG_TEST_POSTGRES") or new_cluster().url


@pytest.fixture(scope="session")
def new_database(postgres_url: str | None) -> Iterator[Callable[[], list[str]]]:
    """Gives the arguments that put a server's data into a fresh database of the engine under test."""
    made: list[str] = []

    def create() -> list[str]:
        if postgres_url is None:
            return []
        made.append(postgres.create_database(postgres_url))
        return ["--database-url", made[-1]]

    yield create
    for database in made:
        postgres.drop_database(postgres_url, database)


@pytest.fixture(scope="session")
def launch(binary: Path, new_folder: Callable[[], Path], new_database: Callable[[], list[str]]) -> Iterator[Callable[..., Throng]]:
    """Starts a server with the arguments given and makes sure that it ends. `new_database` is here so that servers end first."""
    started: list[Throng] = []

    def start(*arguments: str) -> Throng:
        server = Throng(binary, new_folder(), arguments)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def demo(launch: Callable[..., Throng], new_folder: Callable[[], Path]) -> Callable[..., Throng]:
    """Starts a ready `throng demo`; `data` is its folder, a new one if not given."""

    def start(*arguments: str, data: Path | None = None) -> Throng:
        folder = data or new_folder()
        return launch("demo", "--json", "--people", str(PEOPLE), "--listen", "127.0.0.1:0", "--data", str(folder), *arguments).wait_for_json()

    return start


@pytest.fixture(scope="session")
def new_site(demo: Callable[..., Throng], launch: Callable[..., Throng], new_folder: Callable[[], Path], new_database: Callable[[], list[str]]) -> Callable[[], Site]:
    """A data folder that a demo has filled and left, for `throng serve` with the configuration of the test's own."""

    def fill() -> Site:
        data, database = new_folder(), new_database()
        filled = demo(*database, data=data)
        site = Site(launch, filled, data, database, new_folder())
        assert filled.terminate() == 0, filled.describe()
        return site

    return fill


@pytest.fixture(scope="session")
def server(demo: Callable[..., Throng], new_database: Callable[[], list[str]]) -> Iterator[Throng]:
    """The server that most tests share; it must end cleanly, whatever they did to it."""
    server = demo(*new_database())
    yield server
    assert server.terminate() == 0, f"SIGTERM did not end the server with 0\n{server.describe()}"
