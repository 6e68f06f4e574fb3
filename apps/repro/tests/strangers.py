"""Results as a stranger might hand them on, made by changing those of the toys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from repro import result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = (
    '<script>window.reached = 1</script>"><img src=x onerror="window.reached = 2">'
    "</script><script>window.reached = 3</script> ' {{ 7 * 7 }} <!-- javascript:"
)


def change(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Changes the `result.json` of a run."""
    path = folder / result.NAME
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def make_hostile(folder: Path) -> None:
    """Puts markup into every text of a result that the page may show."""

    def edit(content: dict[str, Any]) -> None:
        for name in ("title", "about", "sha256", "started", "finished"):
            content[name] = HOSTILE
        content["paper"] = dict.fromkeys(content["paper"], HOSTILE)
        for figure in content["figures"]:
            figure.update(key=HOSTILE + figure["key"], label=HOSTILE, unit=HOSTILE, cause=HOSTILE)
            if figure["paper"]:
                figure["paper"]["source"] = HOSTILE
        for picture in content["pictures"]:
            picture["caption"] = HOSTILE
        for scene in content["scenes"]:
            scene["caption"] = HOSTILE
        identity, environment = content["identity"], content["environment"]
        identity["experiment"] = HOSTILE
        identity["settings"] = {HOSTILE: HOSTILE}
        identity["device"] = HOSTILE
        for mapping in ("data", "packages"):
            identity[mapping] = {HOSTILE: HOSTILE}
        content["changed"] = [HOSTILE]
        for name in ("python", "platform", "cpu", "gpu", "commit"):
            environment[name] = HOSTILE
        for name in ("threads", "backends", "packages"):
            environment[name] = {HOSTILE: HOSTILE}

    change(folder, edit)
