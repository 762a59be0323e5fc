"""What the original calls the parameters of its networks, so that its checkpoints load into ours.

Each entry is a pattern of a name and what it becomes here. Its VGG and AlexNet have our names already. Its DenseNet
joins channels in another order, and its GoogLeNet has one convolution more in every module: they are other networks.
"""

from __future__ import annotations

Renames = tuple[tuple[str, str], ...]

LINEAR: Renames = ((r"(fc\d+)\.(weight|bias)", r"\1.0.\2"),)
LENET: Renames = ((r"(conv\d)\.(weight|bias)", r"\1.0.\2"), *LINEAR)
RESNET: Renames = ((r"(.+)\.shortcut\.(.+)", r"\1.downsample.\2"), (r"linear\.(weight|bias)", r"fc.\1"))
