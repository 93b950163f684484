"""The manifests in docs: valid for Kubernetes, and what they start is understood by our own command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from simulator.cli import build
from simulator.engine.health import RESERVE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "examples" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
#: The oldest Kubernetes that has everything in them, and the newest that the schemas are there for.
VERSIONS = ("1.33", kubernetes_validate.latest_version())


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text("utf-8")))


def test_there_are_manifests() -> None:
    assert [file.name for file in FILES] == ["dask.yaml", "indexed-job.yaml"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_schema(file: Path, version: str) -> None:
    for document in documents(file):
        kubernetes_validate.validate(document, version, strict=True)


def test_the_schema_is_strict() -> None:
    (job,) = documents(FOLDER / "indexed-job.yaml")
    job["spec"]["completionsMode"] = "Indexed"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, VERSIONS[-1], strict=True)


class TestIndexedJob:
    @pytest.fixture
    def spec(self) -> dict[str, Any]:
        (job,) = documents(FOLDER / "indexed-job.yaml")
        found: dict[str, Any] = job["spec"]
        return found

    def test_each_shard_once_and_all_at_once(self, spec: dict[str, Any]) -> None:
        assert spec["completionMode"] == "Indexed"
        assert spec["completions"] == spec["parallelism"] == 56
        assert spec["podReplacementPolicy"] == "Failed", "no station is connected twice"

    def test_command_is_one_that_we_have(self, spec: dict[str, Any]) -> None:
        (container,) = spec["template"]["spec"]["containers"]
        variables = {one["name"]: one["value"] for one in container["env"]} | {"JOB_COMPLETION_INDEX": "7"}
        line = re.sub(r"\$(\w+)", lambda found: variables[found[1]], container["args"][0])
        words = shlex.split(line)
        assert words[:3] == ["exec", "simulator", "run"]
        command: Any = build()
        run = command.commands["run"]
        values = run.make_context("run", words[3:]).params
        assert values["shard"] == f"7/{spec['completions']}"
        assert values["anchor"] == variables["ANCHOR"]
        assert values["ledger"] == "/ledgers/7.ledger"

    def test_degraded_shard_is_not_played_again(self, spec: dict[str, Any]) -> None:
        (rule,) = spec["podFailurePolicy"]["rules"]
        assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailIndex", [2, 3])
        assert spec["template"]["spec"]["restartPolicy"] == "Never", "podFailurePolicy asks for it"


def test_a_million_stations_fit(tmp_path: Path) -> None:
    """The sums of the page: stations of a shard against the ports of a pod's address, and descriptors."""
    (job,) = documents(FOLDER / "indexed-job.yaml")
    each = -(-1_000_000 // job["spec"]["completions"])
    assert each < 18_000
    assert each < 60_999 - 32_768 + 1
    assert each + RESERVE < 20_000
