"""The networks that have names: those of the original, torchvision's in its forms, and some of our own."""

from __future__ import annotations

from dnn_topology.nets.zoo import adapted, original, small
from dnn_topology.nets.zoo.network import Network, Shape

GRAY28, GRAY32, COLOR28, COLOR32 = (1, 28, 28), (1, 32, 32), (3, 28, 28), (3, 32, 32)
WIDTH_DROPOUT = ("width", "dropout")


def _same(*layers: str) -> dict[str, tuple[str, ...]]:
    """Return layers whose outputs are the nodes, as units and as channels."""
    return {"unit": layers, "channel": layers}


def _lenet(name: str, shape: Shape, n_nodes: tuple[int, int], n_classes: int | None = None) -> Network:
    """Return a LeNet for images of one shape."""
    about = "2 convolutions, 2 linear layers, dropout" + ("; one class against the rest" if n_classes else "")
    nodes = _same("conv1", "conv2", "fc1", "fc2")
    return Network(
        name,
        about,
        small.lenet([50]),
        (shape,),
        n_nodes,
        nodes,
        n_classes=n_classes,
        options=WIDTH_DROPOUT,
        renames=original.LENET,
    )


def _conv(n_nodes: tuple[int, int], *widths: int) -> Network:
    """Return a conv_N. Its channels are those of the convolutions' own outputs, its units those after the last ones."""
    depth = 2 * len(widths)
    linear = ("fc1", "fc2", "fc3")
    pooled = tuple(f"relu{place}" for place in range(2, depth + 1, 2))
    nodes = {
        # conv_6 has too many units in its early layers: the original takes the last pair's alone.
        "unit": (*(("relu5", "relu6") if depth == 6 else pooled), *linear),
        "channel": (*(f"conv{place}" for place in range(1, depth + 1)), *linear),
    }
    about = f"{depth} convolutions, 3 linear layers"
    shapes = (GRAY28, COLOR28, GRAY32, COLOR32)
    return Network(
        f"conv_{depth}",
        about,
        small.conv(widths),
        shapes,
        n_nodes,
        nodes,
        options=WIDTH_DROPOUT,
        renames=original.LINEAR,
    )


def _vgg(depth: int) -> Network:
    """Return a VGG with batch normalisation."""
    nodes = _same(*adapted.vgg_nodes(depth))
    build = adapted.adapted(f"vgg{depth}_bn", adapted.vgg, init_weights=False)
    aliases = ("vgg",) if depth == 16 else ()
    about = f"VGG of {depth} layers, with batch normalisation"
    return Network(f"vgg{depth}", about, build, (COLOR32,), (36874, 1930), nodes, aliases)


def _resnet(depth: int, n_nodes: tuple[int, int]) -> Network:
    """Return a residual network."""
    nodes = _same("layer3", "layer4", "avgpool", "fc")
    build = adapted.adapted(f"resnet{depth}", adapted.resnet)
    aliases = ("resnet",) if depth == 18 else ()
    return Network(
        f"resnet{depth}",
        f"residual network of {depth} layers",
        build,
        (COLOR32,),
        n_nodes,
        nodes,
        aliases,
        renames=original.RESNET,
    )


def _densenet(depth: int, n_nodes: tuple[int, int]) -> Network:
    """Return a densely connected network. The original selects no layers in it; these are where ResNet's are."""
    nodes = _same("features.transition3", "features.norm5", "classifier")
    build = adapted.adapted(f"densenet{depth}", adapted.densenet)
    aliases = ("densenet",) if depth == 121 else ()
    about = f"densely connected network of {depth} layers"
    return Network(f"densenet{depth}", about, build, (COLOR32,), n_nodes, nodes, aliases)


NETWORKS = {
    network.name: network
    for network in (
        _lenet("lenet", GRAY28, (1820, 90)),
        _lenet("lenet32", GRAY32, (2520, 90)),
        _lenet("lenetbin", GRAY28, (1812, 82), 2),
        _lenet("lenet32bin", GRAY32, (2512, 82), 2),
        Network(
            "lenet_300_100",
            "multilayer perceptron 300-100",
            small.perceptron([300, 100]),
            (GRAY28,),
            (410, 410),
            any_shape=True,
            options=("width", "depth", "dropout"),
            renames=original.LINEAR,
        ),
        Network(
            "mlp",
            "multilayer perceptron 100-100",
            small.perceptron([100, 100]),
            (GRAY28,),
            (210, 210),
            any_shape=True,
            options=("width", "depth", "dropout"),
            renames=original.LINEAR,
        ),
        Network(
            "lenetext",
            "LeNet with 2 more linear layers",
            small.lenet([120, 120, 84]),
            (GRAY28, COLOR28),
            (2094, 364),
            _same("conv1", "conv2", "fc1", "fc2", "fc3", "fc4"),
            options=WIDTH_DROPOUT,
            renames=original.LENET,
        ),
        Network(
            "conv_1d",
            "3 convolutions along a sequence, or an image row by row, and 1 linear layer",
            small.sequence([25, 25, 25]),
            (GRAY28,),
            (17135, 85),
            _same("conv1", "conv2", "conv3", "fc1"),
            any_shape=True,
            options=WIDTH_DROPOUT,
        ),
        _conv((13066, 650), 64),
        _conv((19338, 906), 64, 128),
        _conv((15370, 1418), 64, 128, 256),
        Network(
            "alexnet",
            "5 convolutions, 1 linear layer",
            adapted.adapted("alexnet", adapted.alexnet),
            (COLOR32,),
            (4618, 1162),
            {
                "unit": (*(f"features.{place}" for place in (2, 5, 7, 9, 12)), "classifier"),
                "channel": (*(f"features.{place}" for place in (0, 3, 6, 8, 10)), "classifier"),
            },
        ),
        *map(_vgg, (11, 13, 16, 19)),
        *(_resnet(depth, (25098, 1290)) for depth in (18, 34)),
        *(_resnet(depth, (100362, 5130)) for depth in (50, 101, 152)),
        _densenet(121, (24586, 1546)),
        _densenet(161, (52234, 3274)),
        _densenet(169, (36874, 2314)),
        _densenet(201, (45066, 2826)),
        Network(
            "inception",
            "GoogLeNet: inception modules, with batch normalisation",
            adapted.adapted("googlenet", adapted.inception, aux_logits=False, init_weights=False),
            (COLOR32,),
            (119818, 2890),
            # The original selects no layers; these are where ResNet's are.
            _same("maxpool4", "inception5b", "avgpool", "fc"),
            ("googlenet",),
        ),
    )
}
