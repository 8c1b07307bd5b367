"""scikit-learn on triort: a grid search of forests, whose trees are tasks, too."""

from _start import start_pool
from joblib import parallel_config
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV

import triort
import triort.bridges.joblib


def search(size: int) -> tuple[dict[str, int], list[float]]:
    features, classes = make_classification(size, random_state=1)
    forest = RandomForestClassifier(10, random_state=1, n_jobs=2)
    grid = GridSearchCV(forest, {"max_depth": [2, 4], "min_samples_leaf": [1, 5]}, cv=3)
    grid.fit(features, classes)
    return grid.best_params_, list(grid.cv_results_["mean_test_score"])


def main(pool: triort.Executor, size: int) -> None:
    with parallel_config("triort", pool=pool):
        best, scores = search(size)
    print("best:", best)

    with parallel_config("sequential"):
        print("the same without triort:", search(size) == (best, scores))


if __name__ == "__main__":
    start_pool(main, size=200, meaning="how many samples")
