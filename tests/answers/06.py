# %% instead
import keras
import numpy as np
from keras import layers

from fer_kit import training
from fer_kit.data import draw_sample

faces, size = draw_sample(70), 32
x = pictures = layers.Input((size, size, 3))
for filters in (4, 8):
    x = layers.Conv2D(filters, 3, 2, use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
network = keras.Model(pictures, layers.Dense(5)(layers.DepthwiseConv2D(3)(x)))
network.trainable = False
# %% 06-1 wrong: one channel
ratio = 224 * 224 * 4 / (48 * 48)
# %% 06-1 wrong: numbers, not bytes
ratio = 224 * 224 * 3 / (48 * 48)
# %% 06-1 wrong: upside down
ratio = (48 * 48) / (224 * 224 * 3 * 4)
# %% 06-1 wrong: one side
ratio = 224 / 48 * 3 * 4
# %% 06-1 wrong: float64
ratio = 224 * 224 * 3 * 8 / (48 * 48)
# %% 06-1 right: rounded
ratio = 261
# %% 06-1 right: measured
ratio = np.zeros((32, 224, 224, 3), "float32").nbytes / faces.x[:1].nbytes / 32
# %% 06-2 wrong: a factor
x = layers.Rescaling(1 / 510)(layers.Concatenate()([inputs, inputs, inputs]))
wrong_front = keras.Model(inputs, layers.Resizing(size, size)(x))
# %% 06-2 wrong: inverted
x = layers.Rescaling(-1 / 255, 1)(layers.Concatenate()([inputs, inputs, inputs]))
wrong_front = keras.Model(inputs, layers.Resizing(size, size)(x))
# %% 06-2 wrong: without the sign
wrong_front = keras.Model(inputs, keras.ops.abs(front(inputs)))
# %% 06-2 wrong: the right range
wrong_front = front
# %% 06-2 wrong: grey
x = layers.Rescaling(1 / 255)(inputs)
wrong_front = keras.Model(inputs, layers.Resizing(size, size)(x))
# %% 06-2 wrong: twice
x = layers.Rescaling(1 / 255)(layers.Concatenate()([inputs, inputs, inputs]))
wrong_front = keras.Model(inputs, layers.Resizing(size, size)(layers.Rescaling(1 / 255)(x)))
# %% 06-2 right: from front
wrong_front = keras.Model(inputs, layers.Rescaling(0.5, 0.5)(front(inputs)))
# %% 06-2 right: in another order
grey = keras.Input((48, 48, 1))
larger = layers.Resizing(size, size)(grey)
wrong_front = keras.Model(grey, layers.Rescaling(1 / 255)(layers.Concatenate()([larger, larger, larger])))
# %% 06-2 right: resized before it is rescaled
x = layers.Resizing(size, size)(layers.Concatenate()([inputs] * 3))
wrong_front = keras.Model(inputs, layers.Rescaling(1 / 255)(x))
# %% 06-3 wrong: the number of layers
learning_parameters = lambda count: count
# %% 06-3 wrong: batch normalisation counted
learning_parameters = lambda count: sum(layer.count_params() for layer in network.layers[-count:])
# %% 06-3 wrong: convolutions only
learning_parameters = lambda count: sum(
    layer.count_params() for layer in network.layers[-count:] if type(layer) is layers.Conv2D
)


# %% 06-3 wrong: arrays, not numbers
def learning_parameters(count):
    training.unfreeze(network, count)
    found = len(network.trainable_weights)
    network.trainable = False
    return found


# %% 06-3 wrong: not frozen again
def learning_parameters(count):
    training.unfreeze(network, count)
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


# %% 06-3 wrong: in thousands
def learning_parameters(count):
    training.unfreeze(network, count)
    found = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    network.trainable = False
    return found / 1000


# %% 06-3 wrong: all
learning_parameters = lambda count: network.count_params()


# %% 06-3 right: by NumPy's sizes
def learning_parameters(count):
    training.unfreeze(network, count)
    found = sum(weight.numpy().size for weight in network.trainable_variables)
    network.trainable = False
    return found


# %% 06-3 right: without unfreezing
def learning_parameters(count):
    found = 0
    for layer in network.layers[::-1][:count]:
        if layer.__class__.__name__ != "BatchNormalization":
            found += sum(np.prod(weight.shape, dtype=int) for weight in layer.weights)
    return float(found)
