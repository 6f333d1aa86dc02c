"""The hardware: its GPUs, the precision that is fast on it, and training on several GPUs at once."""

import contextlib
import functools
import os
import platform
from pathlib import Path

import keras

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def require_channels_last():
    """Raise ValueError where Keras is set to images with channels first: all images here have them last.

    Other courses' `keras.json` may say so; Keras' own errors then speak of shapes.
    """
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            'Keras is set to "image_data_format": "channels_first", in keras.json (in the folder ~/.keras, '
            "or in KERAS_HOME), and faces here are (48, 48, 1): write channels_last there, or call "
            'keras.config.set_image_data_format("channels_last") first'
        )


def gpus():
    """Return the GPUs that the Keras backend sees, as a list of (name, compute capability or None).

    The compute capability is a pair such as (7, 5) for a T4; only NVIDIA's GPUs have one. Apple's GPU is seen
    by torch (MPS) and by JAX with Apple's plug-in (METAL).
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        return [(d.get("device_name", "GPU"), d.get("compute_capability")) for d in details]
    if backend == "jax":
        import jax

        found = [d for d in jax.devices() if d.platform.lower() in ("gpu", "metal")]
        return [(d.device_kind, _pair(getattr(d, "compute_capability", None))) for d in found]
    if backend != "torch":  # numpy, openvino
        return []
    import torch

    if torch.backends.mps.is_available():
        return [("Apple GPU", None)]
    cuda = torch.cuda
    return [(cuda.get_device_name(i), cuda.get_device_capability(i)) for i in range(cuda.device_count())]


@functools.cache
def cpu_gains_from_bfloat16(listing="/proc/cpuinfo"):
    """Return whether this CPU has instructions that multiply bfloat16: AVX-512 BF16 or AMX.

    Linux lists the instructions in the file `listing`; where there is none the answer is False. Nothing is
    measured: on a busy machine a measurement differs from run to run.
    """
    try:
        lines = Path(listing).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return bool({"avx512_bf16", "amx_bf16"} & set(flags.split()))


def choose_precision(precision="auto", separable=False):
    """Return (Keras dtype policy, reason), both str, for a model that is about to be built.

    "auto" takes mixed_bfloat16 on GPUs of compute capability 8.0 and above and, under TensorFlow, on CPUs
    with instructions for it (`cpu_gains_from_bfloat16`); mixed_float16 on GPUs from 7.0; float32 elsewhere,
    where the others are slower. Networks of `separable` convolutions stay in float32: half precision makes
    them slower on a CPU, and on a GPU (H200, JAX 0.11) the 1x1 kernels of kit-small grew to 1e34 within an
    epoch of bfloat16. Any other name of `PRECISIONS` is returned as it is.

    Raises ValueError for an unknown name.
    """
    if precision != "auto":
        if precision not in PRECISIONS:
            raise ValueError(f"no precision {precision!r}; there are auto, {', '.join(PRECISIONS)}")
        return precision, "as asked"
    if separable:
        return "float32", "separable convolutions gain nothing from half precision"
    for name, capability in gpus()[:1]:
        if capability is None or capability < (7, 0):
            return "float32", f"{name} has no fast half precision"
        policy = "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
        return policy, f"{name} has it in hardware"
    if cpu_gains_from_bfloat16() and keras.backend.backend() == "tensorflow":
        return "mixed_bfloat16", "this CPU has instructions for it"
    return "float32", "no GPU, and half precision would be slower on this CPU"


@contextlib.contextmanager
def precision_policy(policy):
    """Build all layers inside a `with` block under the Keras dtype `policy`, then restore the one before."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def distribution(devices=None):
    """Return a `with` block in which a model is built, compiled and trained on several devices at once.

    Each batch is split evenly over the devices and the gradients are added up, so the results are those of
    one device, except for batch normalisation, which sees only its own part of the batch.

    Args:
        devices: None takes all GPUs when there are two or more. A list of names takes those, such as
            `["GPU:0", "GPU:1"]`, or `["cpu:0"]` on JAX. A `tf.distribute.Strategy` is taken as it is.

    Returns:
        The scope of a MirroredStrategy on TensorFlow, of `keras.distribution.DataParallel` on JAX.

    Raises:
        ValueError: For devices on torch, where Keras trains on one device.

    Several computers (TensorFlow): start the same script on each with TF_CONFIG set, for instance
    `{"cluster": {"worker": ["host-a:12345", "host-b:12345"]}, "task": {"type": "worker", "index": 0}}`,
    and call `fit(..., devices=tf.distribute.MultiWorkerMirroredStrategy())`, each with its own `out`.
    """
    if hasattr(devices, "scope"):
        return devices.scope()
    backend = keras.backend.backend()
    if devices is None and (len(gpus()) < 2 or backend == "torch"):
        return contextlib.nullcontext()
    if backend == "tensorflow":
        return _mirrored(tuple(devices) if devices else None).scope()
    if backend == "jax":
        names = devices or keras.distribution.list_devices("gpu")
        return keras.distribution.DataParallel(devices=names).scope()
    raise ValueError("Keras on torch trains on one device; leave devices out, or use tensorflow or jax")


@functools.cache
def _mirrored(devices):
    """The one strategy for these devices: those of two networks in one process would wait for each other."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)


def device_count():
    """Return how many devices share each batch in the current `distribution` block, 1 outside of any."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.distribute.get_strategy().num_replicas_in_sync
    current = keras.distribution.distribution()
    return current.device_mesh.devices.size if current else 1


def describe():
    """Return the hardware in words: `2 x Tesla T4`, or the CPU's architecture and number of cores."""
    names = [name for name, _ in gpus()]
    if names:
        return f"{len(names)} x {names[0]}" if len(names) > 1 else names[0]
    return f"{platform.machine()} CPU, {os.cpu_count()} cores"


def out_of_memory(error):
    """Return whether an exception, of any backend, means that memory ran out."""
    words = f"{type(error).__name__} {error}".lower().replace("_", "").replace(" ", "")
    return "resourceexhausted" in words or "outofmemory" in words


def _pair(capability):
    return tuple(int(part) for part in capability.split(".")) if capability else None
