"""Damaged files: each is refused with a clear ValueError, or read as a spline that keeps every rule.

`NURBS_FUZZ_CASES` sets the number of cases for each format; 60 unless told.
"""

from __future__ import annotations

import os
import re
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from cad_cases import cad_splines

from nurbs_diff import Curve, Surface, TriangleMesh, uniform_knots
from nurbs_diff.files import read, read_points, write
from nurbs_diff.files._contents import Contents

CASES = int(os.environ.get("NURBS_FUZZ_CASES", "60"))
DATA = Path(__file__).parent / "data"
NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[EeDd][-+]?\d+)?")
HOSTILE = (
    b"1000000000", b"-1", b"0", b"-3", b"nan", b"NaN", b"inf", b"-Infinity", b"1e999", b"1.E999", b"", b"x",
    b"9" * 5000, b"1e308", b"-1e308", b"5e-324", b"#1", b"$", b"null", b"true", b"[]", b"{}", b"1_0", b"\xff",
    b"\0", b"''",
)  # fmt: skip


def small() -> tuple[Curve, Surface]:
    net = torch.arange(12, dtype=torch.float64).reshape(2, 2, 3) / 7
    knots = uniform_knots(2, degree=1)
    return Curve(net[0], knots), Surface(
        net, knots, knots, torch.tensor([[1.0, 2], [3, 4]], dtype=torch.float64)
    )


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """Whole files by ending: small ones, all kinds of splines, OpenCASCADE's; clouds."""
    folder = tmp_path_factory.mktemp("whole")
    found: dict[str, list[bytes]] = {}

    def add(ending: str, *shapes: Curve | Surface | TriangleMesh) -> None:
        write(folder / f"a{ending}", *shapes)
        found.setdefault(ending, []).append((folder / f"a{ending}").read_bytes())

    for ending in (".step", ".iges"):
        add(ending, *small())
        add(ending, *cad_splines())
        found[ending].append((DATA / f"opencascade{ending}").read_bytes())
    for ending in (".json", ".smesh"):
        add(ending, small()[1])
        add(ending, cad_splines()[-1])
    add(".json", *cad_splines()[:3])
    mesh = TriangleMesh(torch.rand(6, 3), torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.rand(6, 2))
    add(".ply", mesh)
    add(".obj", mesh)
    text = b"ply\nformat ascii 1.0\nelement vertex 2\n" + b"".join(b"property float %c\n" % x for x in b"xyz")
    found[".ply"].append(text + b"end_header\n1 2 3\n4 5 6\n")
    found[".xyz"] = [b"# cloud\n1 2 3\n4.5 6e-7 -8\n9 10 11\n"]
    np.save(folder / "a.npy", np.arange(12.0).reshape(4, 3))
    found[".npy"] = [(folder / "a.npy").read_bytes()]
    return found


def damaged(rng: np.random.Generator, data: bytes) -> bytes:
    kind = rng.integers(8)
    if kind == 0:
        return data[: rng.integers(len(data))]
    if kind in (1, 2):
        lines = data.splitlines(keepends=True)
        if kind == 1:  # shuffled in a stretch, or altogether
            start = int(rng.integers(len(lines)))
            stop = len(lines) if rng.random() < 0.3 else start + int(rng.integers(2, 6))
            part = lines[start:stop]
            rng.shuffle(part)
            lines[start:stop] = part
        else:  # one lost or doubled
            i = int(rng.integers(len(lines)))
            lines[i : i + 1] = [lines[i]] * int(rng.choice([0, 2]))
        return b"".join(lines)
    numbers = list(NUMBER.finditer(data))
    if kind in (3, 4):  # a number or two replaced
        for _ in range(int(rng.integers(1, 3))):
            match = numbers[rng.integers(len(numbers))]
            word = HOSTILE[rng.integers(len(HOSTILE))]
            data = data[: match.start()] + word + data[match.end() :]
        return data
    if kind == 5:  # two neighbours exchanged
        i = int(rng.integers(max(len(numbers) - 1, 1)))
        a, b = numbers[i], numbers[min(i + 1, len(numbers) - 1)]
        return data[: a.start()] + b[0] + data[a.end() : b.start()] + a[0] + data[b.end() :]
    place = int(rng.integers(len(data)))
    if kind == 6:
        nest = bytes([rng.choice(list(b"([{'\"/*,;"))]) * int(rng.choice([1, 100_000]))
        return data[:place] + nest + data[place:]
    mutable = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 9)):
        mutable[place] = rng.integers(256)
    return bytes(mutable)


def assert_whole(contents: Contents, folder: Path) -> None:
    """What was read keeps all the rules: it can be written, and is read again as the same."""
    for spline in contents.splines:
        assert all(x is None or bool(torch.isfinite(x).all()) for x in spline)
        write(folder / "again.json", spline)
        for x, y in zip(read(folder / "again.json").only(), spline, strict=True):
            assert (x is None and y is None) or torch.equal(x, y)


def outcome(path: Path, data: bytes) -> str:
    """How a damaged file ends: "read", or the message; anything else fails."""
    path.write_bytes(data)
    try:
        if path.suffix in (".ply", ".obj", ".xyz", ".npy"):
            points = read_points(path)
            assert points.numel() > 0
            assert bool(torch.isfinite(points).all())
        else:
            assert_whole(read(path), path.parent)
    except ValueError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        assert len(message) < len(str(path)) + 2000
        return message
    return "read"


@pytest.mark.parametrize("ending", [".step", ".iges", ".json", ".smesh", ".ply", ".obj", ".xyz", ".npy"])
def test_damaged_files(ending: str, originals: dict[str, list[bytes]], tmp_path: Path) -> None:
    rng = np.random.default_rng(20240817)
    outcomes: Counter[str] = Counter()
    for case in range(CASES):
        whole = originals[ending]
        which = len(whole) - 1 if case % 6 == 5 else case % max(len(whole) - 1, 1)  # the last is the largest
        data = damaged(rng, whole[which])
        outcomes["read" if outcome(tmp_path / f"a{ending}", data) == "read" else "refused"] += 1
    print(ending, dict(outcomes))
    assert outcomes["refused"] > CASES / 10


@pytest.mark.parametrize("ending", [".step", ".iges", ".json", ".smesh"])
def test_a_file_cut_off_anywhere_is_refused_or_whole(
    ending: str, originals: dict[str, list[bytes]], tmp_path: Path
) -> None:
    """At each place of a small file: the same numbers, or a message."""
    data = originals[ending][0]
    path = tmp_path / f"a{ending}"
    path.write_bytes(data)
    wanted = read(path)
    whole = 0
    # Up to the last line every place of a stride that is prime to the length of lines; then every place.
    last = data.rstrip().rfind(b"\n")
    for stop in [*range(0, last, 1 if CASES > 1000 else 7), *range(last, len(data))]:
        if outcome(path, data[:stop]) == "read":
            whole += 1
            for x, y in zip(read(path).splines, wanted.splines, strict=True):
                assert all(a is b is None or torch.equal(a, b) for a, b in zip(x, y, strict=True)), stop
    assert whole <= 60  # what stands behind the last number


@pytest.mark.parametrize(
    ("ending", "change", "message"),
    [
        (
            ".step",
            (b"WITH_KNOTS('',1,", b"WITH_KNOTS('',1000000000,"),
            r"line 11, #4: degree 1000000000 does not go with 2",
        ),
        (
            ".step",
            (b",(2,2),(0.", b",(1000000000,2),(0."),
            r"#4: the multiplicities must .* sum up to 4, .*got 1000000002",
        ),
        (
            ".step",
            (b"#5=CART", b"#1000000000=CART"),
            r"#9: the control point #5 is missing. Repair the file",
        ),
        (
            ".iges",
            (b"126,1,1,0,0,1,0,0.0,0.0,1.0,1.0,", b"126,1000000000,1,0,0,1,0,0.0,   "),
            r"entity 126 at D1: 1000000001 control points need 5000000015 para",
        ),
        (
            ".iges",
            (b"       0       0       3       0", b"       0       099999999       0"),
            r"entity 126 at D1: its parameters should stand in lines P1 to P99999999; there are",
        ),
        (
            ".json",
            (b'"size_u": 2', b'"size_u": 1000000000'),
            r"shape.data\[0\]: 1000000000 control points of degree 1 need",
        ),
        (
            ".json",
            (b'"degree_u": 1', b'"degree_u": 1000000000'),
            r"degree 1000000000 needs at least 1000000001 control",
        ),
        (
            ".smesh",
            (b"\n2 2\n", b"\n1000000000 1000000000\n"),
            r"line 3 announces 1000000000 x 1000000000 control points; 5",
        ),
        (
            ".smesh",
            (b"\n1 1\n", b"\n1000000000 1\n"),
            r"degree 1000000000 needs at least 1000000001 control points",
        ),
        (
            ".ply",
            (b"vertex 6", b"vertex 1000000000"),
            r"its header promises 40000000000 bytes of vertices, 266 are there",
        ),
        (
            ".npy",
            (b"(4, 3)", b"(1000000000, 3)"),
            r"its header promises 24000000000 bytes of numbers, \d+ are there",
        ),
    ],
)
def test_huge_counts_take_no_memory(
    ending: str, change: tuple[bytes, bytes], message: str, originals: dict[str, list[bytes]], tmp_path: Path
) -> None:
    data = originals[ending][0]
    assert change[0] in data
    tracemalloc.start()
    try:
        said = outcome(tmp_path / f"a{ending}", data.replace(*change, 1))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert re.search(message, said), said
    assert peak < 5e6
