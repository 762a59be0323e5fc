"""Networks of benchmarks/gap.py that are not among the named ones; `net = "gap_nets:NAME"` in its grids."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn
from torch.nn import functional

Shape = tuple[int, int, int]


def bn_cnn(n_classes: int, shape: Shape) -> nn.Module:
    """Three convolutions of stride 2, each followed by batch normalisation, and one linear layer."""
    widths = (shape[0], 16, 32, 64)
    blocks = [
        nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        for before, after in itertools.pairwise(widths)
    ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], n_classes))


def tanh_mlp(n_classes: int, shape: Shape) -> nn.Module:
    """A perceptron 128-64 with tanh."""
    hidden = [nn.Linear(math.prod(shape), 128), nn.Tanh(), nn.Linear(128, 64), nn.Tanh()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(64, n_classes))


class Block(nn.Module):
    """Two convolutions with batch normalisation, and what came in added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        self.relu = nn.ReLU()

    def forward(self, images):
        """Return the sum, rectified."""
        return self.relu(images + self.second(self.first(images)))


def residual(n_classes: int, shape: Shape) -> nn.Module:
    """One convolution of stride 2, two residual blocks with a pooling between them, and one linear layer."""
    stem = [nn.Conv2d(shape[0], 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    body = [Block(16), nn.MaxPool2d(2), Block(16), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*stem, *body, nn.Linear(64, n_classes))


def separable(n_classes: int, shape: Shape) -> nn.Module:
    """A convolution, three depthwise and pointwise pairs (sides shrink thrice), the mean of places, a linear layer."""
    widths, strides = (32, 32, 64, 64), (2, 2, 1)
    layers: list[nn.Module] = [
        nn.Conv2d(shape[0], widths[0], 3, stride=2, padding=1, bias=False),
        *_normalised(widths[0]),
    ]
    for (before, after), stride in zip(itertools.pairwise(widths), strides, strict=True):
        depthwise = nn.Conv2d(before, before, 3, stride=stride, padding=1, groups=before, bias=False)
        pointwise = nn.Conv2d(before, after, 1, bias=False)
        layers += [depthwise, *_normalised(before), pointwise, *_normalised(after)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], n_classes))


def wide_shallow(n_classes: int, shape: Shape) -> nn.Module:
    """One convolution 5×5 of 128 channels, the mean over a quarter of each side, and one linear layer."""
    places = (min(4, shape[1]), min(4, shape[2]))
    hidden = [nn.Conv2d(shape[0], 128, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool2d(places), nn.Flatten()]
    return nn.Sequential(*hidden, nn.Linear(128 * math.prod(places), n_classes))


class Patches(nn.Module):
    """What images are as (n_samples, dim, n_patches): a linear map of each of 4×4 patches, or fewer, and its place."""

    def __init__(self, shape: Shape, dim: int) -> None:
        super().__init__()
        sides = tuple(math.ceil(side / 4) for side in shape[1:])
        self.n_patches = math.prod(size // side for size, side in zip(shape[1:], sides, strict=True))
        self.embed = nn.Conv2d(shape[0], dim, sides, stride=sides)
        self.place = nn.Parameter(0.02 * torch.randn(dim, self.n_patches))

    def forward(self, images):
        """Return the patches."""
        return self.embed(images).flatten(2) + self.place


class Mixing(nn.Module):
    """Patches are mixed among one another, then their channels, each by two layers, and what came in is added."""

    def __init__(self, dim: int, n_patches: int) -> None:
        super().__init__()
        self.of_patches = nn.Sequential(nn.Conv1d(n_patches, 32, 1), nn.GELU(), nn.Conv1d(32, n_patches, 1))
        self.of_channels = nn.Sequential(nn.Conv1d(dim, 2 * dim, 1), nn.GELU(), nn.Conv1d(2 * dim, dim, 1))
        self.first, self.second = nn.GroupNorm(1, dim), nn.GroupNorm(1, dim)

    def forward(self, patches):
        """Return patches (n_samples, dim, n_patches)."""
        patches = patches + self.of_patches(self.first(patches).transpose(1, 2)).transpose(1, 2)
        return patches + self.of_channels(self.second(patches))


class Attending(nn.Module):
    """Every patch attends to all of them with four heads, then a perceptron, and what came in is added."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.ask, self.tell = nn.Conv1d(dim, 3 * dim, 1), nn.Conv1d(dim, dim, 1)
        self.perceptron = nn.Sequential(nn.Conv1d(dim, 2 * dim, 1), nn.GELU(), nn.Conv1d(2 * dim, dim, 1))
        self.first, self.second = nn.GroupNorm(1, dim), nn.GroupNorm(1, dim)

    def forward(self, patches):
        """Return patches (n_samples, dim, n_patches)."""
        parts = self.ask(self.first(patches)).unflatten(1, (3, 4, -1)).transpose(-1, -2).unbind(1)
        heads = functional.scaled_dot_product_attention(*parts)
        patches = patches + self.tell(heads.transpose(-1, -2).flatten(1, 2))
        return patches + self.perceptron(self.second(patches))


def mixer(n_classes: int, shape: Shape) -> nn.Module:
    """An MLP-mixer: two layers that mix patches and channels, the mean over patches, and one linear layer."""
    patches = Patches(shape, 48)
    body = [Mixing(48, patches.n_patches) for _ in range(2)]
    return nn.Sequential(patches, *body, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, n_classes))


def vit(n_classes: int, shape: Shape) -> nn.Module:
    """A small vision transformer: two layers of attention, the mean over patches, and one linear layer."""
    body = [Attending(48) for _ in range(2)]
    return nn.Sequential(Patches(shape, 48), *body, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, n_classes))


class RowGRU(nn.Module):
    """A recurrent network that reads an image row by row, or a sequence number by number, and a layer of ReLU."""

    node_layers = ("last", "relu", "output")

    def __init__(self, n_classes: int, shape: Shape) -> None:
        super().__init__()
        channels, rows, columns = shape
        self.gru = nn.GRU(channels * (columns if rows > 1 else 1), 64, batch_first=True)
        self.last = nn.Identity()  # by which the last state can be heard as a layer
        self.hidden, self.relu, self.head = nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, n_classes)

    def forward(self, images):
        """Return the logits."""
        rows = images.transpose(1, 2).flatten(2) if images.shape[2] > 1 else images.flatten(1, 2).transpose(1, 2)
        states = self.gru(rows)[0]
        return self.head(self.relu(self.hidden(self.last(states[:, -1]))))


def row_gru(n_classes: int, shape: Shape) -> nn.Module:
    """A gated recurrent network over rows."""
    return RowGRU(n_classes, shape)


class Residual(nn.Sequential):
    """What came in is added to what the layers make of it."""

    def forward(self, images):
        """Return the sum."""
        return images + super().forward(images)


def convmixer(n_classes: int, shape: Shape) -> nn.Module:
    """A ConvMixer: patches of 2×2, two depthwise convolutions beside which the patches stay, each with a pointwise."""
    sides = tuple(min(2, side) for side in shape[1:])
    layers: list[nn.Module] = [nn.Conv2d(shape[0], 40, sides, stride=sides), nn.GELU(), nn.BatchNorm2d(40)]
    for _ in range(2):
        depthwise = nn.Conv2d(40, 40, 5, padding=2, groups=40)
        layers += [Residual(depthwise, nn.GELU(), nn.BatchNorm2d(40)), nn.Conv2d(40, 40, 1), nn.GELU()]
        layers.append(nn.BatchNorm2d(40))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, n_classes))


class Excitation(nn.Module):
    """Each channel is weighed by what a small perceptron makes of the means of all of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze, self.raise_ = nn.Linear(width, width // 4), nn.Linear(width // 4, width)

    def forward(self, images):
        """Return the channels, weighed."""
        weights = self.raise_(self.squeeze(images.mean(dim=(2, 3))).relu()).sigmoid()
        return images * weights[:, :, None, None]


def excited(n_classes: int, shape: Shape) -> nn.Module:
    """Three convolutions with squeeze-and-excitation (sides shrink twice), means of places, a linear layer."""
    widths, layers = (shape[0], 16, 32, 48), list[nn.Module]()
    for (before, after), stride in zip(itertools.pairwise(widths), (2, 2, 1), strict=True):
        layers += [nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.ReLU(), Excitation(after)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * widths[-1], n_classes))


class Growing(nn.Sequential):
    """What came in stays, as channels beside what the layers make of it."""

    def forward(self, images):
        """Return the channels."""
        return torch.cat([images, super().forward(images)], dim=1)


def dense(n_classes: int, shape: Shape) -> nn.Module:
    """A DenseNet: a convolution of stride 2, four layers that each see all before, means of places, a linear layer."""
    width, layers = 16, list[nn.Module]([nn.Conv2d(shape[0], 16, 3, stride=2, padding=1)])
    for _ in range(4):
        layers.append(Growing(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 12, 3, padding=1, bias=False)))
        width += 12
    return nn.Sequential(
        *layers, *_normalised(width), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, n_classes)
    )


class ColumnLSTM(nn.Module):
    """A recurrent network that reads an image column by column, both ways, and gives the mean of its states."""

    node_layers = ("states", "output")

    def __init__(self, n_classes: int, shape: Shape) -> None:
        super().__init__()
        self.lstm = nn.LSTM(shape[0] * shape[1], 40, batch_first=True, bidirectional=True)
        self.states = nn.Identity()  # by which the mean state can be heard as a layer
        self.output = nn.Linear(80, n_classes)

    def forward(self, images):
        """Return the logits."""
        states = self.lstm(images.permute(0, 3, 1, 2).flatten(2))[0]
        return self.output(self.states(states.mean(dim=1)))


def column_lstm(n_classes: int, shape: Shape) -> nn.Module:
    """A long short-term memory over columns."""
    return ColumnLSTM(n_classes, shape)


def gated_mlp(n_classes: int, shape: Shape) -> nn.Module:
    """A perceptron 96-48 with gated linear units: half of each layer's sums gate the other half."""
    hidden = [nn.Linear(math.prod(shape), 192), nn.GLU(dim=1), nn.Linear(96, 96), nn.GLU(dim=1)]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(48, n_classes))


def dilated(n_classes: int, shape: Shape) -> nn.Module:
    """Four convolutions, the later ones with holes of 1, 3 and 7 places, the largest of all places, a linear layer."""
    layers: list[nn.Module] = [nn.Conv2d(shape[0], 24, 3, stride=2, padding=1), nn.LeakyReLU(0.1)]
    for dilation in (2, 4, 8):
        layers += [nn.Conv2d(24, 24, 3, padding=dilation, dilation=dilation), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(24, n_classes))


class Inception(nn.Module):
    """Convolutions of 1×1, 3×3 and 5×5 and the largest of 3×3 places, side by side."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        pooled = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(before, width, 1))
        sides = [nn.Conv2d(before, width, side, padding=side // 2) for side in (1, 3, 5)]
        self.branches, self.relu = nn.ModuleList([*sides, pooled]), nn.ReLU()

    def forward(self, images):
        """Return the channels of all branches, rectified."""
        return self.relu(torch.cat([branch(images) for branch in self.branches], dim=1))


def inception(n_classes: int, shape: Shape) -> nn.Module:
    """A convolution of stride 2, two blocks of four branches, the means of places, and one linear layer."""
    stem = [nn.Conv2d(shape[0], 16, 3, stride=2, padding=1), nn.ReLU()]
    body = [Inception(16, 8), Inception(32, 12), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, *body, nn.Linear(48, n_classes))


class Maxout(nn.Module):
    """The largest of three linear maps, unit by unit."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.maps = nn.Linear(before, 3 * after)

    def forward(self, inputs):
        """Return (n_samples, after)."""
        return self.maps(inputs).unflatten(1, (3, -1)).amax(dim=1)


def maxout(n_classes: int, shape: Shape) -> nn.Module:
    """A perceptron 80-40 of maxout units."""
    return nn.Sequential(nn.Flatten(), Maxout(math.prod(shape), 80), Maxout(80, 40), nn.Linear(40, n_classes))


class Highway(nn.Module):
    """A layer that a gate mixes with what came in, closed at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change, self.relu, self.gate = nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        nn.init.constant_(self.gate.bias, -1.0)

    def forward(self, inputs):
        """Return the mixture."""
        open_ = self.gate(inputs).sigmoid()
        return open_ * self.relu(self.change(inputs)) + (1 - open_) * inputs


def highway(n_classes: int, shape: Shape) -> nn.Module:
    """A highway network: one layer of 64 units and four more with gates."""
    stem = [nn.Flatten(), nn.Linear(math.prod(shape), 64), nn.ReLU()]
    return nn.Sequential(*stem, *[Highway(64) for _ in range(4)], nn.Linear(64, n_classes))


class Pyramid(nn.Module):
    """A convolution at three sizes: its means over one, four and sixteen parts of the image, fewer of small ones."""

    def __init__(self, n_classes: int, shape: Shape) -> None:
        super().__init__()
        self.see, self.relu = nn.Conv2d(shape[0], 24, 5, padding=2), nn.ReLU()
        self.places = [tuple(min(n, side) for side in shape[1:]) for n in (1, 2, 4)]
        n_places = sum(math.prod(each) for each in self.places)
        self.hidden, self.rectified, self.output = nn.Linear(24 * n_places, 48), nn.ReLU(), nn.Linear(48, n_classes)

    def forward(self, images):
        """Return the logits."""
        seen = self.relu(self.see(images))
        means = [functional.adaptive_avg_pool2d(seen, each).flatten(1) for each in self.places]
        return self.output(self.rectified(self.hidden(torch.cat(means, dim=1))))


def pyramid(n_classes: int, shape: Shape) -> nn.Module:
    """Spatial pyramid pooling over one convolution, and a perceptron."""
    return Pyramid(n_classes, shape)


def _normalised(width: int) -> list[nn.Module]:
    """Return batch normalisation and ReLU."""
    return [nn.BatchNorm2d(width), nn.ReLU()]
