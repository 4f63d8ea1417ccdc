"""The 27 classifiers of Table 5 by their scikit-learn, xgboost and lightgbm names, at those libraries' defaults."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs.training.paper import TABLE5

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def make_classifier(name: str, seed: int) -> Any:
    """An unfitted classifier of Table 5, behind a standardisation fitted with it.

    Raises
    ------
    ValueError
        Not one of the 27.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name not in TABLE5:
        raise ValueError(f"unknown classifier {name!r}; expected one of {', '.join(TABLE5)}")
    kind = _special().get(name) or _from_scikit_learn(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier = kind()
    settings: dict[str, Any] = {"random_state": seed, "n_jobs": 1, "verbosity": 0 if "XGB" in name else -1}
    known = classifier.get_params()
    classifier.set_params(
        **{k: v for k, v in settings.items() if k in known or (k == "verbosity" and "GBM" in name)}
    )
    return make_pipeline(StandardScaler(), classifier)


def fit_and_score(
    classifier: Any, x: Floats, y: Ints, x_test: Floats
) -> tuple[Floats, Ints, bool, list[str]]:
    """Fit, and judge the test images.

    Returns
    -------
    scores : float64, shape (m,)
        Probability of blast where the classifier has one, else its decision function, else its call.
    calls : int64, shape (m,)
    probabilistic : bool
    notes : list of str
        What the libraries warned of, once each.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _keep_feasible(classifier, y)
        classifier.fit(x, y)
        calls = np.asarray(classifier.predict(x_test)).astype(np.int64)
        probabilistic = hasattr(classifier, "predict_proba")
        if probabilistic:
            scores = np.nan_to_num(np.asarray(classifier.predict_proba(x_test))[:, -1], nan=float(y.mean()))
        elif hasattr(classifier, "decision_function"):
            scores = np.asarray(classifier.decision_function(x_test))
        else:
            scores = calls.astype(np.float64)
    notes = sorted({type_name(w.category) for w in caught})
    return scores.astype(np.float64), calls, probabilistic, notes


def _keep_feasible(classifier: Any, y: Ints) -> None:
    """NuSVC's default nu of 0.5 cannot be met where one class is rarer than a quarter; lower it as needed."""
    possible = 2 * min(int(y.sum()), int((1 - y).sum())) / len(y)
    settings = {k: min(v, 0.9 * possible) for k, v in classifier.get_params().items() if k.endswith("__nu")}
    classifier.set_params(**settings)


def type_name(category: type[Warning]) -> str:
    """Name of a warning, for the table."""
    return category.__name__


def _from_scikit_learn(name: str) -> Callable[[], Any]:
    from sklearn.utils import all_estimators

    found: dict[str, Callable[[], Any]] = dict(all_estimators(type_filter="classifier"))
    return found[name]


def _special() -> dict[str, Callable[[], Any]]:
    """Names that are not in scikit-learn's registry, or no longer do there what they did."""
    from sklearn.linear_model import SGDClassifier

    def xgboost() -> Any:
        from xgboost import XGBClassifier

        return XGBClassifier()

    def lightgbm() -> Any:
        from lightgbm import LGBMClassifier

        return LGBMClassifier()

    def passive_aggressive() -> Any:
        # scikit-learn's own advice on retiring the class: the same update by stochastic gradient descent.
        return SGDClassifier(loss="hinge", penalty=None, learning_rate="pa1", eta0=1.0)

    return {
        "XGBClassifier": xgboost,
        "LGBMClassifier": lightgbm,
        "PassiveAggressiveClassifier": passive_aggressive,
    }
