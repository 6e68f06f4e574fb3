"""What it means that a ray meets a component."""

from typing import Literal

Intersection = Literal["linear"]
