"""One contract for every network of the registry."""

import pytest
import torch

from fastpgs.nets import build_network, network_names
from fastpgs.nets.plr import count_slopes
from fastpgs.nets.registry import has_mask

VARIANTS = [
    (name, activation)
    for name in network_names()
    for activation in (["plr"] if name.startswith("unet_plr") else ["relu", "plr"])
]
SIZE = 48


@pytest.fixture(scope="module", params=VARIANTS, ids=["-".join(v) for v in VARIANTS])
def variant(request):
    torch.manual_seed(0)
    name, activation = request.param
    return name, activation, build_network(name, activation=activation, in_channels=3)


def crops(n=2, channels=3, size=SIZE):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(1))


def test_named_outputs_and_gradients(variant):
    name, _, network = variant
    network.train()
    out = network(crops())
    assert out["logit"].shape == (2, 1)
    assert out["embedding"].shape[0] == 2
    assert ("mask" in out) == has_mask(name)
    loss = out["logit"].sum()
    if has_mask(name):
        assert out["mask"].shape[:2] == (2, 1)
        assert float(out["mask"].detach().min()) >= 0
        assert float(out["mask"].detach().max()) <= 1
        loss = loss + out["mask"].mean()
    network.zero_grad()
    loss.backward()
    # EfficientNet's pad layers and such hold no parameters; every parameter there is must be reached.
    unreached = [n for n, p in network.named_parameters() if p.grad is None]
    assert unreached == []


def test_scripted_frozen_and_eager_agree(variant):
    _, _, network = variant
    network.eval()
    scripted = torch.jit.script(network)
    frozen = torch.jit.freeze(scripted)
    x = crops()
    with torch.no_grad():
        expected = network(x)
        for other in (scripted(x), frozen(x)):
            assert other.keys() == expected.keys()
            for key, value in expected.items():
                torch.testing.assert_close(other[key], value, rtol=0, atol=1e-5)


def test_activation_is_the_one_asked_for(variant):
    _, activation, network = variant
    kinds = {type(m).__name__ for m in network.modules()}
    assert not kinds & {"Swish", "MemoryEfficientSwish", "SiLU"}
    if activation == "plr":
        assert "ReLU" not in kinds
        assert count_slopes(network) > 0
    else:
        assert count_slopes(network) == 0
        assert "ReLU" in kinds


def test_weights_survive_a_file(variant, tmp_path):
    from safetensors.torch import load_file, save_file

    name, activation, network = variant
    network.eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    other = build_network(name, activation=activation, in_channels=3).eval()
    other.load_state_dict(load_file(tmp_path / "w.safetensors"))
    with torch.no_grad():
        torch.testing.assert_close(other(crops())["logit"], network(crops())["logit"], rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(2, 1, SIZE, SIZE), (3, SIZE, SIZE), (2, 3, 1, 1)])
def test_unfit_input_is_refused_with_both_values(variant, shape):
    _, _, network = variant
    with pytest.raises(ValueError, match=r"(expected|must be).*got"):
        network(torch.zeros(shape))


@pytest.mark.parametrize("size", [(50, 48), (48, 44), (7, 8)])
def test_default_network_names_the_divisor(size):
    with pytest.raises(ValueError, match=rf"divisible by 8, got {size[0]} x {size[1]}"):
        build_network("unet_plr")(torch.zeros(1, 1, *size))


@pytest.mark.parametrize("shape", [(8, 8), (16, 40), (64, 24)])
def test_default_network_takes_any_multiple_of_8(shape):
    out = build_network("unet_plr")(torch.zeros(1, 1, *shape))
    assert out["mask"].shape == (1, 1, *shape)


@pytest.mark.parametrize("classes", [2, 4])
def test_number_of_classes(classes):
    assert build_network("unet_plr", num_classes=classes)(torch.zeros(1, 1, 16, 16))["logit"].shape == (
        1,
        classes,
    )


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
def test_norm_option_adds_its_layers(norm):
    network = build_network("unet_plr", norm=norm)
    kinds = [type(m).__name__ for m in network.modules()]
    assert kinds.count("BatchNorm2d") == (7 if norm == "batch" else 0)
    assert kinds.count("GroupNorm") == (7 if norm == "group" else 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet"}, "unknown network 'resnet'"),
        ({"name": "cnn", "activation": "tanh"}, "'relu' or 'plr', got 'tanh'"),
        ({"name": "unet_plr", "activation": "relu"}, "PLR by name"),
        ({"name": "unet_plr", "in_channels": 0}, "got 0 and 1"),
        ({"name": "unet_plr", "norm": "layer"}, "got 'layer'"),
        ({"name": "cnn", "width": 3}, "does not take these options"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_network(**arguments)
