"""How the embedded server's memory settings follow from the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmdb.server.layout import Layout
from mmdb.server.settings import MEGABYTE, STANDING_SETTINGS, fitting_settings, settings_for

GIGABYTE = 1024 * MEGABYTE


def megabytes(value: str) -> int:
    assert value.endswith("MB")
    return int(value[:-2])


@pytest.mark.parametrize(
    "memory, shared_buffers, maintenance",
    [
        (256 * MEGABYTE, 32, 64),
        (1 * GIGABYTE, 128, 128),
        (8 * GIGABYTE, 1024, 1024),
        (16 * GIGABYTE, 2048, 2048),
        (512 * GIGABYTE, 2048, 2048),
    ],
)
def test_an_eighth_of_the_memory_within_bounds(memory: int, shared_buffers: int, maintenance: int) -> None:
    found = settings_for(memory=memory, shared_memory=None, cores=4)
    assert megabytes(found["shared_buffers"]) == shared_buffers
    assert megabytes(found["maintenance_work_mem"]) == maintenance
    assert megabytes(found["effective_cache_size"]) == memory // 2 // MEGABYTE


def test_small_shared_memory_is_gone_around() -> None:
    """/dev/shm has 64 MB in a container by default, and a parallel index build needs more."""
    docker = settings_for(memory=8 * GIGABYTE, shared_memory=64 * MEGABYTE, cores=4)
    assert docker["dynamic_shared_memory_type"] == "sysv"
    roomy = settings_for(memory=8 * GIGABYTE, shared_memory=4 * GIGABYTE, cores=4)
    assert roomy["dynamic_shared_memory_type"] == "posix"


@pytest.mark.parametrize("cores, workers", [(1, "0"), (2, "1"), (8, "7"), (64, "7")])
def test_index_builds_leave_a_core(cores: int, workers: str) -> None:
    found = settings_for(memory=GIGABYTE, shared_memory=None, cores=cores)
    assert found["max_parallel_maintenance_workers"] == workers


def test_this_machine_fits_into_its_own_memory() -> None:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = fitting_settings()
    total = megabytes(found["shared_buffers"]) + megabytes(found["maintenance_work_mem"])
    assert total * MEGABYTE <= max(physical // 2, 96 * MEGABYTE)


def test_durability_is_not_left_to_defaults() -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        assert STANDING_SETTINGS[name] == "on"


@pytest.mark.parametrize(
    "home, there", [("/h", True), ("/" + "long/" * 30, False), ("/one,two", False), ("/猫" * 30, False)]
)
def test_socket_only_where_libpq_can_name_it(home: str, there: bool) -> None:
    layout = Layout(Path(home))
    assert layout.socket_directory(23456) == (layout.sockets if there else None)
