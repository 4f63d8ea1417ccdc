"""Table 2 to the letter, and the arithmetic of the PLR replacement."""

import pytest
import torch
from torch import nn

from fastpgs.nets import build_network
from fastpgs.nets.plr import SharedPLR, replace_activations
from fastpgs.nets.summary import summarise

# Rows of Table 2 as printed, the connections corrected as the parameter counts demand.
TABLE2 = {
    "input_1": ((None, 256, 256, 1), 0),
    "conv2d": ((None, 254, 254, 32), 320),
    "max_pooling2d": ((None, 127, 127, 32), 0),
    "conv2d_1": ((None, 125, 125, 64), 18496),
    "max_pooling2d_1": ((None, 62, 62, 64), 0),
    "conv2d_2": ((None, 60, 60, 128), 73856),
    "up_sampling2d": ((None, 120, 120, 128), 0),
    "concatenate": ((None, 120, 120, 192), 0),
    "conv2d_3": ((None, 118, 118, 64), 110656),
    "up_sampling2d_1": ((None, 236, 236, 64), 0),
    "concatenate_1": ((None, 236, 236, 192), 0),
    "conv2d_4": ((None, 234, 234, 32), 55328),
    "conv2d_5": ((None, 234, 234, 1), 33),
}


@pytest.fixture(scope="module")
def table2():
    return summarise(build_network("unet_plr_table2"), "unet_plr_table2", (1, 256, 256))


def test_rows_are_those_of_table_2(table2):
    rows = {r.name: r for r in table2.rows}
    for name, (shape, parameters) in TABLE2.items():
        assert rows[name].shape == shape, name
        assert rows[name].parameters == parameters, name
    assert rows["concatenate"].connected_to == ["up_sampling2d", "conv2d_1"]
    assert rows["concatenate_1"].connected_to == ["up_sampling2d_1", "skip_up_sampling2d"]
    assert rows["skip_up_sampling2d"].connected_to == ["conv2d_2"]


def test_parameters_of_table_2(table2):
    assert table2.parameters == 258_689
    assert table2.slopes == 320
    network = build_network("unet_plr_table2")
    outside_head = sum(p.numel() for n, p in network.named_parameters() if not n.startswith("head"))
    assert outside_head == 259_009
    assert table2.head_parameters == sum(p.numel() for p in network.head.parameters())


def test_equations_give_the_measured_sizes(table2):
    sized = [r for r in table2.rows if r.equation and "(11)" not in r.equation]
    assert len(sized) == 11
    for row in sized:
        assert row.equation.endswith(f"= {row.shape[1]}"), row
    for row in table2.rows:
        if row.parameter_equation:
            text = row.parameter_equation.removeprefix("(10) ").replace("·", "*")
            assert eval(text) == row.parameters, row  # the text is arithmetic of our own making


def test_default_network_reads_pool3():
    rows = {r.name: r for r in summarise(build_network("unet_plr"), "unet_plr", (1, 64, 64)).rows}
    assert rows["conv4"].connected_to == ["pool3"]
    assert rows["conv4"].shape == (None, 8, 8, 256)
    assert rows["merge3"].connected_to == ["upconv3", "conv3"]
    assert rows["output"].shape == (None, 64, 64, 1)


def test_efficientnet_is_listed_and_counted_once():
    network = build_network("efficientnet_b3", activation="plr", in_channels=3)
    summary = summarise(network, "efficientnet_b3", (3, 64, 64))
    listed = summary.parameters + summary.slopes + summary.head_parameters
    assert listed == sum(p.numel() for p in network.parameters())


def test_replacement_counts_channels_by_running():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.SiLU()
            self.first = nn.Conv2d(1, 6, 1)
            self.rest = nn.Sequential(nn.Conv2d(6, 10, 1), nn.Sequential(nn.ReLU(), nn.Conv2d(10, 4, 1)))

        def forward(self, x):
            return self.act(self.rest(self.act(self.first(x))))

    network = Odd()
    assert replace_activations(network, torch.zeros(1, 1, 3, 3)) == 2
    assert isinstance(network.act, SharedPLR)
    assert [p.num_parameters for p in network.act.by_width] == [4, 6]
    assert network.rest[1][0].num_parameters == 10
    assert network(torch.ones(1, 1, 3, 3)).shape == (1, 4, 3, 3)


def test_plr_is_linear_on_both_sides():
    plr = build_network("unet_plr").conv1.act
    with torch.no_grad():
        plr.weight.copy_(torch.linspace(-1, 1, 32))
    x = torch.tensor([-2.0, 0.0, 3.0]).view(3, 1, 1, 1).expand(3, 32, 1, 1)
    out = plr(x)
    torch.testing.assert_close(out[0, :, 0, 0], -2 * torch.linspace(-1, 1, 32))
    torch.testing.assert_close(out[2, :, 0, 0], torch.full((32,), 3.0))
