# %% instead
import pandas as pd

rows = {
    "a": (2_500_000, 9_000_000),
    "b": (1_100_000, 40_000_000),
    "c": (58_000, 2_000_000),
    "d": (5_300_000, 8_000_000),
}
table = pd.DataFrame(rows, ["parameters", "multiply_accumulates"]).T
# %% 05-1 wrong: a constant
separable_weights = lambda before, after: 9 * 32 + 32 * 96
# %% 05-1 wrong: an ordinary one
separable_weights = lambda before, after: 9 * before * after
# %% 05-1 wrong: fits one example
separable_weights = lambda before, after: 35 * after
# %% 05-1 wrong: fits it, too
separable_weights = lambda before, after: 105 * before
# %% 05-1 wrong: depthwise on what comes out
separable_weights = lambda before, after: 9 * after + before * after
# %% 05-1 wrong: with bias
separable_weights = lambda before, after: 9 * before + before * after + after
# %% 05-1 right: shorter
separable_weights = lambda before, after: before * (3 * 3 + after)


# %% 05-1 right: asked of Keras
def separable_weights(before, after):
    layer = layers.SeparableConv2D(after, 3, use_bias=False)
    layer.build((None, 8, 8, before))
    return sum(weight.shape.num_elements() for weight in layer.trainable_variables) * 1.0


# %% 05-2 wrong: sums of nothing
inputs = x = keras.Input((24, 24, 32))
for _ in range(5):
    x = layers.Add()([x, x])
stack = keras.Model(inputs, x)
# %% 05-2 wrong: four units
inputs = x = keras.Input((24, 24, 32))
for _ in range(4):
    x = residual_unit(x, 32)
stack = keras.Model(inputs, x)
# %% 05-2 wrong: each from the start
inputs = keras.Input((24, 24, 32))
for _ in range(5):
    x = residual_unit(inputs, 32)
stack = keras.Model(inputs, x)
# %% 05-2 wrong: another input
inputs = x = keras.Input((48, 48, 32))
for _ in range(5):
    x = residual_unit(x, 32)
stack = keras.Model(inputs, x)
# %% 05-2 wrong: one way around everything
inputs = x = keras.Input((24, 24, 32))
for _ in range(10):
    x = layers.Conv2D(32, 3, padding="same", use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
stack = keras.Model(inputs, layers.Add()([inputs, x]))
# %% 05-2 wrong: without the way around
inputs = x = keras.Input((24, 24, 32))
for _ in range(10):
    x = layers.Conv2D(32, 3, padding="same", use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
stack = keras.Model(inputs, x)


# %% 05-2 right: models of one unit
def unit():
    inputs = keras.Input((24, 24, 32))
    return keras.Model(inputs, residual_unit(inputs, 32))


stack = keras.Sequential([keras.Input((24, 24, 32)), *(unit() for _ in range(5))])
# %% 05-2 right: by reduce
from functools import reduce

inputs = keras.Input((24, 24, 32))
stack = keras.Model(inputs, reduce(residual_unit, [32] * 5, inputs))
# %% 05-3 wrong: fewest parameters
cheapest = lambda table, least: table[table.parameters >= least].parameters.idxmin()
# %% 05-3 wrong: of all
cheapest = lambda table, least: table.multiply_accumulates.idxmin()
# %% 05-3 wrong: more than
cheapest = lambda table, least: table[table.parameters > least].multiply_accumulates.idxmin()
# %% 05-3 wrong: at most
cheapest = lambda table, least: table[table.parameters <= least].multiply_accumulates.idxmin()
# %% 05-3 wrong: the dearest
cheapest = lambda table, least: table[table.parameters >= least].multiply_accumulates.idxmax()
# %% 05-3 wrong: looked up
cheapest = lambda table, least: "d"
# %% 05-3 right: sorted
cheapest = lambda table, least: (
    table.query("parameters >= @least").sort_values("multiply_accumulates").index[0]
)


# %% 05-3 right: in Python
def cheapest(table, least):
    rows = [(row.multiply_accumulates, name) for name, row in table.iterrows() if row.parameters >= least]
    return min(rows)[1]
