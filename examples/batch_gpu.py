"""Judge every smear image below a folder on a GPU; run it again after an interruption to go on.

    python batch_gpu.py SMEARS OUT [DEVICE]

Research use only. Not a medical device.
"""

import sys

import pyarrow.compute as pc

import fastpgs

smears, out = sys.argv[1:3]
device = sys.argv[3] if len(sys.argv) > 3 else "cuda"

result = fastpgs.classify(smears, device=device, out=out, resume=True)

print(result)
suspicious = result.images.filter(pc.equal(result.images["call"], "blast"))
for row in suspicious.sort_by([("p_blast", "descending")]).slice(0, 20).to_pylist():
    print(f"{row['p_blast']:.3f}  {row['blasts']:>4} of {row['cells']:<4} cells  {row['image']}")
sys.exit(0 if result.ok else 1)
