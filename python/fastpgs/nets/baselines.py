"""The networks that U-Net PLR is compared with: a small CNN, VGG-16 and EfficientNet-B3.

Each returns ``{"logit": (N, num_classes), "embedding": (N, features)}``; none has a mask. All average over
the picture before their fully connected layers, so any input that survives the poolings is accepted.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from fastpgs.nets.plr import make_activation, replace_activations
from fastpgs.nets.unet import CheckInput

# Configuration D of Simonyan & Zisserman 2014 (arXiv 1409.1556); 0 stands for a 2x2 max pooling.
VGG16_PLAN = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
CNN_PLAN = (32, 0, 64, 0, 128, 0)


class PlainCNN(nn.Module):
    """3x3 convolutions and 2x2 max poolings by a plan, global mean, fully connected layers.

    Parameters
    ----------
    plan : tuple of int
        Channels of each convolution in order; 0 is a pooling.
    hidden : tuple of int
        Widths of the fully connected layers before the last.
    in_channels, num_classes, activation
        As in `fastpgs.nets.unet.UNet`.
    norm : bool
        Batch normalisation after each convolution.
    dropout : float
        Before each fully connected layer, in training only.
    """

    def __init__(
        self,
        plan: tuple[int, ...],
        hidden: tuple[int, ...],
        *,
        in_channels: int,
        num_classes: int,
        activation: str,
        norm: bool = False,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.input = CheckInput(in_channels, multiple=1, smallest=2 ** plan.count(0))
        layers: list[nn.Module] = []
        channels = in_channels
        for step in plan:
            if step == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers.append(nn.Conv2d(channels, step, 3, padding=1))
            if norm:
                layers.append(nn.BatchNorm2d(step))
            layers.append(make_activation(activation, step))
            channels = step
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        dense: list[nn.Module] = []
        widths = (channels, *hidden)
        for narrow, wide in pairwise(widths):
            dense += [nn.Dropout(dropout), nn.Linear(narrow, wide), make_activation(activation, wide)]
        self.dense = nn.Sequential(*dense)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(widths[-1], num_classes))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        pooled = self.pool(self.features(self.input(x))).flatten(1)
        embedding = self.dense(pooled)
        return {"logit": self.head(embedding), "embedding": embedding}


class EfficientNetB3(nn.Module):
    """MONAI's EfficientNet-B3 (Tan & Le 2019, arXiv 1905.11946), untrained, with swish or PLR.

    ``activation="relu"`` puts ReLU where the published network has swish, as the paper's pairs demand.
    """

    def __init__(self, in_channels: int = 1, num_classes: int = 1, *, activation: str = "plr") -> None:
        super().__init__()
        from monai.networks.blocks.activation import MemoryEfficientSwish, Swish
        from monai.networks.nets.efficientnet import EfficientNetBN

        self.input = CheckInput(in_channels, multiple=1, smallest=32)
        self.net = EfficientNetBN(
            "efficientnet-b3",
            pretrained=False,
            progress=False,
            spatial_dims=2,
            in_channels=in_channels,
            num_classes=num_classes,
        )
        self.net.set_swish(memory_efficient=False)
        # The last layer stands outside, so that the pooled features can be returned beside the logits.
        self.head = nn.Linear(self.net._fc.in_features, num_classes)
        self.net._fc = nn.Identity()  # type: ignore[assignment]
        swish = (Swish, MemoryEfficientSwish)
        if activation == "plr":
            replace_activations(self.net, torch.zeros(1, in_channels, 64, 64), extra=swish)
        elif activation == "relu":
            self._swish_to_relu(swish)
        else:
            make_activation(activation, 1)

    def _swish_to_relu(self, swish: tuple[type[nn.Module], ...]) -> None:
        for parent in list(self.net.modules()):
            for name, child in parent.named_children():
                if isinstance(child, swish):
                    setattr(parent, name, nn.ReLU())

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        embedding = self.net(self.input(x))
        return {"logit": self.head(embedding), "embedding": embedding}


def cnn(in_channels: int, num_classes: int, *, activation: str) -> PlainCNN:
    """Three convolutions (32, 64, 128) with poolings and one hidden layer of 64."""
    return PlainCNN(CNN_PLAN, (64,), in_channels=in_channels, num_classes=num_classes, activation=activation)


def vgg16(in_channels: int, num_classes: int, *, activation: str) -> PlainCNN:
    """VGG-16's thirteen convolutions, batch-normalised so that they train from nothing, and 512-512 on top.

    The published 4096-4096 head is meant for 7 x 7 maps of 1000 classes: 120 of its 138 million parameters.
    """
    return PlainCNN(
        VGG16_PLAN,
        (512, 512),
        in_channels=in_channels,
        num_classes=num_classes,
        activation=activation,
        norm=True,
    )
