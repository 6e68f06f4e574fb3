from __future__ import annotations

import numpy as np
import pytest

from repro.arrays import kept_arrays, load_arrays, save_arrays


def test_what_was_kept_is_not_made_again(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(3), "b": np.eye(2, dtype=bool)}

    for _ in range(2):
        arrays = kept_arrays(tmp_path / "a.npz", make)
        assert arrays["a"].tolist() == [0, 1, 2]
        assert arrays["b"].dtype == bool
    assert made == [1]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert load_arrays(tmp_path / "a.npz") is None
    save_arrays(tmp_path / "a.npz", {"a": np.arange(1000)})
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:50])
    with pytest.raises(ValueError, match=r"a\.npz cannot be read .*Delete it"):
        load_arrays(tmp_path / "a.npz")
