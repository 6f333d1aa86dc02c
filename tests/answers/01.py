# %% 01-1 wrong: over all usages
ratio = counts.sum(axis=1).max() / counts.sum(axis=1).min()
# %% 01-1 wrong: upside down
ratio = counts["Training"].min() / counts["Training"].max()
# %% 01-1 wrong: in points of percent
share = counts["Training"] / counts["Training"].sum()
ratio = 100 * (share.max() - share.min())
# %% 01-1 wrong: the second commonest
ratio = counts["Training"].sort_values().iloc[-2] / counts["Training"].min()
# %% 01-1 wrong: of another usage
ratio = counts["PublicTest"].max() / counts["PublicTest"].min()
# %% 01-1 right: one decimal
ratio = round(counts["Training"].max() / counts["Training"].min(), 1)
# %% 01-1 right: from the labels
of_each = np.unique(faces.training.labels, return_counts=True)[1]
ratio = max(of_each) / min(of_each)


# %% 01-2 wrong: the wrong side
def public_twins(faces):
    return faces.training.has_twin_in(faces.public_test).sum()


# %% 01-2 wrong: PrivateTest as well
def public_twins(faces):
    tested = faces[faces.usage != "Training"]
    return tested.has_twin_in(faces.training).sum()


# %% 01-2 wrong: different pictures
def public_twins(faces):
    return len(set(faces.public_test.digests) & set(faces.training.digests))


# %% 01-2 wrong: a share
def public_twins(faces):
    return faces.public_test.has_twin_in(faces.training).mean()


# %% 01-2 wrong: a mask
def public_twins(faces):
    return len(faces.public_test.has_twin_in(faces.training))


# %% 01-2 wrong: twins among themselves
def public_twins(faces):
    return len(faces.public_test) - len(set(faces.public_test.digests))


# %% 01-2 right: by a set
def public_twins(faces):
    known = set(faces.training.digests.tolist())
    return sum(digest in known for digest in faces.public_test.digests.tolist())


# %% 01-2 right: by the pixels
def public_twins(faces):
    known = {image.tobytes() for image in faces.training.images}
    return float(len([1 for image in faces.public_test.images if image.tobytes() in known]))


# %% 01-3 wrong: test faces stay
harmful = (faces.images.std(axis=(1, 2)) < 1) | faces.has_twin_in(faces[faces.usage != "Training"])
clean = faces[~(harmful & (faces.usage == "Training"))]
# %% 01-3 wrong: the blank ones stay
clean = faces.training[~faces.training.has_twin_in(faces[faces.usage != "Training"])]
# %% 01-3 wrong: twins of PrivateTest stay
training = faces.training
clean = training[(training.images.std(axis=(1, 2)) >= 1) & ~training.has_twin_in(faces.public_test)]
# %% 01-3 wrong: dark faces are thrown away
training = faces.training
bad = (training.images.mean(axis=(1, 2)) < 70) | training.has_twin_in(faces[faces.usage != "Training"])
clean = training[~bad & (training.images.std(axis=(1, 2)) >= 1)]
# %% 01-3 wrong: duplicates are removed
training = faces.training
bad = (training.images.std(axis=(1, 2)) < 1) | training.has_twin_in(faces[faces.usage != "Training"])
first = np.unique(training.digests, return_index=True)[1]
clean = training[np.setdiff1d(first, np.flatnonzero(bad))]
# %% 01-3 wrong: a few are lost
training = faces.training
bad = (training.images.std(axis=(1, 2)) < 1) | training.has_twin_in(faces[faces.usage != "Training"])
clean = training[~bad][:-20]
# %% 01-3 right: in two steps
clean = faces.training[~faces.training.has_twin_in(faces.public_test.join(faces.private_test))]
clean = clean[np.std(clean.images.reshape(len(clean), -1), axis=1) >= 1]
# %% 01-3 right: in another order
tested = set(faces[faces.usage != "Training"].digests.tolist())
rows = [k for k, digest in enumerate(faces.training.digests.tolist()) if digest not in tested]
clean = faces.training[np.array(rows)[::-1]]
clean = clean[np.array([image.std() >= 1 for image in clean.images])]
