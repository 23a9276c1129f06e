import subprocess
import sys

import pytest

from connectome2net.errors import DataError
from connectome2net.tasks import open_dataset


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("C2N_DATA", raising=False)


@pytest.mark.usefixtures("nowhere")
def test_without_data_the_error_says_in_which_forms_they_may_come():
    with pytest.raises(DataError) as error:
        open_dataset(None)
    assert str(error.value) == (
        "there are no images to learn from\n"
        "  found:  no --data, no fer2013.csv here, no C2N_DATA\n"
        "  wanted: fer2013.csv (emotion,pixels,Usage), icml_face_data.csv, the parquet table, "
        "a folder with train/CLASS/*.png and test/CLASS/*.png, or any folder of class folders\n"
        "  fix:    give --data PATH, or --data synthetic for built-in drawn faces"
    )


@pytest.mark.usefixtures("nowhere")
def test_data_that_do_not_exist_are_an_error():
    with pytest.raises(DataError, match=r"these data do not exist\n  where:  other.csv(.|\n)*--data synthetic"):
        open_dataset("other.csv")


@pytest.mark.usefixtures("nowhere")
def test_fer2013_here_comes_before_the_environment(four_forms, tmp_path, monkeypatch):
    monkeypatch.setenv("C2N_DATA", str(four_forms["folder"]))
    assert open_dataset(None).name == "folder"
    (tmp_path / "fer2013.csv").write_bytes(four_forms["challenge"].read_bytes())
    assert open_dataset(None).name == "fer2013"


def test_opening_images_does_not_import_torch(four_forms):
    code = (
        "import sys; from connectome2net.tasks import open_dataset; from connectome2net.tasks.faces import faces; "
        "from connectome2net.tasks.augmentation import Augmentation; Augmentation(); "
        f"open_dataset({str(four_forms['folder'])!r}); faces(train=8, validation=8, test=8); "
        "sys.exit(bool({'torch', 'kornia', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
