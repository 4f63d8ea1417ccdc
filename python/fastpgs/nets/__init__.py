"""Networks: U-Net PLR in the paper's two readings, and the baselines it is compared with."""

from fastpgs.nets.registry import NETWORKS, build_network, network_names
from fastpgs.nets.unet import UNet, UNetTable2

__all__ = ["NETWORKS", "UNet", "UNetTable2", "build_network", "network_names"]
