"""The hardware: its GPUs, the precision that is fast on it, and training on several GPUs at once."""

import contextlib
import functools
import os
import platform
import time
from pathlib import Path

import keras

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def gpus():
    """Return the GPUs that the Keras backend sees, as a list of (name, compute capability or None).

    The compute capability is a pair such as (7, 5) for a T4; only NVIDIA's GPUs have one.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        return [(d.get("device_name", "GPU"), d.get("compute_capability")) for d in details]
    if backend == "jax":
        import jax

        found = [d for d in jax.devices() if d.platform == "gpu"]
        return [(d.device_kind, _pair(getattr(d, "compute_capability", None))) for d in found]
    if backend != "torch":  # numpy, openvino
        return []
    import torch

    cuda = torch.cuda
    return [(cuda.get_device_name(i), cuda.get_device_capability(i)) for i in range(cuda.device_count())]


@functools.cache
def cpu_gains_from_bfloat16():
    """Return whether this CPU multiplies bfloat16 faster than float32.

    Measured only where Linux lists the instructions: some CPUs that have AVX-512 BF16 are 1.5 times slower
    with it than in float32.
    """
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    if not words & {"avx512_bf16", "amx_bf16"}:
        return False
    return _seconds_to_multiply("bfloat16") < 0.8 * _seconds_to_multiply("float32")


def _seconds_to_multiply(dtype, size=1024, times=5):
    """Return the fastest of some products of two matrices, in seconds."""
    matrix = keras.ops.ones((size, size), dtype)
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        float(keras.ops.cast(keras.ops.matmul(matrix, matrix)[0, 0], "float32"))  # waits for the answer
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def choose_precision(precision="auto", separable=False):
    """Return (Keras dtype policy, reason), both str, for a model that is about to be built.

    "auto" takes mixed_bfloat16 on GPUs of compute capability 8.0 and above and, under TensorFlow, on CPUs
    that are faster with it (`cpu_gains_from_bfloat16`); mixed_float16 on GPUs from 7.0; float32 elsewhere,
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
        return "mixed_bfloat16", "this CPU is faster in it"
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
        import tensorflow as tf

        return tf.distribute.MirroredStrategy(devices).scope()
    if backend == "jax":
        names = devices or keras.distribution.list_devices("gpu")
        return keras.distribution.DataParallel(devices=names).scope()
    raise ValueError("Keras on torch trains on one device; leave devices out, or use tensorflow or jax")


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
