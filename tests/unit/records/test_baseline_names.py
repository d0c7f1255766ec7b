"""Which version an option names when a model folder and a recorded baseline bear one name."""

import pytest

from pytest_llmval.errors import SettingsError
from pytest_llmval.records.baseline import MANIFEST
from pytest_llmval.records.baseline_names import recorded_baselines, resolve_baseline, resolve_candidate
from pytest_llmval.settings import Config


@pytest.fixture
def recorded(tmp_path):
    """A recorded baseline `v1`, found by its name."""
    folder = tmp_path / "baselines" / "v1"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text("{}", encoding="utf-8")
    return recorded_baselines(Config(working_folder=tmp_path), tmp_path / ".llmval")


def test_a_candidate_is_never_a_record(tmp_path, recorded):
    """Where nothing else bears the name, the message says what it is."""
    with pytest.raises(SettingsError, match=r"--model-version 'v1' is a recorded baseline, .* expected a model"):
        resolve_candidate("v1", Config(), tmp_path, "--model-version", recorded)


def test_a_model_folder_of_the_same_name_is_the_candidate(tmp_path, recorded):
    """A record of that name takes no model away; as a baseline the record goes first."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "config.json").write_text("{}", encoding="utf-8")

    candidate = resolve_candidate("v1", Config(), tmp_path, "--model-version", recorded)
    baseline = resolve_baseline("v1", Config(), tmp_path, "--baseline-version", recorded)

    assert (candidate.is_recorded, candidate.folder) == (False, (tmp_path / "v1").resolve())
    assert (baseline.is_recorded, baseline.folder) == (True, recorded["v1"])
