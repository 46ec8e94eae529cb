"""Figures of several runs of the demo as one: means and standard deviations over seeds.

p5rec demo --seed 0 --out runs/demo0      # and so on, one folder a seed
python eval/demo_seeds.py runs/demo0 runs/demo1 runs/demo2     # eval/results/demo.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev

from bench_common import RESULTS, machine, write_results

FIGURES = ("recall@10", "ndcg@10")


def over_seeds(runs: list[dict], combine) -> dict:
    told: dict = {name: combine([run[name] for run in runs]) for name in FIGURES}
    first = [run["first_time"] for run in runs]
    return told | {"first_time": {name: combine([one[name] for one in first]) for name in FIGURES}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders that `p5rec demo` wrote")
    parser.add_argument("--commit", help="of the code that ran, if it is not the present one")
    parser.add_argument("--out", type=Path, default=RESULTS / "demo.json")
    options = parser.parse_args()
    if len(options.runs) < 2:
        parser.error("one run has no standard deviation: give two or more")
    runs = [json.loads((run / "summary.json").read_text("utf-8")) for run in options.runs]
    for run in runs:
        del run["examples"]
    known = machine("torch", "transformers", "numpy")
    figures = {
        **known,
        "commit": options.commit or known["commit"],
        "seeds": [run["seed"] for run in runs],
        "mean": over_seeds(runs, mean),
        "sd": over_seeds(runs, stdev),
        "runs": runs,
    }
    write_results(figures, options.out)
    print(json.dumps({"mean": figures["mean"], "sd": figures["sd"]}, indent=2))


if __name__ == "__main__":
    main()
