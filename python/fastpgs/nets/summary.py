"""A network as a table: Table 2 of the paper, with Eqs. 9-15 worked out for each row.

The rows are not written down anywhere: the network is traced, run once on zeros, and the sizes of what
passed each layer are read off. The equations are then evaluated beside them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from fastpgs.nets.plr import SharedPLR
from fastpgs.nets.unet import CheckInput, Concatenate

ACTIVATIONS = (nn.PReLU, nn.ReLU, SharedPLR)
SHOWN = (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.Upsample, nn.Linear, nn.BatchNorm2d, nn.GroupNorm)


@dataclass(frozen=True)
class Row:
    """One layer. Shapes are (N, H, W, C) as the paper prints them, N as None."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
    slopes: int
    connected_to: list[str]
    equation: str  # the equation that gives the size, with its numbers
    parameter_equation: str  # Eq. 10 with its numbers
    head: bool = False  # part of the class head, which Table 2 does not have


@dataclass(frozen=True)
class Summary:
    """All rows and the sums."""

    network: str
    input_shape: tuple[int, ...]
    rows: list[Row] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        """Eq. 12 over the rows outside the class head, slopes not counted."""
        return sum(r.parameters for r in self.rows if not r.head)

    @property
    def slopes(self) -> int:
        """PLR slopes outside the class head."""
        return sum(r.slopes for r in self.rows if not r.head)

    @property
    def head_parameters(self) -> int:
        """Parameters and slopes of the class head."""
        return sum(r.parameters + r.slopes for r in self.rows if r.head)

    @property
    def layers(self) -> int:
        """Eq. 13: convolutions plus up-samplings (up-convolutions among them)."""
        wanted = ("Conv2d", "ConvTranspose2d", "Upsample")
        return sum(r.kind in wanted for r in self.rows if not r.head)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain types."""
        return {
            "network": self.network,
            "input_shape": list(self.input_shape),
            "rows": [asdict(r) for r in self.rows],
            "parameters": self.parameters,
            "slopes": self.slopes,
            "total": self.parameters + self.slopes,
            "head_parameters": self.head_parameters,
            "layers": self.layers,
        }


class _Tracer(fx.Tracer):
    """Goes into blocks and stops at layers, joins and the input check."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, Concatenate | CheckInput | SharedPLR):
            return True
        return super().is_leaf_module(m, module_qualified_name)


def summarise(network: nn.Module, name: str, input_shape: tuple[int, int, int]) -> Summary:
    """Trace a network.

    Parameters
    ----------
    network : torch.nn.Module
    name : str
        Shown in the title.
    input_shape : (C, H, W)

    Returns
    -------
    Summary
        Networks of other libraries that cannot be traced are listed without connections.
    """
    network = network.eval()
    example = torch.zeros(1, *input_shape)
    try:
        graph = _Tracer().trace(network)
    except (fx.proxy.TraceError, TypeError, ValueError):
        return Summary(name, input_shape, _rows_by_hooks(network, example))
    return Summary(name, input_shape, _rows_by_trace(network, graph, example))


def _rows_by_trace(network: nn.Module, graph: fx.Graph, example: Tensor) -> list[Row]:
    modules = dict(network.named_modules())
    shapes: dict[fx.Node, Any] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            result = super().run_node(n)
            if isinstance(result, Tensor):
                shapes[n] = tuple(result.shape)
            return result

    with torch.no_grad():
        Recorder(fx.GraphModule(network, graph)).run(example)

    slopes: dict[fx.Node, int] = {}
    counted: set[nn.Module] = set()  # an activation object may serve several layers
    for node in graph.nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, ACTIVATIONS) and module not in counted:
            counted.add(module)
            source = _layers_before(node, modules)[0]
            slopes[source] = sum(p.numel() for p in module.parameters())

    rows = []
    for node in graph.nodes:
        if node.op != "call_module":
            continue
        module = modules[str(node.target)]
        if not isinstance(module, (*SHOWN, Concatenate, CheckInput)):
            continue
        sources = _layers_before(node, modules)
        in_shapes = [shapes[a] for a in node.all_input_nodes]
        rows.append(
            Row(
                name=_short(str(node.target)),
                kind="Input" if isinstance(module, CheckInput) else type(module).__name__,
                shape=_channels_last(shapes[node]),
                parameters=sum(p.numel() for p in module.parameters()),
                slopes=slopes.get(node, 0),
                connected_to=[_short(str(s.target)) for s in sources if s.op == "call_module"],
                equation=_size_equation(module, in_shapes, shapes[node]),
                parameter_equation=_parameter_equation(module),
                head=str(node.target).startswith("head"),
            )
        )
    return rows


def _rows_by_hooks(network: nn.Module, example: Tensor) -> list[Row]:
    rows: list[Row] = []

    def note(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        own = sum(p.numel() for p in module.parameters())
        if isinstance(module, nn.PReLU):
            if rows:
                rows[-1] = Row(**{**asdict(rows[-1]), "slopes": rows[-1].slopes + own})
            return
        rows.append(
            Row(
                name=name,
                kind=type(module).__name__,
                shape=_channels_last(tuple(output.shape)),
                parameters=own,
                slopes=0,
                connected_to=[],
                equation=_size_equation(module, [tuple(i.shape) for i in inputs], tuple(output.shape)),
                parameter_equation=_parameter_equation(module),
            )
        )

    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, (*SHOWN, nn.PReLU)):
            hooks.append(module.register_forward_hook(lambda m, i, o, name=name: note(name, m, i, o)))
    with torch.no_grad():
        network(example)
    for hook in hooks:
        hook.remove()
    return rows


def _layers_before(node: fx.Node, modules: dict[str, nn.Module]) -> list[fx.Node]:
    """The nearest shown layers upstream: activations, normalisation-free steps and means are passed over."""
    found: list[fx.Node] = []
    for source in node.all_input_nodes:
        module = modules.get(str(source.target)) if source.op == "call_module" else None
        if source.op == "placeholder" or isinstance(module, (*SHOWN, Concatenate, CheckInput)):
            found.append(source)
        else:
            found += [n for n in _layers_before(source, modules) if n not in found]
    return found


def _short(target: str) -> str:
    return target.removesuffix(".conv")


def _channels_last(shape: tuple[int, ...]) -> tuple[int | None, ...]:
    if len(shape) == 4:
        return (None, shape[2], shape[3], shape[1])
    return (None, *shape[1:])


def _pair(value: Any) -> int:
    return int(value[0]) if isinstance(value, tuple) else int(value)


def _size_equation(module: nn.Module, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> str:
    if isinstance(module, nn.Conv2d):
        k, s = _pair(module.kernel_size), _pair(module.stride)
        p = 0 if isinstance(module.padding, str) else _pair(module.padding)
        return f"(9) ({inputs[0][2]} - {k} + 2·{p}) / {s} + 1 = {(inputs[0][2] - k + 2 * p) // s + 1}"
    if isinstance(module, Concatenate):
        counts = " + ".join(str(i[1]) for i in inputs)
        total = output[2] * output[3] * sum(i[1] for i in inputs)
        sizes = sorted({i[2] for i in inputs})
        crop = f", {sizes[-1]} cropped to {sizes[0]}" if len(sizes) > 1 else ""
        return f"(11) {output[2]}·{output[3]}·({counts}) = {total}{crop}"
    if isinstance(module, nn.MaxPool2d):
        k = _pair(module.kernel_size)
        return f"(14) {inputs[0][2]} / {k} = {inputs[0][2] // k}"
    if isinstance(module, nn.Upsample):
        factor = int(module.scale_factor or 1)  # type: ignore[arg-type]
        return f"(15) {inputs[0][2]} × {factor} = {inputs[0][2] * factor}"
    if isinstance(module, nn.ConvTranspose2d):
        factor = _pair(module.stride)
        return f"(15) {inputs[0][2]} × {factor} = {inputs[0][2] * factor}"
    return ""


def _parameter_equation(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        k, c_in, c_out = _pair(module.kernel_size), module.in_channels, module.out_channels
        if module.groups != 1 or module.bias is None:
            return ""
        if isinstance(module, nn.ConvTranspose2d):
            return f"(10) {k}·{k}·{c_in}·{c_out} + {c_out}"
        return f"(10) ({k}·{k}·{c_in} + 1)·{c_out}"
    if isinstance(module, nn.Linear):
        return f"(10) ({module.in_features} + 1)·{module.out_features}"
    return ""
