"""What a declaration of a data set must say."""

from __future__ import annotations

import pytest
from failing_server import set_of, sha256

from repro.dataset import File


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checksum": "md5:" + "0" * 32}, "`checksum` of a must be sha256: or sha512:"),
        ({"checksum": "sha256:" + "0" * 63}, "`checksum` of a must be"),
        ({"checksum": "sha256:" + "A" * 64}, "in lower case"),
        ({"checksum": ""}, "`checksum` of a must be"),
        ({"urls": ()}, "`urls` of a is empty"),
        ({"name": "b/a"}, "`name` must be a bare file name; got 'b/a'"),
        ({"into": "../b"}, "`into` of a must stay within"),
        ({"into": "/b"}, "`into` of a must stay within"),
    ],
)
def test_a_file_that_cannot_be_checked_is_no_file(changes, message):
    with pytest.raises(ValueError, match=message):
        File(**({"name": "a", "urls": ("https://a.invalid/a",), "checksum": sha256(b"")} | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../a"}, "`name` must be of lower-case letters"),
        ({"licence": " "}, "`licence` of toy is empty: it is shown before anything is fetched"),
        ({"by_hand": ""}, "toy must have either `files` or `by_hand`"),
    ],
)
def test_a_set_says_what_it_is(changes, message):
    with pytest.raises(ValueError, match=message):
        set_of(**({"by_hand": "Write."} | changes))
