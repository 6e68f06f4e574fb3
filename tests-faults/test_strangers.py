"""Files from a stranger who means harm: none runs code, none writes or is read outside its folder."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from readers import CORPUS, READERS, Reader


def pickled(harm: Path) -> bytes:
    """A pickle that makes a file as soon as it is loaded, written by hand: no test needs `pickle` either."""
    code = f"open({str(harm)!r}, 'w').close()".encode()
    return b"cbuiltins\nexec\n(X" + len(code).to_bytes(4, "little") + code + b"tR."


def test_the_pickle_does_harm_where_it_is_loaded(tmp_path: Path) -> None:
    import pickle  # the only place: so that the other tests can fail

    pickle.loads(pickled(tmp_path / "harm"))
    assert (tmp_path / "harm").exists()


def torch_file(payload: bytes) -> bytes:
    """What `torch.save` writes, with another pickle in it."""
    target = io.BytesIO()
    with zipfile.ZipFile(CORPUS / "checkpoints" / "splinenet") as whole, zipfile.ZipFile(target, "w") as file:
        for name in whole.namelist():
            file.writestr(name, payload if name.endswith("data.pkl") else whole.read(name))
    return target.getvalue()


def array_file(payload: bytes) -> bytes:
    """An NPY file of one Python object."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + payload


def archive_of(names: list[str], member: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name in names:
            file.writestr(name, member)
    return target.getvalue()


def hostile(whole: Path, payload: bytes) -> list[bytes]:
    """The ways in which a pickle can stand in for a file."""
    data = whole.read_bytes()
    ways = [payload]
    if data[:6] == b"\x93NUMPY":
        ways.append(array_file(payload))
    elif data[:2] == b"PK":
        with zipfile.ZipFile(whole) as file:
            names = file.namelist()
        ways.append(archive_of(names, array_file(payload)))
        ways.append(torch_file(payload))
    elif data.startswith(b"implicit-seg checkpoint"):
        import hashlib

        contents = (payload, torch_file(payload))
        ways += [data[:26] + hashlib.sha256(x).hexdigest().encode() + b"\n" + x for x in contents]
    return ways


@pytest.mark.parametrize("name", READERS)
def test_no_file_runs_code(name: str, tmp_path: Path) -> None:
    reader: Reader = READERS[name]
    harm = tmp_path / "harm"
    tried = 0
    for whole in reader.inputs():
        files = [whole] if whole.is_file() else [path for path in sorted(whole.rglob("*")) if path.is_file()]
        for file in files:
            for content in hostile(file, pickled(harm)):
                place = tmp_path / str(tried)
                place.mkdir()
                path = Path((shutil.copytree if whole.is_dir() else shutil.copy)(whole, place / whole.name))
                (path / file.relative_to(whole) if whole.is_dir() else path).write_bytes(content)
                try:
                    reader.read(path)
                except Exception:
                    tried += 1
                else:
                    tried += 1
                assert not harm.exists(), f"{file.name} ran code"
    assert tried


@pytest.mark.parametrize("name", ["../../out.png", "/etc/out.png", "seed-0/../../out.png", "seed-0/link.png"])
def test_a_picture_outside_the_run_is_not_shown(name: str, tmp_path: Path) -> None:
    from repro import result
    from repro.errors import UserError

    runs = tmp_path / "results"
    shutil.copytree(CORPUS / "results", runs)
    run = runs / "toy.walk" / "run"
    shutil.copy(run / "seed-0" / "pictures" / "w.dark.png", tmp_path / "out.png")
    shutil.copy(tmp_path / "out.png", runs / "toy.walk" / "out.png")
    (run / "seed-0" / "link.png").symlink_to(tmp_path / "out.png")
    content = json.loads((run / "result.json").read_text())
    content["pictures"][0]["light"] = name
    (run / "result.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"lies outside its folder\. Move"):
        result.read(run)


def test_what_a_result_says_is_shown_as_text(tmp_path: Path) -> None:
    from repro import report

    runs = tmp_path / "results"
    shutil.copytree(CORPUS / "results", runs)
    path = runs / "toy.walk" / "run" / "result.json"
    attack = "<script>alert(1)</script>\"'{{ 7 * 7 }}"
    content = json.loads(path.read_text())
    content["title"] = content["about"] = attack
    content["paper"] |= {"authors": attack, "title": attack, "venue": attack}
    content["figures"][0] |= {"label": attack, "unit": attack, "cause": attack}
    content["pictures"][0]["caption"] = attack
    content["environment"]["cpu"] = attack
    path.write_text(json.dumps(content))
    report.write(runs, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    "name", ["../out", "/tmp/out-of-folder", "a/../../out", "..\\out", "C:out", "a/b\\..\\out"]
)
def test_an_archive_writes_nowhere_else(name: str, tmp_path: Path) -> None:
    from repro.errors import DataError
    from repro.unpack import unpack

    (tmp_path / "set.zip").write_bytes(archive_of(["images/a.png", name], b"a"))
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="would write outside its folder"):
        unpack(tmp_path / "set.zip", tmp_path / "in")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "set.zip"]
    assert not list((tmp_path / "in").iterdir())


def test_a_mesh_opens_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fuzzy_metaballs._command.inputs import read_mesh

    (tmp_path / "box.obj").write_text("mtllib ../secret.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (tmp_path.parent / "secret.mtl").write_text("newmtl m\nmap_Kd ../../secret.png\n")
    opened: list[str] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or read_bytes(path))
    vertices, faces = read_mesh(tmp_path / "box.obj")
    assert opened == ["box.obj"]
    assert np.array_equal(faces, [[0, 1, 2]])
    assert len(vertices) == 3
