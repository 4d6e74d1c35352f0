"""Tests that need torchvision and the largest PyTorch: `make test-models` runs them, `make test` leaves them out."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("open_clip") else ["test_*"]
