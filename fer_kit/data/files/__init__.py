"""From files to faces, whatever they are packed in: content decides, not a name's ending.

kinds      what a file is, told by its first bytes
archive    folders, zip and tar archives as mappings from name to bytes; nothing is unpacked beside them
layout     which emotion and usage a file's place stands for
pictures   the one reader of pictures, for datasets and cameras
csv        fer2013.csv
arrays     Parquet tables, .npy and .npz arrays
votes      FER+: ten people's votes in place of the label
numbering  folders and labels that are numbers: which emotion is which
reading    all of them together: from a path to a FaceSet
"""
