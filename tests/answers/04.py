# %% instead
from fer_kit import show_item
from fer_kit.data import draw_sample

faces = draw_sample(70)
# %% 04-1 wrong: with a bias
dense_weights = 6 * 6 * 128 * 256 + 256
# %% 04-1 wrong: one place of each map
dense_weights = 128 * 256
# %% 04-1 wrong: the maps before the last pooling
dense_weights = 12 * 12 * 128 * 256
# %% 04-1 wrong: a sum
dense_weights = 6 * 6 * 128 + 256
# %% 04-1 wrong: in millions
dense_weights = 6 * 6 * 128 * 256 / 1e6
# %% 04-1 right: as a float
dense_weights = 4608 * 256.0
# %% 04-1 right: asked of Keras
dense_weights = keras.Sequential([keras.Input((4608,)), layers.Dense(256, use_bias=False)]).count_params()
# %% 04-2 wrong: one small convolution
inputs = keras.Input((48, 48, 1))
x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(inputs))
averaged = keras.Model(inputs, layers.Dense(7, activation="softmax")(x))
# %% 04-2 wrong: no softmax
x = inputs = keras.Input((48, 48, 1))
for filters, convolutions in ((64, 2), (128, 2), (256, 1)):
    x = block(x, filters, convolutions, rate=0.25)
averaged = keras.Model(inputs, layers.Dense(7)(layers.GlobalAveragePooling2D()(x)))
# %% 04-2 wrong: three emotions
x = inputs = keras.Input((48, 48, 1))
for filters, convolutions in ((64, 2), (128, 2), (256, 1)):
    x = block(x, filters, convolutions, rate=0.25)
averaged = keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
# %% 04-2 wrong: Flatten first, the average of nothing
x = inputs = keras.Input((48, 48, 1))
for filters, convolutions in ((64, 2), (128, 2), (256, 1)):
    x = block(x, filters, convolutions, rate=0.25)
x = layers.Dense(512)(layers.Flatten()(x))
x = layers.GlobalAveragePooling2D()(layers.Reshape((1, 1, 512))(x))
averaged = keras.Model(inputs, layers.Dense(7, activation="softmax")(x))
# %% 04-2 wrong: largest value
x = inputs = keras.Input((48, 48, 1))
for filters, convolutions in ((64, 2), (128, 2), (256, 1)):
    x = block(x, filters, convolutions, rate=0.25)
averaged = keras.Model(inputs, layers.Dense(7, activation="softmax")(layers.GlobalMaxPooling2D()(x)))
# %% 04-2 wrong: blocks without batch normalisation and dropout
x = inputs = keras.Input((48, 48, 1))
for filters, convolutions in ((64, 2), (128, 2), (256, 1)):
    for _ in range(convolutions):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
averaged = keras.Model(inputs, layers.Dense(7, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
# %% 04-2 wrong: convolutions of five by five
x = inputs = keras.Input((48, 48, 1))
for filters, convolutions in ((64, 2), (128, 2), (256, 1)):
    for _ in range(convolutions):
        x = layers.Conv2D(filters, 5, padding="same", use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.Dropout(0.25)(layers.MaxPooling2D(2)(x))
averaged = keras.Model(inputs, layers.Dense(7, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
# %% 04-2 wrong: all poolings at the end
x = inputs = keras.Input((48, 48, 1))
for filters in (64, 64, 128, 128, 256):
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
for _ in range(3):
    x = layers.Dropout(0.25)(layers.MaxPooling2D(2)(x))
averaged = keras.Model(inputs, layers.Dense(7, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
# %% 04-2 right: straight to the softmax
x = inputs = keras.Input((48, 48, 1))
for filters, convolutions in ((64, 2), (128, 2), (256, 1)):
    x = block(x, filters, convolutions, rate=0.25)
averaged = keras.Model(inputs, layers.Dense(7, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
# %% 04-2 right: kept dimensions, then Flatten
x = inputs = keras.Input((48, 48, 1), dtype="uint8")
x = layers.Rescaling(1 / 255)(x)
for filters, convolutions in ((64, 2), (128, 2), (256, 1)):
    x = block(x, filters, convolutions, rate=0.25)
x = layers.Flatten()(layers.GlobalAveragePooling2D(keepdims=True)(x))
x = layers.Dense(512, use_bias=False)(x)
x = layers.Dropout(0.5)(layers.Activation("relu")(layers.BatchNormalization()(x)))
averaged = keras.Model(inputs, layers.Softmax()(layers.Dense(7)(x)))
# %% 04-2 right: by_hand within a new model
base = keras.Model(
    by_hand.inputs, [one for one in by_hand.layers if isinstance(one, layers.Dropout)][-2].output
)
averaged = keras.Sequential([base, layers.GlobalAveragePooling2D(), layers.Dense(7, activation="softmax")])
# %% 04-3 wrong: the light network
options = {"name": "hejslet-light"}
# %% 04-3 wrong: another network
options = {"name": "kit-small", "augment": "hejslet"}
# %% 04-3 wrong: murphy's augmentation
options = {"name": "hejslet-large", "augment": "murphy"}
# %% 04-3 wrong: none
options = {"name": "hejslet-large", "augment": None}
# %% 04-3 wrong: dropout as well
options = {"name": "hejslet-large", "augment": "hejslet", "dropout": 0.9}
# %% 04-3 right: its own augmentation, which is the report's
options = {"name": "hejslet-large"}
# %% 04-3 right: written out
options = dict(name="hejslet-large", classes=7, augment="hejslet", gaussian_init=False, dropout=None)
