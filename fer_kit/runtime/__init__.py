"""What the kit stands on: settings, devices, files.

settings   profile, and where data, cache and output lie; alone reads environment variables
devices    what Keras computes on, and in which precision
files      writing that leaves a whole file or none
locks      one writer at a time in a folder
names      refuses unknown names and options, suggesting the nearest; words for Python or the command line
code       by which a function or class of the reader's own is known
extras     which extra brings a package that is missing
signals    a stopped job or a closed terminal ends like Ctrl-C
seeds      one seed for everything random, for as long as a block lasts
versions   of the packages on which a result depends
stderr     keeps libraries' greetings off the screen; starts Keras
lazy       how a sub-package's names are found when first used
"""

from fer_kit.runtime.lazy import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "settings": "PROFILES Source profile choose_seed data_path cache_dir output_dir",
        "stderr": "quiet",
    },
)
