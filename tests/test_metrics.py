"""Our figures against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as theirs

from fastpgs import metrics

cases = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda y: 0 < sum(y) < len(y)),
        st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0]), min_size=n, max_size=n),
    )
)


@given(cases)
def test_ratios_equal_scikit_learns(case):
    y, p = np.array(case[0]), np.array(case[1])
    calls = (p >= 0.5).astype(int)
    ours = metrics.scores(y, p)
    assert ours["accuracy"] == pytest.approx(theirs.accuracy_score(y, calls))
    assert ours["balanced_accuracy"] == pytest.approx(theirs.balanced_accuracy_score(y, calls))
    assert ours["roc_auc"] == pytest.approx(theirs.roc_auc_score(y, p))
    assert ours["f1"] == pytest.approx(theirs.f1_score(y, calls, zero_division=0))
    assert ours["weighted_f1"] == pytest.approx(
        theirs.f1_score(y, calls, average="weighted", zero_division=0)
    )
    assert ours["brier"] == pytest.approx(theirs.brier_score_loss(y, p))
    tn, fp, fn, tp = theirs.confusion_matrix(y, calls, labels=[0, 1]).ravel()
    assert metrics.count(y, calls) == metrics.Counts(tp=tp, fp=fp, fn=fn, tn=tn)


def test_missing_class_gives_nan_not_a_guess():
    c = metrics.count([1, 1], [1, 0])
    assert np.isnan(metrics.balanced_accuracy(c))
    assert np.isnan(metrics.roc_auc([1, 1], [0.2, 0.4]))
    assert metrics.accuracy(c) == 0.5


def test_calibration_error_by_hand():
    # Bin 0: two of four are blasts at a stated 0.05; bin 9: all blasts at a stated 0.95.
    y = [1, 1, 0, 0, 1, 1]
    p = [0.05] * 4 + [0.95] * 2
    assert metrics.expected_calibration_error(y, p) == pytest.approx((4 * 0.45 + 2 * 0.05) / 6)
    assert metrics.expected_calibration_error([0, 1], [0.0, 1.0]) == 0
    # Twice the weight is the same as twice the items.
    weighted = metrics.expected_calibration_error(y, p, weights=np.r_[2, np.ones(len(y) - 1)])
    assert weighted == pytest.approx(metrics.expected_calibration_error(np.r_[y[0], y], np.r_[p[0], p]))


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [([], [], "got none"), ([0, 2], [0, 1], "must be 0 or 1"), ([0, 1], [0], "got 1 and 2")],
)
def test_wrong_input(labels, predicted, message):
    with pytest.raises(ValueError, match=message):
        metrics.count(labels, predicted)


def test_bootstrap_draws_whole_groups():
    groups = np.repeat(np.arange(10), 50)
    values = np.repeat(np.arange(10.0), 50)
    low, high = metrics.bootstrap_interval(groups, lambda i: float(values[i].mean()), repeats=500)
    # The mean of ten group values 0..9 has a standard error of 0.91; that of 500 independent ones, 0.13.
    assert 2.0 < low < 3.4
    assert 5.6 < high < 7.0


def test_bootstrap_within_strata_never_loses_a_class():
    groups = np.array(["a", "b", "c", "d"])
    labels = np.array([0, 1, 1, 1])
    seen = []
    metrics.bootstrap_interval(
        groups, lambda i: seen.append(labels[i].min()) or float(labels[i].mean()), strata=labels, repeats=50
    )
    assert set(seen) == {0}


def test_stopwatch():
    with metrics.Stopwatch() as watch:
        sum(range(1000))
    assert watch.seconds > 0
