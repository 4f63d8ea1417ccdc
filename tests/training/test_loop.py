"""The loop learns, stops when told, and goes on exactly where it was."""

import json
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fastpgs.inference.preprocess import InputSpec
from fastpgs.training.augment import NO_AUGMENT, Augment, augment
from fastpgs.training.cellset import MARGIN, CellSet
from fastpgs.training.config import TrainConfig
from fastpgs.training.draw import draw_cells
from fastpgs.training.loop import fit_normalisation, predict, train_network

SIZE = 16
SPEC = InputSpec(size=SIZE, balance="none")
CONFIG = TrainConfig(
    network="unet_plr",
    options={"norm": "batch", "width": 4},
    epochs=3,
    batch_size=8,
    learning_rate=5e-3,
    warmup=2,
)
LABELS = np.arange(12) % 2


@pytest.fixture(scope="module")
def cells():
    """Twelve images of six cells: discs, the blasts' larger and darker, as are blasts."""
    rng = np.random.default_rng(0)
    side = SIZE + 2 * MARGIN
    rows, cols = np.mgrid[:side, :side] - side / 2
    sample = np.repeat(np.arange(12), 6)
    crops = rng.integers(190, 220, (72, side, side, 3))
    masks = np.zeros((72, side, side), np.uint8)
    for i, image in enumerate(sample):
        disc = rows**2 + cols**2 < (36 if LABELS[image] else 12)
        crops[i][disc] -= 120 if LABELS[image] else 90
        masks[i][disc] = 255
    area = (masks > 0).sum(axis=(1, 2)).astype(float)
    level = np.full((72, 3), 205.0)
    return CellSet(crops.astype(np.uint8), masks, sample, np.zeros(72, int), area, level, np.zeros(72))


def train(cells, config=CONFIG, validation=(), **options):
    train_images = np.setdiff1d(np.arange(12), validation)
    return train_network(
        cells, LABELS, train_images, np.array(validation, dtype=int), SPEC, config, **options
    )


def weights_of(trained):
    return {k: v.clone() for k, v in trained.network.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        assert torch.equal(one[key], other[key]), key


def test_it_learns_classes_and_masks(cells):
    config = replace(CONFIG, epochs=12)
    trained = train(cells, config, validation=(10, 11))
    assert trained.history[-1]["train_loss"] < 0.6 * trained.history[0]["train_loss"]
    assert max(r["validation_balanced_accuracy"] for r in trained.history) == 1
    pictures = torch.from_numpy(np.ascontiguousarray(cells.crops.transpose(0, 3, 1, 2)))
    logits, embeddings = predict(trained.network, pictures, SPEC)
    assert np.mean((logits > 0) == LABELS[cells.sample]) > 0.95
    assert embeddings.shape == (72, 64)


def test_same_seed_same_weights_other_seed_other_weights(cells):
    one, other, third = train(cells), train(cells), train(cells, replace(CONFIG, seed=1))
    assert_same(weights_of(one), weights_of(other))
    assert one.history[0]["train_loss"] != third.history[0]["train_loss"]


@pytest.mark.parametrize("validation", [(), (10, 11)])
def test_killed_and_resumed_ends_with_the_same_weights(cells, tmp_path, validation):
    whole = train(cells, validation=validation, folder=tmp_path / "whole")
    for _ in range(3):
        torch.rand(7)  # whatever the process did in between must not matter
        parts = train(cells, validation=validation, folder=tmp_path / "parts", resume=True, stop_after=1)
    assert_same(weights_of(whole), weights_of(parts))
    strip = [{k: v for k, v in r.items() if k != "seconds"} for r in parts.history]
    assert strip == [{k: v for k, v in r.items() if k != "seconds"} for r in whole.history]
    log = [json.loads(line) for line in (tmp_path / "parts" / "log.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in log] == [0, 1, 2]
    assert not list(Path(tmp_path / "parts").glob("*tmp*"))


def test_resuming_with_other_options_is_refused_with_the_difference(cells, tmp_path):
    train(cells, folder=tmp_path, stop_after=1)
    with pytest.raises(ValueError, match=r"learning_rate: checkpoint 0\.005, now 0\.1"):
        train(cells, replace(CONFIG, learning_rate=0.1), folder=tmp_path, resume=True)


def test_early_stopping_keeps_the_best(cells):
    # A learning rate of zero: nothing improves after the first epoch.
    config = replace(CONFIG, learning_rate=0.0, epochs=9, patience=2, options={"width": 4})
    trained = train(cells, config, validation=(10, 11))
    assert len(trained.history) == 3
    assert trained.epoch == 0


def test_table2_trains_on_its_smaller_mask(cells):
    side = 32
    spec = replace(SPEC, size=side)
    wide = replace(
        cells,
        crops=np.pad(cells.crops, ((0, 0), (8, 8), (8, 8), (0, 0)), mode="edge"),
        masks=np.pad(cells.masks, ((0, 0), (8, 8), (8, 8))),
    )
    config = TrainConfig(network="unet_plr_table2", options={}, epochs=1, batch_size=8, warmup=2)
    trained = train_network(wide, LABELS, np.arange(12), np.arange(0), spec, config)
    assert trained.history[0]["train_mask_loss"] > 0


def test_networks_without_a_mask_train_too(cells):
    trained = train(cells, TrainConfig(network="cnn", options={}, epochs=1, batch_size=8))
    assert trained.history[0]["train_mask_loss"] == 0


def test_drawing_balances_images(cells):
    labels = np.array([0] * 2 + [1] * 10)
    drawn = draw_cells(cells, labels, np.arange(12), replace(CONFIG, cells_per_image=1), epoch=0)
    per_image = np.bincount(cells.sample[drawn], minlength=12)
    assert list(per_image) == [5, 5] + [1] * 10
    assert len(set(drawn)) == len(drawn)
    again = draw_cells(cells, labels, np.arange(12), replace(CONFIG, cells_per_image=1), epoch=1)
    assert list(drawn) != list(again)
    only = draw_cells(cells, labels, np.array([3, 4]), CONFIG, epoch=0)
    assert set(cells.sample[only]) == {3, 4}


def test_normalisation_is_fitted_on_training_images_alone(cells):
    changed = replace(cells, crops=cells.crops.copy())
    changed.crops[cells.sample >= 6] = 0
    assert fit_normalisation(changed, np.arange(6), SPEC) == fit_normalisation(cells, np.arange(6), SPEC)
    assert fit_normalisation(changed, np.arange(12), SPEC) != fit_normalisation(cells, np.arange(12), SPEC)


def test_unchanged_cells_come_to_the_fore_as_epochs_go_by(cells):
    views = replace(cells, view=np.tile(np.arange(3), 24))
    config = replace(CONFIG, epochs=3, cells_per_image=1, clean=0.9)

    def share(epoch, **change):
        drawn = [
            draw_cells(views, LABELS, np.arange(12), replace(config, seed=seed, **change), epoch)
            for seed in range(100)
        ]
        assert all(len(one) == 12 for one in drawn)
        return np.mean(views.view[np.concatenate(drawn)] == 0)

    # 1200 draws: the standard deviation of a share is at most 0.015.
    assert [share(epoch) for epoch in range(3)] == pytest.approx([1 / 3, 0.617, 0.9], abs=0.06)
    assert share(2, clean=None) == pytest.approx(1 / 3, abs=0.06)
    assert [share(2, clean=end) for end in (0.0, 1.0)] == [0.0, 1.0]
    with pytest.raises(ValueError, match=r"got 1.5"):
        replace(config, clean=1.5)


def test_light_of_another_colour_scales_each_channel():
    crops = torch.full((4, 3, 16, 16), 0.5)
    masks = torch.zeros(4, 1, 16, 16)
    generator = torch.Generator().manual_seed(0)
    out, _ = augment(crops, masks, 16, replace(NO_AUGMENT, light=0.1), generator)
    torch.testing.assert_close(out.std(dim=(2, 3)), torch.zeros(4, 3), atol=1e-6, rtol=0)
    gains = torch.log(out[:, :, 0, 0] / 0.5)
    assert len(set(gains.flatten().tolist())) == 12
    assert float(gains.abs().max()) < 0.4


def test_augmentation_moves_mask_and_picture_together():
    side = 32
    masks = torch.zeros(6, 1, side, side)
    masks[:, :, 10:20, 12:18] = 1
    crops = masks.repeat(1, 3, 1, 1) * 0.5 + 0.25
    options = Augment(stain=0, mix=0, brightness=0, blur=0, noise=0)
    moved, moved_masks = augment(crops, masks, 24, options, torch.Generator().manual_seed(0))
    assert moved.shape == (6, 3, 24, 24)
    torch.testing.assert_close(moved[:, :1], moved_masks * 0.5 + 0.25, atol=1e-5, rtol=0)
    assert not torch.equal(moved_masks[0], moved_masks[1])


def test_no_augmentation_is_the_centre():
    crops = torch.rand(2, 3, 24, 24)
    masks = torch.rand(2, 1, 24, 24)
    out, out_masks = augment(crops, masks, 16, NO_AUGMENT, torch.Generator().manual_seed(0))
    torch.testing.assert_close(out, crops[:, :, 4:20, 4:20], atol=1e-5, rtol=0)
    torch.testing.assert_close(out_masks, masks[:, :, 4:20, 4:20], atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_repeats_and_stays_in_range(channels):
    crops = torch.rand(8, channels, 20, 20)
    masks = (torch.rand(8, 1, 20, 20) > 0.5).float()
    runs = [augment(crops, masks, 16, Augment(), torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(runs[0][0], runs[1][0])
    assert float(runs[0][0].min()) >= 0
    assert float(runs[0][0].max()) <= 1
    with pytest.raises(ValueError, match="at most 20"):
        augment(crops, masks, 24, Augment(), torch.Generator())


def test_tensorboard_gets_every_epoch_where_it_is_installed(cells, tmp_path, monkeypatch):
    written = []

    class SummaryWriter:
        def __init__(self, folder):
            self.folder = folder

        def __enter__(self):
            return self

        def __exit__(self, *_):
            written.append(("closed", self.folder))

        def add_scalar(self, tag, value, step):
            written.append((tag, step, value))

    stand_in = types.ModuleType("torch.utils.tensorboard")
    stand_in.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    trained = train(cells, replace(CONFIG, epochs=2), (0, 1), folder=tmp_path)
    losses = [row[1:] for row in written if row[0] == "loss/train"]
    assert losses == [(row["epoch"] + 1, row["train_loss"]) for row in trained.history]
    assert [row[1] for row in written if row[0] == "roc_auc/validation"] == [1, 2]
    assert written[-1] == ("closed", str(tmp_path / "tensorboard"))


def test_training_needs_no_tensorboard(cells, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # importing it fails
    train(cells, replace(CONFIG, epochs=1), folder=tmp_path)
    assert not (tmp_path / "tensorboard").exists()


def test_a_log_that_a_kill_left_short_is_completed(cells, tmp_path):
    train(cells, folder=tmp_path)
    log = (tmp_path / "log.jsonl").read_text()
    (tmp_path / "log.jsonl").write_text(log.splitlines(keepends=True)[0])
    train(cells, folder=tmp_path, resume=True)
    assert (tmp_path / "log.jsonl").read_text() == log
