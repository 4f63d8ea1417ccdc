"""The paper's printed results, to stand beside ours: Tables 3 to 6."""

from __future__ import annotations

# Training start, training end, validation start, validation end; per cent.
TABLE3 = (
    (90.0, 94.0, 88.0, 93.0),
    (89.5, 94.5, 87.5, 92.5),
    (89.7, 94.7, 88.0, 93.2),
    (90.2, 94.8, 88.5, 93.5),
    (89.8, 94.5, 87.8, 93.0),
    (89.9, 94.6, 88.2, 93.3),
    (90.1, 94.7, 88.3, 93.7),
    (90.3, 94.9, 88.7, 93.8),
    (89.6, 94.4, 87.9, 93.1),
    (90.0, 94.3, 88.1, 93.4),
)

TABLE4 = (
    (0.40, 0.10, 0.50, 0.15),
    (0.45, 0.12, 0.52, 0.17),
    (0.38, 0.11, 0.48, 0.14),
    (0.42, 0.13, 0.53, 0.16),
    (0.39, 0.10, 0.49, 0.13),
    (0.41, 0.11, 0.51, 0.15),
    (0.43, 0.12, 0.54, 0.18),
    (0.37, 0.10, 0.47, 0.14),
    (0.44, 0.13, 0.55, 0.17),
    (0.38, 0.10, 0.49, 0.14),
)

# Accuracy, balanced accuracy, ROC AUC, F1, seconds.
Row = tuple[float, float, float, float, float]

TABLE5: dict[str, Row] = {
    "SVC": (0.89, 0.85, 0.84, 0.88, 92.83),
    "XGBClassifier": (0.87, 0.83, 0.83, 0.87, 254.22),
    "LGBMClassifier": (0.85, 0.82, 0.82, 0.85, 40.41),
    "LinearDiscriminantAnalysis": (0.82, 0.79, 0.79, 0.82, 16.65),
    "RidgeClassifierCV": (0.85, 0.81, 0.81, 0.84, 15.45),
    "RidgeClassifier": (0.84, 0.80, 0.80, 0.83, 1.44),
    "RandomForestClassifier": (0.86, 0.79, 0.79, 0.85, 36.91),
    "ExtraTreesClassifier": (0.85, 0.79, 0.79, 0.84, 9.21),
    "LogisticRegression": (0.80, 0.78, 0.78, 0.80, 3.30),
    "SGDClassifier": (0.78, 0.76, 0.76, 0.78, 5.93),
    "AdaBoostClassifier": (0.82, 0.77, 0.77, 0.81, 102.74),
    "NuSVC": (0.83, 0.77, 0.77, 0.82, 124.12),
    "LinearSVC": (0.79, 0.76, 0.76, 0.79, 43.09),
    "BaggingClassifier": (0.81, 0.77, 0.77, 0.81, 292.77),
    "PassiveAggressiveClassifier": (0.77, 0.74, 0.74, 0.77, 3.20),
    "KNeighborsClassifier": (0.79, 0.74, 0.74, 0.79, 1.88),
    "Perceptron": (0.76, 0.73, 0.73, 0.76, 1.43),
    "BernoulliNB": (0.72, 0.71, 0.71, 0.72, 1.10),
    "CalibratedClassifierCV": (0.82, 0.72, 0.72, 0.80, 114.11),
    "NearestCentroid": (0.71, 0.70, 0.70, 0.71, 0.86),
    "GaussianNB": (0.70, 0.70, 0.70, 0.70, 0.81),
    "DecisionTreeClassifier": (0.73, 0.70, 0.70, 0.73, 37.12),
    "ExtraTreeClassifier": (0.68, 0.63, 0.63, 0.68, 0.76),
    "QuadraticDiscriminantAnalysis": (0.73, 0.55, 0.55, 0.64, 18.36),
    "LabelSpreading": (0.33, 0.52, 0.52, 0.18, 8.35),
    "LabelPropagation": (0.33, 0.52, 0.52, 0.18, 7.77),
    "DummyClassifier": (0.71, 0.51, 0.51, 0.58, 1.17),
}

# (network, activation) -> row; the paper's "U-Net with PLR" is the default network.
TABLE6: dict[tuple[str, str], Row] = {
    ("cnn", "relu"): (0.6892, 0.6734, 0.6792, 0.6821, 300),
    ("cnn", "plr"): (0.8934, 0.8876, 0.8891, 0.8912, 320),
    ("vgg16", "relu"): (0.7893, 0.7745, 0.7782, 0.7817, 450),
    ("vgg16", "plr"): (0.9278, 0.9221, 0.9245, 0.9262, 480),
    ("efficientnet_b3", "relu"): (0.7721, 0.7589, 0.7634, 0.7672, 600),
    ("efficientnet_b3", "plr"): (0.9356, 0.9312, 0.9328, 0.9342, 620),
    ("unet", "relu"): (0.9350, 0.9287, 0.9295, 0.9321, 520),
    ("unet", "plr"): (0.9522, 0.9467, 0.9482, 0.9508, 550),
}
