"""Loss and accuracy over the epochs: a PNG (Figs. 13-20), and TensorBoard's own log where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastpgs.io.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def log_tensorboard(folder: Path, row: dict[str, float]) -> bool:
    """Add one epoch's figures to ``folder/tensorboard``; False where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return False
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        for name, value in row.items():
            if name != "epoch":
                part, _, rest = name.partition("_")
                tag = f"{rest}/{part}" if part in ("train", "validation") and rest else name
                writer.add_scalar(tag, value, int(row["epoch"]) + 1)
    return True


def save_figure(figure: Figure, path: Path, dpi: int = 110) -> None:
    """Write a figure as a PNG that is whole or not there."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format="png")


def plot_history(runs: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Two panels, loss and accuracy; a colour a run, training dashed, validation solid.

    Parameters
    ----------
    runs : dict
        Name to log, one dict an epoch as `fastpgs.training.loop.train_network` writes it.
    path : Path
        PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    loss, accuracy = figure.subplots(1, 2)
    for number, (name, history) in enumerate(runs.items()):
        colour = f"C{number % 10}"
        epochs = [row["epoch"] + 1 for row in history]
        for panel, key in ((loss, "loss"), (accuracy, "accuracy")):
            train_key = "train_class_loss" if key == "loss" else "train_accuracy"
            panel.plot(epochs, [r[train_key] for r in history], "--", marker=".", color=colour)
            if history and f"validation_{key}" in history[0]:
                panel.plot(
                    epochs,
                    [r[f"validation_{key}"] for r in history],
                    "-",
                    marker="o",
                    color=colour,
                    label=name,
                )
            else:
                panel.plot([], [], "--", color=colour, label=f"{name} (training)")
    for panel, title in ((loss, "class loss"), (accuracy, "accuracy of cells")):
        panel.set_xlabel("epoch")
        panel.set_title(f"{title}: training dashed, validation solid", fontsize=9)
        panel.grid(alpha=0.3)
        panel.xaxis.get_major_locator().set_params(integer=True)
    accuracy.set_ylim(top=1.0)
    if runs:
        loss.legend(fontsize=8)
    save_figure(figure, path)
