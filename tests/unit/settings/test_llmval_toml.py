"""`llmval.toml` is found, read and checked."""

from pathlib import Path

import pytest

from pytest_llmval.errors import SettingsError, nearest
from pytest_llmval.settings import Config, ModelSettings, find_config, read_config


@pytest.fixture
def toml(tmp_path):
    """A function that writes a settings file."""

    def write(text, name="llmval.toml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_same_weights_as_an_unknown_version(toml):
    """A claim about a version that is not there would turn gates on against nothing."""
    path = toml("[models.v1]\nmodel = 'm'\n[models.v2]\nmodel = 'm'\nsame_weights_as = 'v11'")

    with pytest.raises(SettingsError, match=r"\[models.v2\]: unknown same_weights_as 'v11'; did you mean 'v1'\?"):
        read_config(path)


def test_all_there_is(toml, tmp_path):
    """Each key arrives; paths of folders below the file are made absolute."""
    for folder in ("models/v1", "adapters/v2"):
        (tmp_path / folder).mkdir(parents=True)
    path = toml("""
        block = 8
        [models.v1]
        model = "models/v1"
        dtype = "bfloat16"
        revision = "main"
        adapter = "adapters/v2"
        quantization = "int8"
        device = "cpu"
        threads = 2
        same_weights_as = "owner/name"
        [models."owner/name"]
        model = "owner/name"
        [defaults]
        model = "v1"
        baseline = "owner/name"
        seed = 3
        [store]
        uri = "kept"
    """)

    config = read_config(path)

    assert config == Config(
        path=path,
        models={
            "v1": ModelSettings(
                name="v1",
                model=str(tmp_path / "models/v1"),
                dtype="bfloat16",
                revision="main",
                adapter=str(tmp_path / "adapters/v2"),
                quantization="int8",
                device="cpu",
                threads=2,
                same_weights_as="owner/name",
            ),
            "owner/name": ModelSettings(name="owner/name", model="owner/name"),
        },
        default_model="v1",
        default_baseline="owner/name",
        store=str(tmp_path / "kept"),
        block=8,
        seed=3,
    )
    assert config.folder == tmp_path


def test_an_empty_file_has_the_defaults(toml):
    """Every table may be left out."""
    config = read_config(toml(""))

    assert (dict(config.models), config.default_model, config.store, config.block, config.seed) == (
        {},
        None,
        None,
        32,
        0,
    )


def test_without_a_file_paths_start_at_the_working_folder(tmp_path):
    """That is where the store is put."""
    assert Config(working_folder=tmp_path).folder == tmp_path


def test_a_file_with_a_byte_order_mark(tmp_path):
    """Notepad writes one."""
    path = tmp_path / "llmval.toml"
    path.write_bytes(b"\xef\xbb\xbf[defaults]\nseed = 4\n")

    assert read_config(path).seed == 4


def test_pyproject(toml):
    """`[tool.llmval]` has the same tables."""
    path = toml('[project]\nname = "x"\n[tool.llmval.defaults]\nseed = 5\n', "pyproject.toml")

    assert read_config(path).seed == 5


def test_a_default_that_is_a_folder_starts_at_the_file(toml, tmp_path):
    """As all paths of the file do, wherever pytest is started."""
    (tmp_path / "models" / "v1").mkdir(parents=True)

    assert read_config(toml('[defaults]\nmodel = "models/v1"')).default_model == str(tmp_path / "models" / "v1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[models.v1", "{path}: not valid TOML: Expected ']' at the end of a table declaration"),
        ("[modles.v1]", "llmval.toml: unknown key 'modles'; did you mean 'models'?"),
        ("models = 3", "llmval.toml: models = 3; expected a table [models]"),
        ("[models]\nv1 = 3", 'llmval.toml [models.v1]: 3; expected a table with model = "…"'),
        ('[models.v1]\nmodell = "x"', "llmval.toml [models.v1]: unknown key 'modell'; did you mean 'model'?"),
        ('[models.v1]\nname = "x"', "llmval.toml [models.v1]: unknown key 'name'; "),
        ("[models.v1]\nmodel = 3", "llmval.toml [models.v1]: model = 3; expected text"),
        ("[models.v1]\nthreads = 0", "llmval.toml [models.v1]: threads = 0; expected a whole number of at least 1"),
        (
            "[models.v1]\nthreads = true",
            "llmval.toml [models.v1]: threads = True; expected a whole number of at least 1",
        ),
        (
            '[models.v1]\nserver = "transfomers"',
            "llmval.toml [models.v1]: unknown server 'transfomers'; did you mean 'transformers'?",
        ),
        ('[models.v1]\ndtype = "fp16"', "llmval.toml [models.v1]: unknown dtype 'fp16'; "),
        ('[defaults]\nmodell = "v1"', "llmval.toml [defaults]: unknown key 'modell'; did you mean 'model'?"),
        ("[defaults]\nmodel = 3", "llmval.toml [defaults]: model = 3; expected the name of a model version"),
        ('[defaults]\nbaseline = ""', "llmval.toml [defaults]: baseline = ''; expected the name of a model version"),
        ("[defaults]\nseed = -1", "llmval.toml: seed = -1; expected a whole number of at least 0"),
        ("block = 0", "llmval.toml: block = 0; expected a whole number of at least 1"),
        ("block = 1.5", "llmval.toml: block = 1.5; expected a whole number of at least 1"),
        ('store = ".llmval"', "llmval.toml: store = '.llmval'; expected a table [store]"),
        ('[store]\nurl = "x"', "llmval.toml [store]: unknown key 'url'; did you mean 'uri'?"),
        ("[store]\nuri = 3", "llmval.toml [store]: uri = 3; expected a folder"),
        ('[store]\nuri = "s3://bucket/x"', "llmval.toml [store]: uri = 's3://bucket/x'; expected a folder"),
    ],
)
def test_what_is_wrong_is_named(toml, text, message):
    """File, table, key, value and what would be right."""
    path = toml(text)

    with pytest.raises(SettingsError) as caught:
        read_config(path)

    assert str(caught.value).startswith(message.format(path=path))


def test_a_missing_file(tmp_path):
    """The option that named it is in the message."""
    path = tmp_path / "llmval.toml"

    with pytest.raises(SettingsError) as caught:
        read_config(path)

    assert str(caught.value) == f"--llmval-config {path}: no such file"


def test_a_file_that_is_not_utf8(tmp_path):
    """The file is named."""
    path = tmp_path / "llmval.toml"
    path.write_bytes(b"\xff\xfe[\x00")

    with pytest.raises(SettingsError, match=r"llmval\.toml: cannot be read: "):
        read_config(path)


def test_the_nearest_file_above_is_found(toml, tmp_path):
    """Upward from the first start, before the next start is looked at."""
    near, far = toml("", "suite/llmval.toml"), toml("", "other/llmval.toml")
    test = tmp_path / "suite" / "deep" / "test_faq.py"
    test.parent.mkdir()
    test.write_text("", encoding="utf-8")

    assert find_config([test, far.parent]) == near
    assert find_config([far.parent, test]) == far


def test_a_pyproject_counts_only_with_our_table(toml, tmp_path):
    """Another project's file further down is passed over."""
    above = toml("[tool.llmval]\n", "pyproject.toml")
    toml("[tool.ruff]\n", "suite/pyproject.toml")

    assert find_config([tmp_path / "suite"]) == above


def test_our_own_file_goes_before_pyproject(toml, tmp_path):
    """When both stand in one folder."""
    toml("[tool.llmval]\n", "pyproject.toml")

    assert find_config([toml("").parent]) == tmp_path / "llmval.toml"


def test_no_file_at_all():
    """The root has none."""
    assert find_config([Path("/")]) is None


def test_nearest():
    """A name far from all others is listed without a guess."""
    assert nearest("v22", ["v2", "v1"]) == "did you mean 'v2'? known: 'v1', 'v2'"
    assert nearest("zzz", ["v2", "v1"]) == "known: 'v1', 'v2'"
    assert nearest("v1", []) == "none is known"
