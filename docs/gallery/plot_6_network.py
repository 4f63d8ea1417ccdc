"""
A custom network
================

Networks of the registry are plain ``torch.nn.Module`` objects with named outputs: here the U-Net with
parametric leaky ReLU, narrower than the paper's, and the slopes that it starts to learn from.
"""

import matplotlib.pyplot as plt
import torch

from fastpgs.nets.registry import build_network

network = build_network("unet_plr", in_channels=3, width=8)
out = network(torch.zeros(2, 3, 48, 48))
for name, value in out.items():
    print(f"{name:10s}", tuple(value.shape))
slopes = [m for m in network.modules() if isinstance(m, torch.nn.PReLU)]
print(f"{sum(p.numel() for p in network.parameters()):,} parameters, {len(slopes)} layers of PLR")

# %%
# Each channel of each layer has a slope of its own; ReLU is the slope 0.
x = torch.linspace(-2, 2, 200)
fig, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
for slope in (0.0, float(slopes[0].weight[0].detach()), 0.6):
    ax.plot(x, torch.nn.functional.prelu(x, torch.tensor([slope])), label=f"slope {slope:.2f}")
ax.set(xlabel="in", ylabel="out")
_ = ax.legend()
