"""What the tests of a worker's stages share."""

from __future__ import annotations

from uuid import UUID

from mmdb.worker.values import Task

NOTES = Task(1, UUID(int=1), "notes", "txt", "text", False, "public", True, ["txt"], None, None)
"""An embedding of the column `txt` of a table `notes`."""
