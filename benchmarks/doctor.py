"""How long the doctor takes on all of FER-2013 (aim: 30 s at most on 2 cores) and on the sample (2 s).

python benchmarks/doctor.py [PATH of FER-2013]
"""

import sys
import time

from memory import peak

from fer_kit.data.doctor import examine
from fer_kit.data.loading import load_faces

PATHS = ("sample", *sys.argv[1:2])

for path in PATHS:
    faces = load_faces(path)
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        fresh = faces[:]  # without the digests that the run before has cached
        report = examine(fresh)
        times.append(time.perf_counter() - begin)
    told = f"{', '.join(f'{t:.1f}' for t in times)} s, best {min(times):.1f}; at most {peak():,.0f} MB"
    print(f"{faces}: {told}; verdict {report.as_json()['original']['verdict']!r}")
