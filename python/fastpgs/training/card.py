"""The model card, written from what was measured."""

from __future__ import annotations

from typing import Any

from fastpgs.inference.conditions import NAMES as MEASURES
from fastpgs.inference.conditions import Conditions
from fastpgs.inference.files import ModelConfig
from fastpgs.training.splits import LEAKY

NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "roc_auc": "ROC AUC",
    "f1": "F1",
    "weighted_f1": "weighted F1",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ece": "expected calibration error",
    "brier": "Brier score",
}


def _start(config: ModelConfig) -> list[str]:
    start = config.trained.get("start")
    if not start:
        return []
    return [
        f"Each network went on from that of its fold in an earlier run (weights `{start['weights'][:16]}`):",
        "",
        "```",
        start["command"],
        "```",
        "",
        *_blend(config.trained["fit"].get("blend", 1.0)),
    ]


def _blend(share: float) -> list[str]:
    if share == 1:
        return []
    return [
        f"Kept are weights between the two: {share:.0%} those after this training, {1 - share:.0%} those before.",
        "",
    ]


def write_card(config: ModelConfig, report: dict[str, Any]) -> str:
    """Markdown of the card."""
    data, spec, train = report["data"], config.input, config.trained["train"]
    fit = config.trained["fit"]
    classes = ", ".join(f"{name} {n}" for name, n in data["classes"].items())
    lines = [
        f"# {config.name}",
        "",
        "Judges single white cells, and from them whole fields, of stained blood smears: blast or normal.",
        "**A research tool, not a medical device: its output is no diagnosis and must not decide about a patient.**",
        "",
        "## What it is",
        "",
        f"* Network: `{config.network}` {config.options}; class head and mask map from one forward.",
        f"* Input: {spec.size} x {spec.size} {spec.colour} crops of cells found by pivot-growing segmentation, "
        f"{_scale(spec.scale)}, {'cell alone' if spec.masked else 'with surroundings'}, "
        f"colour balance: {spec.balance}.",
        f"* Field score: `{config.pooling}` of its cells' probabilities, then calibrated.",
        f"* Thresholds of a field: blast from {config.field_thresholds.blast:.3f}, normal below "
        f"{config.field_thresholds.normal:.3f}, uncertain between (chosen for sensitivity "
        f"{config.field_thresholds.sensitivity:g} and specificity {config.field_thresholds.specificity:g}).",
        f"* Probabilities are for fields of which {_share(fit, report)} are blasts.",
        f"* A field farther than {config.novelty_threshold:.2f} from the training images is uncertain."
        if config.novelty_threshold is not None
        else "* No test of novelty.",
        *_conditions(config.conditions),
        "",
        "## How it was made",
        "",
        "```",
        config.trained["command"],
        "```",
        "",
        *_start(config),
        *([config.trained["note"], ""] if config.trained.get("note") else []),
        # Epochs log their own time, so that of a run that was stopped and resumed is whole.
        f"{sum(row['seconds'] for run in report['history'] for row in run) / 60:.0f} minutes for the epochs of all "
        f"networks on {report['machine']}, {report['threads']} torch thread(s), other work running beside it.",
        "",
        f"Data: {data['images']} images ({classes}); {data['duplicates_left_out']} byte-identical ones left out, "
        f"{len(data['unreadable'])} unreadable, {data['without_cells']} without cells; {data['cells']} cells, and "
        f"{data['cells_of_views']} of {fit['views']} random view(s) of each image (stain, light, blur, JPEG, size). "
        "Cells have their image's label: some cells of a blast field are normal, so a cell's own figures are "
        "bounded by that.",
        "",
        f"Groups: {data['grouping']}. Training: {train['epochs']} epochs, {train['cells_per_image']} or more cells "
        f"an image and epoch, batch {train['batch_size']}, AdamW {train['learning_rate']:g}, cosine; class loss + "
        f"{train['mask_weight']:g} x mask loss with the segmentation's mask as weak supervision.",
        "",
    ]
    if data["leaky"]:
        lines += [LEAKY, ""]
    lines += _figures(report, fit)
    lines += _test(report)
    lines += _tables(report)
    lines += [
        "## Limits",
        "",
        "* Trained on one laboratory's stain, microscope and magnification. Images of others are not "
        "covered by these figures; fields unlike the training are called uncertain, which is a help and no guarantee.",
        "* The groups are contiguous blocks of file numbers where the source gives no patient ids: a patient may "
        "lie on both sides of a block's edge.",
        "* Staining differs by class in the training images; the colour baseline in the table shows how much of "
        "the answer that alone gives.",
        "* Size is part of the evidence: the image's scale must be that of the training images.",
        "* Not for diagnosis, triage or any decision about a patient.",
        "",
    ]
    return "\n".join(lines)


def _share(fit: dict[str, Any], report: dict[str, Any]) -> str:
    if fit.get("prior") is None:
        return "as many as in the training images"
    return f"{fit['prior']:.0%} (chosen; at that share the expected calibration error is {report['ece_at_prior']:.4f})"


def _conditions(conditions: Conditions | None) -> list[str]:
    if conditions is None:
        return []
    lines = [
        "* A field taken otherwise than those of the training has its score shifted before calls are made, by what "
        "its measures exceed the training's range by (`fastpgs.inference.conditions`):",
        "",
        "| measure | range of the training's fields | logits a unit below | logits a unit above | until |",
        "|---|---|---|---|---|",
    ]
    for name, *row in zip(
        MEASURES, conditions.low, conditions.high, conditions.below, conditions.above, conditions.lowest,
        conditions.highest, strict=True,
    ):  # fmt: skip
        low, high, below, above, *ends = row
        until = " and ".join(f"{end:.3f}" for end in ends)
        lines.append(f"| {name} | {low:.3f} to {high:.3f} | {below:+.2f} | {above:+.2f} | {until} |")
    return lines


def _scale(scale: float) -> str:
    return "at native scale" if scale == 1 else f"{scale:g} crop pixels an image pixel"


def _figures(report: dict[str, Any], fit: dict[str, Any]) -> list[str]:
    kept = (
        "the network that is kept was then trained on all images" if fit["final"] else "this network is kept"
    )
    lines = [
        "## Figures on groups never seen",
        "",
        f"Fields of {report['folds']} held-out fold(s); networks, calibration and thresholds come from other folds; "
        f"{kept}. Intervals: 95 %, bootstrap over groups.",
        "",
        "| fields | value | 95 % interval |",
        "|---|---|---|",
    ]
    for name, row in report["figures"].items():
        lines.append(f"| {NAMES[name]} | {row['value']:.4f} | {row['low']:.4f} to {row['high']:.4f} |")
    folds = ", ".join(f"{f['balanced_accuracy']:.3f} / {f['roc_auc']:.4f}" for f in report["per_fold"])
    calls = report["calls"]
    lines += [
        "",
        f"Balanced accuracy / ROC AUC of each fold: {folds}.",
        "",
        "Calls: "
        + "; ".join(
            f"{kind} fields: " + ", ".join(f"{n} {call}" for call, n in calls[kind].items()) for kind in calls
        )
        + f". Held-out fields flagged as unlike the training: {report['novelty_alarms']:.1%}.",
        "",
        *_groups(report),
        f"Single cells, judged by their field's label: ROC AUC {report['cells_figures']['roc_auc']:.4f}, balanced "
        f"accuracy {report['cells_figures']['balanced_accuracy']:.4f}.",
        "",
    ]
    return lines


def _groups(report: dict[str, Any]) -> list[str]:
    rows = report.get("groups", [])
    wrong = [r for r in rows if r["wrong"]]
    if not wrong:
        return []
    listed = ", ".join(f"{r['group']} {r['wrong']} of {r['fields']}" for r in wrong[:10])
    return [
        f"Fields on the wrong side of p = 0.5, the worst groups first: {listed}"
        + (f"; {len(wrong) - 10} more groups with errors" if len(wrong) > 10 else "")
        + f"; {len(rows) - len(wrong)} of {len(rows)} groups without any. Training writes the "
        "worst fields as a picture, `training/failures.png`.",
        "",
    ]


def _test(report: dict[str, Any]) -> list[str]:
    if "test" not in report:
        return []
    test = report["test"]
    lines = [
        "## Figures on the test set, used once",
        "",
        f"{test['images']} images of other groups, {test['without_cells']} of them without cells.",
        "",
        "| fields | value | 95 % interval |",
        "|---|---|---|",
    ]
    for name, row in test["figures"].items():
        lines.append(f"| {NAMES[name]} | {row['value']:.4f} | {row['low']:.4f} to {row['high']:.4f} |")
    return [*lines, ""]


def _tables(report: dict[str, Any]) -> list[str]:
    wanted = ("balanced_accuracy", "roc_auc", "accuracy", "f1", "ece")
    head = " | ".join(NAMES[w] for w in wanted)
    lines = ["## Beside trivial baselines, same folds", "", f"| | {head} |", "|---|" + "---|" * len(wanted)]
    ours = {w: report["figures"][w]["value"] for w in wanted}
    for name, row in {"this model": ours, **report["baselines"]}.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[w]:.4f}" for w in wanted) + " |")
    lines += [
        "",
        "## Pooling of cells into a field, held out",
        "",
        f"| | {head} |",
        "|---|" + "---|" * len(wanted),
    ]
    for name, row in report["pooling"].items():
        lines.append(f"| {name} | " + " | ".join(f"{row[w]:.4f}" for w in wanted) + " |")
    lines += ["", *_views(report.get("views", {}))]
    if report["robustness"]:
        some = next(iter(report["robustness"].values()))
        lines += [
            "## Under change",
            "",
            f"{some['images']} held-out fields, as many of each class, changed before cells were looked for; "
            "network, calibration and thresholds come from other folds. Intervals: 95 %, bootstrap over groups; "
            "lost: of the balanced accuracy of the unchanged fields.",
            "",
            "| change | balanced accuracy, p = 0.5 | lost | of calls | ROC AUC | without cells | flagged as unlike |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, row in report["robustness"].items():
            lost = f"{row['lost']:.3f} ({row['lost_low']:.3f} to {row['lost_high']:.3f})"
            lines.append(
                f"| {name} | {row['balanced_accuracy']:.3f} ({row['low']:.3f} to {row['high']:.3f}) | {lost} | "
                f"{row['calls']:.3f} | {row['roc_auc']:.4f} | {row['without_cells']} | {row['novel']:.1%} |"
            )
        lines.append("")
    return lines


def _views(views: dict[str, dict[str, float]]) -> list[str]:
    if not views:
        return []
    wanted = ("balanced_accuracy", "roc_auc", "accuracy", "f1", "ece")
    lines = [
        "## Random views of the held-out fields",
        "",
        "One to three random changes at once (stain, light, blur, JPEG, size), before cells were looked for; network, "
        "calibration and conditions from other folds.",
        "",
        "| | " + " | ".join(NAMES[w] for w in wanted) + " |",
        "|---|" + "---|" * len(wanted),
    ]
    for name, row in views.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[w]:.4f}" for w in wanted) + " |")
    return [*lines, ""]
