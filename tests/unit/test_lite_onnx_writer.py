"""What `onnx_writer` writes, onnxruntime runs, with the result that numpy gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from mmdb.models.embed.lite.onnx_writer import Graph, value_info

CHANCE = np.random.default_rng(0)


def run(model: bytes, **given: Any) -> list[Any]:
    results: list[Any] = onnxruntime.InferenceSession(model).run(None, given)
    return results


def test_constants_float_and_integer_attributes() -> None:
    weights = CHANCE.standard_normal((3, 4)).astype(np.float32)
    bias = CHANCE.standard_normal(3).astype(np.float32)
    graph = Graph()
    constants = [graph.constant("weights", weights), graph.constant("bias", bias)]
    product = graph.add("Gemm", ["x", *constants], "product", transB=1, alpha=0.5, beta=2.0)
    graph.add("Clip", [product, graph.constant("zero", np.asarray(0, np.float32))], "y")
    model = graph.model(value_info("x", "float32", ["n", 4]), [value_info("y", "float32", ["n", 3])])

    x = CHANCE.standard_normal((5, 4)).astype(np.float32)
    expected = np.maximum(0.5 * x @ weights.T + 2 * bias, 0)
    np.testing.assert_allclose(run(model, x=x)[0], expected, rtol=1e-5, atol=1e-6)


def test_lists_of_integers_negative_numbers_and_two_outputs() -> None:
    graph = Graph()
    floats = graph.add("Cast", ["x"], "floats", to=1)
    graph.add("Transpose", [floats], "turned", perm=[0, 2, 1])
    graph.add("Softmax", [floats], "shares", axis=-1)
    model = graph.model(
        value_info("x", "uint8", ["n", 2, 3]),
        [value_info("turned", "float32", ["n", 3, 2]), value_info("shares", "float32", ["n", 2, 3])],
    )
    x = CHANCE.integers(0, 9, (4, 2, 3), dtype=np.uint8)
    turned, shares = run(model, x=x)
    np.testing.assert_array_equal(turned, x.transpose(0, 2, 1))
    raised = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(shares, raised / raised.sum(axis=-1, keepdims=True), rtol=1e-5)


def test_an_array_of_another_order_in_memory_is_written_as_it_reads() -> None:
    table = np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3))
    graph = Graph()
    graph.add("Add", ["x", graph.constant("table", table)], "y")
    model = graph.model(value_info("x", "int64", [2, 3]), [value_info("y", "int64", [2, 3])])
    np.testing.assert_array_equal(run(model, x=np.zeros((2, 3), np.int64))[0], table)


def test_an_element_type_that_it_cannot_write_is_an_error() -> None:
    with pytest.raises(KeyError, match="float64"):
        Graph().constant("wide", np.zeros(1, np.float64))
