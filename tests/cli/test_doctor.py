"""``c2n doctor`` says what is well and what is not, quickly, and never shows the token."""

import json
import shutil
import time

import pytest
from cave_server import TOKEN, CaveServer
from click.testing import CliRunner

from connectome2net.cli import c2n
from connectome2net.errors import SourceError

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def empty_world(tmp_path, monkeypatch):
    for name in ("CAVE_TOKEN", "C2N_CAVE_SERVER", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("C2N_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("C2N_CAVE_SERVER", NOWHERE)
    monkeypatch.setattr("webbrowser.open", lambda *_: pytest.fail("a browser was opened"))


@pytest.fixture
def cave(monkeypatch):
    with CaveServer({"synapses_pni_2": None, "nucleus_detection_v0": None, "another": None}) as server:
        monkeypatch.setenv("C2N_CAVE_SERVER", server.address)
        monkeypatch.setenv("CAVE_TOKEN", TOKEN)
        yield server


def doctor(*words):
    done = CliRunner().invoke(c2n, ["doctor", "--json", *words], catch_exceptions=False)
    answer = json.loads(done.stdout)
    assert answer["well"] == (done.exit_code == 0)
    return done.exit_code, {row["name"]: (row["state"], row["text"]) for row in answer["findings"]}


def test_all_is_well(cave):
    code, findings = doctor("--source", "cave")
    assert code == 0
    names = ["python", "packages", "devices", "mkl", "kernel", "cache", "here", "token", "server", "version", "tables"]
    assert list(findings) == names
    assert {state for name, (state, _) in findings.items() if name not in ("mkl", "kernel", "cache", "here")} == {"ok"}
    assert findings["token"] == ("ok", "found in CAVE_TOKEN")
    assert findings["version"][1] == "1300 is there, the terms of use are accepted; it never expires"
    assert findings["tables"][1] == "3 tables, among them nucleus_detection_v0, synapses_pni_2"
    assert "torch 2" in findings["packages"][1]
    assert findings["devices"][1].startswith("cpu, ")
    assert "GB free" in findings["cache"][1]


def test_a_token_in_the_file_of_caveclient_is_found_and_not_shown(cave, tmp_path, monkeypatch):
    monkeypatch.delenv("CAVE_TOKEN")
    secrets = tmp_path / ".cloudvolume" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "cave-secret.json").write_text(json.dumps({"token": TOKEN}))
    done = CliRunner().invoke(c2n, ["doctor", "--source", "cave"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "found in CAVEclient's file (~/.cloudvolume/secrets/cave-secret.json)" in done.stdout
    assert TOKEN not in done.output


def test_a_file_of_caveclient_that_is_broken_is_said(tmp_path):
    secrets = tmp_path / ".cloudvolume" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "cave-secret.json").write_text("{")
    assert doctor("--source", "cave")[1]["token"][1].startswith("CAVEclient's token cannot be read\n")


@pytest.mark.parametrize("source", [(), ("--source", "cave")])
def test_without_a_token_cave_is_a_problem_only_to_who_asks_for_it(source):
    code, findings = doctor(*source)
    state, text = findings["token"]
    assert (code, state) == ((1, "problem") if source else (0, "warning"))
    assert text.startswith("there is no CAVE token\n")
    assert text.endswith("(needed for --source cave only)") == (not source)
    assert "server" not in findings


def test_without_a_network_it_is_quick(monkeypatch):
    monkeypatch.setenv("CAVE_TOKEN", TOKEN)
    started = time.perf_counter()
    code, findings = doctor()
    assert time.perf_counter() - started < 5
    assert code == 0
    assert findings["server"][0] == "warning"
    assert findings["server"][1].startswith("CAVE is not reached\n")


@pytest.mark.parametrize(
    ("wrong", "name", "text"),
    [
        ({"missing_terms": True}, "version", "the terms of use are not accepted\n"),
        ({"refuses": 10**9}, "version", "CAVE says that this account may not see these data\n"),
        ({"redirects": True}, "server", "this is no answer of CAVE\n"),
        ({"login_page": True}, "server", "this is no answer of CAVE\n"),
    ],
    ids=["terms", "permission", "login", "page"],
)
def test_what_the_server_refuses_is_a_problem(cave, wrong, name, text):
    for key, value in wrong.items():
        setattr(cave.wrong, key, value)
    code, findings = doctor("--source", "cave")
    assert (code, findings[name][0]) == (1, "problem")
    assert findings[name][1].startswith(text)


def test_a_wrong_token_version_or_datastack_is_a_problem(cave, monkeypatch):
    assert doctor("--source", "cave@1078")[1]["version"][1].startswith("this version has expired\n")
    assert doctor("--source", "cave:minnie66")[1]["server"][1].startswith("CAVE does not know this datastack\n")
    monkeypatch.setenv("CAVE_TOKEN", "0" * 32)
    code, findings = doctor("--source", "cave")
    assert (code, findings["server"][1].split("\n")[0]) == (1, "CAVE does not accept the token")


@pytest.mark.parametrize(
    ("expires", "state", "text"),
    [
        ("2026-01-01T07:10:00.000000", "warning", "it expires on 2026-01-01"),
        ("2099-01-01T07:10:00.000000", "ok", "it expires on 2099-01-01"),
        (None, "ok", "it never expires"),
    ],
)
def test_a_version_that_expires_soon_is_a_warning(cave, expires, state, text):
    cave.versions = {1300: expires}
    code, findings = doctor("--source", "cave")
    assert (code, findings["version"][0]) == (0, state)
    assert findings["version"][1].endswith(text)


def test_a_version_without_synapses_is_a_warning(cave):
    cave.tables = {"another": None}
    assert doctor("--source", "cave")[1]["tables"] == ("warning", "1 tables, among them none that c2n reads")


def test_a_disk_that_is_nearly_full_is_a_warning(monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=10**9))
    state, text = doctor()[1]["cache"]
    assert state == "warning"
    assert "1.0 GB free" in text
    assert "C2N_CACHE=DIR" in text


def test_a_cache_that_cannot_be_written_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("C2N_CACHE", str(tmp_path / "file"))
    code, findings = doctor()
    assert (code, findings["cache"][0]) == (1, "problem")


def test_a_package_that_does_not_fit_is_a_problem(monkeypatch):
    monkeypatch.setattr(
        "importlib.metadata.requires", lambda _: ["numpy>=99", "click", "nosuchthing>1", "x; extra == 'y'"]
    )
    code, findings = doctor()
    assert (code, findings["packages"][0]) == (1, "problem")
    assert findings["packages"][1].startswith("numpy is ")
    assert ", wanted >=99; nosuchthing is missing, wanted >1\n" in findings["packages"][1]


def test_a_machine_without_a_kernel_is_a_warning_with_its_reason(monkeypatch):
    monkeypatch.setattr("connectome2net.runtime.kernel.find_kernel", lambda: None)
    monkeypatch.setattr("connectome2net.runtime.kernel.kernel_problem", lambda: "there is no C compiler")
    state, text = doctor()[1]["kernel"]
    assert state == "warning"
    assert "there is no C compiler" in text


def test_torch_without_mkl_is_a_warning(monkeypatch):
    monkeypatch.setattr("torch.backends.mkl.is_available", lambda: False)
    assert doctor()[1]["mkl"][0] == "warning"


def test_another_source_is_refused():
    with pytest.raises(SourceError, match=r"doctor looks at CAVE only\n.*--source\n.*synthetic\n.*cave"):
        CliRunner().invoke(c2n, ["doctor", "--source", "synthetic"], catch_exceptions=False)


def test_lines_for_people(cave):
    lines = CliRunner().invoke(c2n, ["doctor"], catch_exceptions=False).stdout.splitlines()
    assert [line.split()[:2] for line in lines][-4:] == [["ok", n] for n in ("token", "server", "version", "tables")]
