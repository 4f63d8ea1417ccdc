"""Splits never tear a group apart."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpgs.training.datasets import Dataset, Sample
from fastpgs.training.splits import (
    LeakageError,
    check_disjoint,
    folds_csv,
    group_folds,
    official_folds,
    split_once,
)


def dataset(sizes, parts=None):
    """sizes: {(class, group): images}."""
    samples = []
    for (kind, group), n in sizes.items():
        label = int(kind != "normal")
        part = parts[group] if parts else ""
        samples += [
            Sample(Path(f"/x/{kind}/{group}-{i}.png"), label, f"{kind}/{group}", kind, part) for i in range(n)
        ]
    return Dataset(Path("/x"), "folder", tuple(samples))


@given(
    st.lists(st.integers(1, 9), min_size=5, max_size=9),
    st.lists(st.integers(1, 9), min_size=5, max_size=9),
    st.integers(2, 5),
    st.integers(0, 3),
)
def test_folds_partition_and_keep_groups_whole(normal, blast, n_folds, seed):
    data = dataset(
        {("normal", i): n for i, n in enumerate(normal)} | {("blast", i): n for i, n in enumerate(blast)}
    )
    folds = group_folds(data, n_folds, seed=seed)
    tested = np.concatenate([f.test for f in folds])
    assert sorted(tested) == list(range(len(data)))
    groups = np.array([s.group for s in data.samples])
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert sorted(np.concatenate([fold.train, fold.test])) == list(range(len(data)))
        assert not fold.leaky


def test_equal_blocks_give_each_fold_one_of_each_class():
    data = dataset({(kind, i): 20 for kind in ("normal", "early", "pro") for i in range(5)})
    for fold in group_folds(data, 5):
        assert (
            sorted(data.samples[i].stratum for i in fold.test)
            == ["early"] * 20 + ["normal"] * 20 + ["pro"] * 20
        )


def test_a_straddling_group_raises():
    data = dataset({("normal", 0): 3, ("blast", 0): 3})
    check_disjoint(data.samples, np.arange(3), np.arange(3, 6))
    with pytest.raises(LeakageError, match=r"'normal/0' lies on both sides"):
        check_disjoint(data.samples, np.array([0, 1, 3]), np.array([2, 4, 5]))


def test_random_splits_have_to_be_asked_for_and_say_so():
    data = dataset({(kind, i): 10 for kind in ("normal", "blast") for i in range(3)})
    folds = group_folds(data, 3, allow_leakage=True)
    assert all(f.leaky for f in folds)
    with pytest.raises(LeakageError):
        check_disjoint(data.samples, folds[0].train, folds[0].test)


@pytest.mark.parametrize(("n_folds", "message"), [(1, "got 1"), (4, "got 3 in 'blast'")])
def test_impossible_folds(n_folds, message):
    data = dataset({(kind, i): 4 for kind in ("normal", "blast") for i in range(3)})
    with pytest.raises(ValueError, match=message):
        group_folds(data, n_folds)


def test_split_within_training_groups():
    data = dataset({(kind, i): 6 for kind in ("normal", "blast") for i in range(6)})
    among = group_folds(data, 3)[0].train
    larger, smaller = split_once(data, among, 0.25)
    assert sorted(np.concatenate([larger, smaller])) == sorted(among)
    check_disjoint(data.samples, larger, smaller)
    assert 0.15 < len(smaller) / len(among) < 0.35
    with pytest.raises(ValueError, match=r"got 1\.5"):
        split_once(data, among, 1.5)


def test_official_parts():
    parts = {0: "fold_0", 1: "fold_1", 2: "fold_2"}
    data = dataset({(kind, i): 4 for kind in ("normal", "blast") for i in range(3)}, parts)
    folds = official_folds(data)
    assert [sorted({data.samples[i].part for i in f.test}) for f in folds] == [
        ["fold_0"],
        ["fold_1"],
        ["fold_2"],
    ]
    with pytest.raises(ValueError, match="two official parts"):
        official_folds(dataset({("normal", 0): 4, ("blast", 0): 4}))


def test_manifest_of_the_folds():
    data = dataset({(kind, i): 2 for kind in ("normal", "blast") for i in range(2)})
    lines = folds_csv(data, group_folds(data, 2)).splitlines()
    assert lines[0] == "path,label,group,class,fold"
    assert len(lines) == 9
    assert all(line.split(",")[4] in "01" for line in lines[1:])
    assert not any(line.startswith("/") for line in lines)
