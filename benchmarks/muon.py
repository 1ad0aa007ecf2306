"""Muon's update with filters of one shape orthogonalised together, beside one matrix after the other.

Both update the same network from the same gradients; ``per matrix`` is a loop over matrices as the published code is
built: momentum, renormalisation, three Newton-Schulz steps on the whole matrix. Updates are interleaved; the ratio is
the median over pairs. The largest difference of the weights after them is printed too.

    python benchmarks/muon.py [--models airbench94 resnet18 preact_resnet18] [--repeats 15]
"""

import argparse
import copy
import statistics
import time

import torch
from pydantic import TypeAdapter

from windtunnel.config.models import ModelConfig
from windtunnel.config.optim import Muon as MuonConfig
from windtunnel.core.device import describe_device, synchronize


class PerMatrix:
    """The same update, one matrix at a time."""

    def __init__(self, optimizer):
        self.groups, self.buffers = optimizer.param_groups, {}

    @torch.no_grad()
    def step(self):
        """Update every parameter."""
        for group in self.groups:
            for parameter in group["params"]:
                self._move(parameter, group)

    def _move(self, parameter, group):
        buffer = self.buffers.setdefault(parameter, torch.zeros_like(parameter))
        gradient = parameter.grad
        buffer.mul_(group["momentum"]).add_(gradient)
        update = gradient.add(buffer, alpha=group["momentum"])
        if group["orthogonal"]:
            parameter.mul_(len(parameter) ** 0.5 / parameter.norm().clamp_min(1e-7))
            update = newton_schulz(update.flatten(1)).view_as(parameter)
        parameter.add_(update, alpha=-group["lr"])


def newton_schulz(matrix):
    """Return the published three iterations on the whole matrix, in float32 on CPUs and bfloat16 on CUDA."""
    x = matrix.bfloat16() if matrix.is_cuda else matrix
    x = x / x.norm().clamp_min(1e-7)
    x = x.T if len(matrix) > matrix.shape[1] else x
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return (x.T if len(matrix) > matrix.shape[1] else x).to(matrix.dtype)


def build(name, device):
    config = TypeAdapter(ModelConfig).validate_python(name)
    torch.manual_seed(0)
    return config.build(num_classes=10, in_channels=3, image_size=(32, 32)).to(device)


def time_update(optimizer, device):
    synchronize(device)
    start = time.perf_counter()
    optimizer.step()
    synchronize(device)
    return time.perf_counter() - start


def compare(name, repeats, device):
    """Return the row of one network."""
    ours, theirs = build(name, device), build(name, device)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    batched = MuonConfig(weight_decay=0.0).build(model=ours)
    single = PerMatrix(MuonConfig(weight_decay=0.0).build(model=theirs))
    pairs = []
    for repeat in range(repeats + 1):
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            if mine.requires_grad:
                mine.grad = torch.randn_like(mine)
                other.grad = mine.grad.clone()
        contestants = [single, batched] if repeat % 2 else [batched, single]
        taken = {id(optimizer): time_update(optimizer, device) for optimizer in contestants}
        pairs.append((taken[id(batched)], taken[id(single)]))
    difference = max((a - b).abs().max().item() for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    matrices = sum(len(group["params"]) for group in batched.param_groups if group["orthogonal"])
    shapes = {
        tuple(parameter.flatten(1).shape)
        for group in batched.param_groups
        if group["orthogonal"]
        for parameter in group["params"]
    }
    return pairs[1:], matrices, len(shapes), difference


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=["airbench94", "resnet18", "preact_resnet18"])
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"torch {torch.__version__}, {describe_device(device)}, {options.repeats} pairs\n")
    print("| network | matrices (shapes) | batched, ms | per matrix, ms | batched / per matrix | largest difference |")
    print("|---|---|---|---|---|---|")
    for name in options.models:
        pairs, matrices, shapes, difference = compare(name, options.repeats, device)
        mine, theirs = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"| {name} | {matrices} ({shapes}) | {mine:.1f} | {theirs:.1f} | {ratio:.2f}x | {difference:.1e} |")


if __name__ == "__main__":
    main()
