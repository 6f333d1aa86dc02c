# %% instead
import fer_kit

faces = fer_kit.load_faces()
validation = faces.public_test.sample(150)
model = fer_kit.load_pretrained("kit-small")
model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
# %% 00-1 wrong: the commonest
rarest = faces.counts()["Training"].idxmax()
# %% 00-1 wrong: the number of faces
rarest = faces.counts()["Training"].min()
# %% 00-1 wrong: the label
rarest = faces.counts()["Training"].argmin()
# %% 00-1 wrong: the first by name
rarest = sorted(faces.names)[0]
# %% 00-1 wrong: the last label
rarest = faces.names[faces.training.labels.max()]
# %% 00-1 right: from the labels
import numpy as np

rarest = faces.names[np.bincount(faces.training.labels).argmin()]
# %% 00-1 right: one by one
rarest = min(faces.names, key=lambda name: len(faces.training.of(name)))
# %% 00-2 wrong: the accuracy on all
surprise_recall = model.evaluate(validation.x, validation.labels, verbose=0)[1]
# %% 00-2 wrong: precision
answers = model.predict(validation.x, verbose=0).argmax(axis=1)
surprise_recall = (validation.labels[answers == 5] == 5).mean()
# %% 00-2 wrong: of another emotion
happy = validation.of("happy")
surprise_recall = (model.predict(happy.x, verbose=0).argmax(axis=1) == 3).mean()
# %% 00-2 wrong: in percent
surprised = validation.of("surprise")
surprise_recall = 100 * (model.predict(surprised.x, verbose=0).argmax(axis=1) == surprised.labels).mean()
# %% 00-2 wrong: the mean probability
surprised = validation.of("surprise")
surprise_recall = model.predict(surprised.x, verbose=0)[:, 5].mean() / 2
# %% 00-2 wrong: the share of all faces
answers = model.predict(validation.x, verbose=0).argmax(axis=1)
surprise_recall = ((answers == 5) & (validation.labels == 5)).mean()
# %% 00-2 right: by Keras, in three digits
surprised = validation.of("surprise")
surprise_recall = round(model.evaluate(surprised.x, surprised.labels, verbose=0)[1], 3)
# %% 00-2 right: counted
answers = model.predict(validation.x, verbose=0).argmax(axis=1)
pairs = [(true, answer) for true, answer in zip(validation.labels, answers) if true == 5]
surprise_recall = sum(true == answer for true, answer in pairs) / len(pairs)
