"""
A custom network
================

Networks of the registry are plain ``torch.nn.Module`` objects with named outputs: here the U-Net with
parametric leaky ReLU, narrower than the paper's, and the slopes that it starts to learn from.
"""

import torch

from fastpgs.nets.registry import build_network

network = build_network("unet_plr", in_channels=3, width=8)
out = network(torch.zeros(2, 3, 48, 48))
for name, value in out.items():
    print(f"{name:10s}", tuple(value.shape))
slopes = [m for m in network.modules() if isinstance(m, torch.nn.PReLU)]
print(f"{sum(p.numel() for p in network.parameters()):,} parameters, {len(slopes)} layers of PLR")
