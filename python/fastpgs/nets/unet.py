"""U-Net PLR in two readings: the pseudo-code (`UNet`) and Table 2 (`UNetTable2`).

Both return named outputs from one forward: ``"mask"``, the probability of each pixel to belong to the cell
in the middle, ``"logit"``, the class scores, and ``"embedding"``, the last hidden layer, by which a cell unlike
those of the training is recognised. A forward of `UNet` reads

    x --conv1--pool1--conv2--pool2--conv3--pool3--conv4        32, 64, 128, 256 maps
          |            |            |               |
        merge1 <---- merge2 <---- merge3 <---- upconv          each: up-convolution, skip, convolution
          |            |            |               |
        output      `---- pooled means of every decoder level ----> class head (fully connected)
"""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from fastpgs.nets.plr import make_activation

NORMS = ("none", "batch", "group")


class ConvPLR(nn.Module):
    """3x3 convolution, an optional normalisation, an activation."""

    def __init__(self, c_in: int, c_out: int, *, activation: str, padding: int, norm: str = "none") -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=padding)
        self.norm = _norm(norm, c_out)
        self.act = make_activation(activation, c_out)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.norm(self.conv(x)))
        return out


class Concatenate(nn.Module):
    """Join two maps by channel; the larger one is cropped about its centre to the size of the smaller."""

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        height = min(up.shape[2], skip.shape[2])
        width = min(up.shape[3], skip.shape[3])
        return torch.cat([centre(up, height, width), centre(skip, height, width)], dim=1)


class ClassHead(nn.Module):
    """Two fully connected layers over pooled maps; gives the logits and what the first layer made of them."""

    def __init__(
        self, channels: int, num_classes: int, *, activation: str, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.act = make_activation(activation, hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.act(self.fc1(pooled))
        return self.fc2(self.dropout(embedding)), embedding


class CheckInput(nn.Module):
    """Refuse, with the reason, what the network cannot take."""

    def __init__(self, channels: int, *, multiple: int, smallest: int) -> None:
        super().__init__()
        self.channels = channels
        self.multiple = multiple
        self.smallest = smallest

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4 or x.shape[1] != self.channels:
            raise ValueError(f"expected input of shape (N, {self.channels}, H, W), got {list(x.shape)}")
        height, width = x.shape[2], x.shape[3]
        if height % self.multiple != 0 or width % self.multiple != 0:
            raise ValueError(f"height and width must be divisible by {self.multiple}, got {height} x {width}")
        if height < self.smallest or width < self.smallest:
            raise ValueError(f"height and width must be at least {self.smallest}, got {height} x {width}")
        return x


class UNet(nn.Module):
    """The default network: encoder 32-64-128, bottleneck 256, three up-convolutions with skips.

    The pseudo-code lets conv4 read pool2, which cannot be merged with conv3 afterwards; here it reads pool3.

    Parameters
    ----------
    in_channels : int
        1 for grey crops, 3 for RGB.
    num_classes : int
        1 gives one logit (blast against normal); more give one logit a class.
    activation : {"plr", "relu"}
    norm : {"none", "batch", "group"}
        Normalisation after each convolution. The paper has none.
    width : int
        Maps of the first level (the paper: 32); the others are 2, 4 and 8 times as many.
    hidden : int
        Width of the class head's first layer.
    dropout : float
        Dropout in the class head, in training only.

    Notes
    -----
    Input ``(N, in_channels, H, W)``, H and W divisible by 8. Output: ``{"mask": (N, 1, H, W) in [0, 1],
    "logit": (N, num_classes), "embedding": (N, hidden)}``. The class head pools the bottleneck and every
    decoder level, so the loss of the class reaches each of them directly.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 1,
        *,
        activation: str = "plr",
        norm: str = "none",
        width: int = 32,
        hidden: int = 64,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        w1, w2, w3, w4 = width, 2 * width, 4 * width, 8 * width

        def conv(c_in: int, c_out: int) -> ConvPLR:
            return ConvPLR(c_in, c_out, activation=activation, padding=1, norm=norm)

        self.input = CheckInput(in_channels, multiple=8, smallest=8)
        self.conv1 = conv(in_channels, w1)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = conv(w1, w2)
        self.pool2 = nn.MaxPool2d(2)
        self.conv3 = conv(w2, w3)
        self.pool3 = nn.MaxPool2d(2)
        self.conv4 = conv(w3, w4)
        self.upconv3 = nn.ConvTranspose2d(w4, w3, 2, stride=2)
        self.merge3 = Concatenate()
        self.conv5 = conv(w4, w3)
        self.upconv2 = nn.ConvTranspose2d(w3, w2, 2, stride=2)
        self.merge2 = Concatenate()
        self.conv6 = conv(w3, w2)
        self.upconv1 = nn.ConvTranspose2d(w2, w1, 2, stride=2)
        self.merge1 = Concatenate()
        self.conv7 = conv(w2, w1)
        self.output = nn.Conv2d(w1, 1, 1)
        self.head = ClassHead(
            w4 + w3 + w2 + w1, num_classes, activation=activation, hidden=hidden, dropout=dropout
        )
        _initialise(self)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        down1 = self.conv1(self.input(x))
        down2 = self.conv2(self.pool1(down1))
        down3 = self.conv3(self.pool2(down2))
        bottom = self.conv4(self.pool3(down3))
        up3 = self.conv5(self.merge3(self.upconv3(bottom), down3))
        up2 = self.conv6(self.merge2(self.upconv2(up3), down2))
        up1 = self.conv7(self.merge1(self.upconv1(up2), down1))
        pooled = torch.cat([_mean(bottom), _mean(up3), _mean(up2), _mean(up1)], dim=1)
        logit, embedding = self.head(pooled)
        return {"mask": torch.sigmoid(self.output(up1)), "logit": logit, "embedding": embedding}


class UNetTable2(nn.Module):
    """Table 2 to the letter: valid convolutions, (N, 1, 256, 256) in, (N, 1, 234, 234) out.

    The printed "connected to" column joins maps of different sizes. The printed parameter counts settle what
    was meant: ``concatenate`` joins conv2d_2, up-sampled twice (128 maps), with conv2d_1 cropped from 125 to
    120 (64); ``concatenate_1`` joins conv2d_3, up-sampled twice (64), with conv2d_2 up-sampled four times and
    cropped from 240 to 236 (128). Attributes bear the names of the table.

    Parameters
    ----------
    in_channels, num_classes, activation, hidden, dropout
        As in `UNet`; Table 2 has one channel and PLR. The class head is no row of Table 2.

    Notes
    -----
    Other sizes of at least 22 x 22 pixels pass; the mask is 22 pixels shorter where H and W are divisible
    by 4.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 1,
        *,
        activation: str = "plr",
        hidden: int = 64,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()

        def conv(c_in: int, c_out: int) -> ConvPLR:
            return ConvPLR(c_in, c_out, activation=activation, padding=0)

        self.input_1 = CheckInput(in_channels, multiple=1, smallest=22)
        self.conv2d = conv(in_channels, 32)
        self.max_pooling2d = nn.MaxPool2d(2)
        self.conv2d_1 = conv(32, 64)
        self.max_pooling2d_1 = nn.MaxPool2d(2)
        self.conv2d_2 = conv(64, 128)
        self.up_sampling2d = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.concatenate = Concatenate()
        self.conv2d_3 = conv(192, 64)
        self.up_sampling2d_1 = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.skip_up_sampling2d = nn.Upsample(scale_factor=4.0, mode="nearest")
        self.concatenate_1 = Concatenate()
        self.conv2d_4 = conv(192, 32)
        self.conv2d_5 = nn.Conv2d(32, 1, 1)
        self.head = ClassHead(
            128 + 64 + 32, num_classes, activation=activation, hidden=hidden, dropout=dropout
        )
        _initialise(self)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        down1 = self.conv2d(self.input_1(x))
        down2 = self.conv2d_1(self.max_pooling2d(down1))
        bottom = self.conv2d_2(self.max_pooling2d_1(down2))
        up2 = self.conv2d_3(self.concatenate(self.up_sampling2d(bottom), down2))
        up1 = self.conv2d_4(self.concatenate_1(self.up_sampling2d_1(up2), self.skip_up_sampling2d(bottom)))
        pooled = torch.cat([_mean(bottom), _mean(up2), _mean(up1)], dim=1)
        logit, embedding = self.head(pooled)
        return {"mask": torch.sigmoid(self.conv2d_5(up1)), "logit": logit, "embedding": embedding}


def _norm(name: str, channels: int) -> nn.Module:
    if name == "none":
        return nn.Identity()
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "group":
        return nn.GroupNorm(8, channels)
    raise ValueError(f"norm must be one of {NORMS}, got {name!r}")


def centre(x: Tensor, height: int, width: int) -> Tensor:
    """The middle `height` x `width` pixels of maps (N, C, H, W)."""
    # Nothing to cut, and nothing for exporters to wonder about.
    if x.shape[2] == height and x.shape[3] == width:
        return x
    top = (x.shape[2] - height) // 2
    left = (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


@fx.wrap  # a node of the traced graph, for its branch cannot be traced
def _mean(x: Tensor) -> Tensor:
    """Mean over the pixels; the class head gets float32 whatever the maps are made of."""
    if x.dtype == torch.bfloat16 or x.dtype == torch.float16:
        return x.mean(dim=(2, 3), dtype=torch.float32)
    return x.mean(dim=(2, 3))


def _initialise(network: nn.Module) -> None:
    """He initialisation: without normalisation layers the signal must keep its size through ten layers."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, a=0.25, nonlinearity="leaky_relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
