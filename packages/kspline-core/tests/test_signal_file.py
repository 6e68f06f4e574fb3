"""Reading signals: every kind of file, and every kind of broken file."""

from __future__ import annotations

import contextlib
import io
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kspline_core._signal_file import READERS, read_table


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def wav(frames, channels=1, width=2, rate=8000):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as recording:
        recording.setnchannels(channels)
        recording.setsampwidth(width)
        recording.setframerate(rate)
        recording.writeframes(frames)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "text", "names", "columns"),
    [
        ("a.csv", "1\n2.5\n-3e2\n", ("0",), [[1, 2.5, -300]]),
        (
            "a.csv",
            "\ufefftime,pressure\n0,1.5\n1,\n2,NA\n",
            ("time", "pressure"),
            [[0, 1, 2], [1.5, np.nan, np.nan]],
        ),
        ("a.csv", "# made by hand\n\nt;p\r\n0;1\r\n1;2\r\n", ("t", "p"), [[0, 1], [1, 2]]),
        ("a.tsv", "1\t2\n3\t4", ("0", "1"), [[1, 3], [2, 4]]),
        ("a.txt", "  1   2\n3 4\n", ("0", "1"), [[1, 3], [2, 4]]),
        ("a.csv", '"a, b",c\n1,2\n', ("a, b", "c"), [[1], [2]]),
    ],
)
def test_text(tmp_path, name, text, names, columns):
    table = read_table(write(tmp_path, name, text))
    assert table.names == names
    np.testing.assert_array_equal(table.columns, columns)


def test_columns_by_name_by_number_or_alone(tmp_path):
    table = read_table(write(tmp_path, "a.csv", "t,p\n0,5\n1,6\n"))
    np.testing.assert_array_equal(table.column("p"), [5, 6])
    np.testing.assert_array_equal(table.column("0"), [0, 1])
    with pytest.raises(ValueError, match=r"there are 2 columns: t, p\. Choose one: --column NAME"):
        table.column(None)
    with pytest.raises(ValueError, match=r"there is no column 'q'\. There are: t, p"):
        table.column("q")


def test_arrays(tmp_path):
    y = np.arange(6, dtype=np.int16)
    np.testing.assert_array_equal(read_table(write(tmp_path, "a.npy", npy(y))).columns, [y])
    table = read_table(write(tmp_path, "b.npy", npy(y.reshape(3, 2, order="F"))))
    np.testing.assert_array_equal(table.columns, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sound_is_scaled_to_one_whatever_its_width(tmp_path, width):
    top = 2 ** (8 * width - 1)
    samples = [[0, -top], [top // 2, top - 1]]  # (frames, channels)
    offset = 128 if width == 1 else 0
    frames = b"".join(
        (value + offset).to_bytes(width, "little", signed=width > 1) for frame in samples for value in frame
    )
    table = read_table(write(tmp_path, "a.wav", wav(frames, 2, width)))
    np.testing.assert_array_equal(table.columns, [[0, 0.5], [-1, (top - 1) / top]])
    assert table.rate == 8000


class Trap:
    """What a stranger's pickle would run."""

    def __reduce__(self):
        return exit, ()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", "", r"a\.xlsx: the name must end in one of \.csv, .*; got '\.xlsx'"),
        ("a.csv", "", r"a\.csv: there are no samples in it"),
        ("a.csv", "t,p\n", r"a\.csv: there are no samples in it"),
        ("a.csv", "1\n2\nthree\n", r"a\.csv: line 3, column 0: 'three' is no number. Repair it, or leave"),
        ("a.csv", "t,p\n1,2\n3\n", r"a\.csv: line 3 has 1 columns, the first line 2"),
        ("a.csv", "1;2\n3,5;4\n", r"line 2, column 0: '3,5' is no number"),
        ("a.csv", b"1\n\xff\xfe2\n", r"a\.csv: byte 2 is no UTF-8. Save the file as UTF-8 text"),
        ("a.csv", b"1\n\x002\n", r"a\.csv: byte 2 is zero, so this is no text"),
        ("a.csv", "1,2\n3," + "4" * 200_000, r"a\.csv: line 2: field larger than field limit .*Repair it"),
        ("a.npy", b"nothing", r"a\.npy: it is no whole NPY file"),
        ("a.npy", npy(np.arange(100.0))[:-8], r"a\.npy: it is no whole NPY file"),
        ("a.npy", npy(np.array([Trap()]), allow_pickle=True), r"a\.npy: it is no whole NPY file"),
        ("a.npy", npy(np.zeros(3, complex)), "it must hold one array of real numbers"),
        ("a.npy", npy(np.zeros((2, 2, 2))), r"its shape must be \(n,\) or \(n, columns\); got \(2, 2, 2\)"),
        ("a.npy", npy(np.zeros(0)), "there are no samples in it"),
        ("a.wav", b"RIFF", r"a\.wav: it is no whole WAV file"),
        ("a.wav", wav(b"\0" * 100)[:-10], r"a\.wav: it ends early: 90 of 100 bytes of sound"),
        ("a.wav", wav(b""), "there are no samples in it"),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, name, content))


SEEDS = {
    ".csv": b"time,pressure\n0,1.5\n1,\n2,-3e8\n",
    ".npy": npy(np.arange(12.0).reshape(6, 2)),
    ".wav": wav(bytes(range(64)), 2),
}


@pytest.mark.parametrize("kind", SEEDS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_torn_and_shuffled_files_end_in_a_table_or_a_clear_word(kind, data):
    content = bytearray(SEEDS[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        match data.draw(st.sampled_from(["cut", "byte", "insert", "repeat", "huge"])):
            case "cut":
                del content[place:]
            case "byte":
                content[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "insert":
                content[place:place] = data.draw(st.binary(max_size=8))
            case "repeat":
                content[place:place] = content[max(0, place - 20) : place]
            case "huge":
                content[place : place + 4] = b"9999" if kind != ".wav" else b"\xff\xff\xff\x7f"
    with contextlib.suppress(ValueError):  # the only way to refuse; anything else fails the test
        table = READERS[kind](bytes(content))
        assert table.columns.dtype == np.float64
        assert table.columns.shape[0] == len(table.names)
