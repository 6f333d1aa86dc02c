"""The four reports this kit reproduces: every figure, table and number of theirs by its id.

zhao      Facial Expression Recognition Based on Various Deep Neural Networks
choudhari Facial expression recognition system using Deep learning
hejslet   Human emotional state recognition based on facial expression using deep learning
murphy    Deep Learning Project Report: Facial Emotion Recognition

A notebook that arrives at one of them says so with `show_item` (a number) or `show_figure` (a figure).
Both also leave the id in the notebook, from which `python -m fer_kit run` builds its page.
"""

import base64
import html
import io
from dataclasses import dataclass

from fer_kit.runtime.names import unknown
from fer_kit.runtime.settings import Source

RESULT_TYPE = "application/vnd.fer-kit.result+json"
FIGURE_TYPE = "application/vnd.fer-kit.figure+json"
"""Media types under which a notebook's outputs carry what was shown."""


DPI = 150
"""Resolution of the pictures kept, which are shown at 100: sharp on screens of small pixels and in print."""


@dataclass(frozen=True)
class Item:
    """`what` a report shows, and the numbers it `reported`, as text ("" where it gives none)."""

    what: str
    reported: str = ""


REPORTED = {
    "zhao-fig1": Item("real-time framework: MTCNN, KCF, crop, then expression and gender side by side"),
    "zhao-cnn": Item("CNN: conv 64, 128, 256, dense 4096, 1024, 256", "57.15 %; flat from epoch 17"),
    "zhao-vgg": Item(
        "VGG-like: 2 x conv 32, 3 x conv 64, 3 x conv 128", "58.83 %; epochs 31-90 change nothing"
    ),
    "zhao-resnet": Item("ResNet-18: 7x7 stem, four stages of two residual units", "60.00 %"),
    "zhao-init": Item("convolution weights drawn from N(0, 0.04), with and without"),
    "zhao-sepconv": Item("depthwise separable network for expression and gender", "real time"),
    "zhao-fig5": Item("false detections of the Haar cascade, against MTCNN"),
    "zhao-track": Item("detect one frame, track five with KCF", "80 frames/s; 0.22 ± 0.05 ms a face"),
    "zhao-tab1": Item(
        "row-normalised confusion matrix",
        "happy .81, sad .71, neutral .70, disgust .69, fear .61, surprise .61, angry .59",
    ),
    "zhao-fig6": Item("misclassified faces"),
    "zhao-related": Item(
        "classical features (PCA, LBP, Gabor, HOG, SIFT) with KNN and SVM", "70.7 % HOG+SVM, cited"
    ),
    "zhao-ckplus": Item("the same model on CK+", "> 95 %, cited"),
    "choudhari-load": Item("load fer2013.csv or class folders; train, validation, test"),
    "choudhari-fig1": Item("system diagram"),
    "choudhari-fig2": Item("label encoding", "angry 0 .. neutral 6"),
    "choudhari-fig3": Item("count plot of the labels"),
    "choudhari-eda": Item("overview, label distribution, sample faces, data quality"),
    "choudhari-features": Item("reshape to (N, 48, 48, 1); feature maps of first and deeper layers"),
    "choudhari-pca": Item("PCA to two and three dimensions; KNN against SVM on HOG"),
    "choudhari-augment": Item("augmentation: rotation, flip, zoom, shift"),
    "choudhari-cnn": Item("CNN, 20 epochs: accuracy (fig. 4) and loss (fig. 5)", "best epoch 7-8"),
    "choudhari-fig6": Item("hyper-parameters", "batch 16..256, epochs 10..100+, learning rate .1 .. .0001"),
    "choudhari-metrics": Item("accuracy, confusion matrix, precision, recall, F1 per emotion"),
    "hejslet-fig1": Item("one example per emotion"),
    "hejslet-tab1": Item(
        "counts per emotion, train and test folders (neutral before sad)",
        "3995/436/4097/7215/4965/4830/3171; 958/111/1024/1774/1233/1247/831",
    ),
    "hejslet-augment": Item(
        "augment_face", "rotation ±15°, flip .5, zoom .95-1.08, contrast .9-1.1, noise 3"
    ),
    "hejslet-balance": Item("balance_train_folder: under- and oversampling", "7 x 5,000"),
    "hejslet-standardise": Item("mean and standard deviation of the training pixels"),
    "hejslet-large": Item("phase 1, over 5 million parameters (fig. 3)", "train 90-93 %, validation 63 %"),
    "hejslet-light": Item(
        "phase 2, 1.5 million parameters (fig. 4, table 2)",
        "train 75.2 %, loss .68; validation 64.3 %, loss 1.01",
    ),
    "hejslet-train": Item("training recipe", "Adam 1e-3, batch 64, at most 50 epochs"),
    "hejslet-fig5": Item("confusion matrix", "happy 73.6 %"),
    "hejslet-fig6": Item("five random happy faces with prediction"),
    "hejslet-fig7": Item("five random sad faces with prediction"),
    "murphy-fig1": Item("class distribution", "disgust 1.52 %"),
    "murphy-fig2": Item("an example of happy"),
    "murphy-split": Item("80/20 split per emotion, rounded up", "22,965 / 5,744; disgust 436 -> 348"),
    "murphy-disgust-aug": Item("disgust augmented tenfold", "348 -> 3,520"),
    "murphy-base": Item("InceptionV3, frozen (fig. 3)", "validation 44.14 %, loss 1.64; test 44.14 %"),
    "murphy-finetune": Item(
        "InceptionV3, top 50 layers unfrozen (fig. 4)",
        "validation 58.22 %, loss .99; test 49.00 %, loss 1.59",
    ),
    "murphy-weights": Item("class weights"),
    "murphy-dropdisgust": Item(
        "six emotions, without disgust (fig. 5)",
        "validation 67.98 %, loss 1.02; test 48.66 %, loss 1.59",
    ),
    "murphy-fig5": Item("validation accuracy and loss of the networks side by side"),
    "murphy-results": Item(
        "results table: validation, test",
        "44.14 %, 44.14 %; 58.22 %, 49.00 %; without disgust 67.98 %, 48.66 %",
    ),
    "murphy-tuning": Item("batch 16/32/64, dropout .5/.6, schedule, augmentation", "batch 32 best"),
    "murphy-size": Item("how much data: 750 or 2,500 faces per emotion, all", "54 %, 62 %"),
    "murphy-fig6": Item("confusion matrix on the test set"),
    "murphy-fig7": Item("true against predicted faces, right in green, wrong in red"),
    "murphy-future": Item("MobileNetV2 in place of InceptionV3; ensembling"),
}
"""Every item of the four reports by its id, in the reports' order."""


CITATIONS = {
    "zhao": "Yuan Zhao: *Facial Expression Recognition Based on Various Deep Neural Networks*, Northeastern "
    "University, Boston",
    "choudhari": "Priya Choudhari, Priyanshu Giri, Shahzeb Khan: *Facial expression recognition system using "
    "Deep learning*, Sharda University",
    "hejslet": "Carl Emil Hejslet, Nicky Hauerbach Vetterstein: *Human emotional state recognition based on "
    "facial expression using deep learning*",
    "murphy": "Christopher Murphy, Nishad Vinayek, John Zumel: *Deep Learning Project Report: Facial Emotion "
    "Recognition*, 2024",
}
"""Authors, title, where and, as far as the report says it, the year, by the first word of its items' ids."""


def report_item(report_id):
    """Return the `Item` of a report id. Raises ValueError, with the nearest ids, for an unknown one."""
    if report_id not in REPORTED:
        raise ValueError(unknown("report item", report_id, REPORTED))
    return REPORTED[report_id]


def show_item(report_id, value, source="", note=""):
    """Show a report's number beside the one measured here.

    Args:
        report_id: Which item, such as `murphy-fig1`; `REPORTED` lists them.
        value: The number or the text to stand beside the report's.
        source: The dataset it was measured on (`faces.source`), or the `Source` of a record (`Run.source`).
        note: Anything the reader must know to compare the two.

    Raises:
        ValueError: For an unknown report id.
    """
    from IPython.display import display

    item = report_item(report_id)
    named = source if isinstance(source, Source) else Source(source)
    run = {"source": named.data, "profile": named.profile}
    result = {"id": report_id, "value": str(value), "note": str(note), **run}
    here = ", ".join(filter(None, (named.data, f"profile {named.profile}")))
    row = {
        "item": f"{report_id}: {item.what}",
        "the report": item.reported or "no number",
        f"here ({here})": result["value"],
    }
    if note:
        row["note"] = result["note"]
    text = "; ".join(f"{head}: {cell}" for head, cell in row.items())
    display({"text/plain": text, "text/html": _table(row), RESULT_TYPE: result}, raw=True)


def show_figure(figure, report_id, caption=""):
    """Show a matplotlib Figure as the kit's version of a report's figure, and close it.

    Args:
        figure: A matplotlib Figure.
        report_id: Which figure of the reports, such as `zhao-fig5`; `REPORTED` lists them.
        caption: What to see in it, for the page and for readers who cannot see it (alt text); by default
            what the report calls the figure.

    Raises:
        ValueError: For an unknown report id.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    item = report_item(report_id)
    caption = caption or item.what
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, bbox_inches="tight")
    plt.close(figure)
    pixels = file.getvalue()
    width = int.from_bytes(pixels[16:20], "big")  # of a PNG's header
    display(
        {
            "text/plain": f"{report_id}: {caption}",
            "image/png": base64.b64encode(pixels).decode(),
            FIGURE_TYPE: {"id": report_id, "caption": caption},
        },
        raw=True,
        metadata={"image/png": {"alt": f"{report_id}: {caption}", "width": round(width * 100 / DPI)}},
    )


def show_record(name):
    """Return the training curves of a recorded run as a Figure, and print its summary.

    Args:
        name: The run's folder among the records, such as `hejslet-light` or `studies/plain`.

    Returns:
        A matplotlib Figure, or None, saying so, where this copy of the kit has no such record.
    """
    from fer_kit.plots.results import training_curves
    from fer_kit.training.records import recorded

    run = recorded(name)
    if run is None:
        print(f"This copy of the kit has no record of {name}.")
        return None
    print(run.summary)
    about = run.source, run.provenance["selected_on"], run.best_epoch, run.loss_name
    return training_curves(run.history, f"{name} (recorded)", *about)


def _table(columns):
    """Return an HTML table of one row from a dict of heads and cells."""
    heads = "".join(f'<th style="text-align:left">{html.escape(head)}</th>' for head in columns)
    cells = "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in columns.values())
    return f"<table><thead><tr>{heads}</tr></thead><tbody><tr>{cells}</tr></tbody></table>"
