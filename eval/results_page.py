"""Writes eval/README.md, and the plots it shows, from the figures in eval/results/.

    python eval/results_page.py        # or: make results

Nothing is measured here. A suite is shown when ``eval/results/`` has a JSON file that
``p5rec evaluate --suite`` wrote; several files of one suite (other recipes) share its section.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import EngFormatter, LogLocator

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results", HERE / "README.md"
METRICS = ("recall@5", "ndcg@5", "recall@10", "ndcg@10")
PROTOCOLS = {"plain": "plain", "unseen": "seen items excluded"}
SHOWN = "ndcg@10"
HEAD = """# Results

Written by `make results` from the JSON files in [results/](results/): edit those or the script, not
this page.

A figure means something only with its protocol. *Plain* ranks all items, as TIGER and those after
it report. *Seen items excluded* leaves out what the history holds, as the code of S3-Rec, BSARec
and RecTools does; where nobody buys twice, this alone lifts every model that does not know so.
Under it only items that the user never had are targets. Each user's last item tests,
the one before validates (in the groceries: last baskets); hyper-parameters are chosen on validation
alone, and the JSON has every trial. Ours are means over seeds, ± one standard deviation. Intervals
are 95%, from a bootstrap over users, paired; p is that of a paired permutation test.
"""


def suites() -> dict[str, list[dict]]:
    """The files of each suite, those named like the suite first."""
    found: dict[str, list[dict]] = {}
    for path in sorted(RESULTS.glob("*.json"), key=lambda path: (len(path.stem), path.stem)):
        told = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(told, dict) and {"suite", "plain", "unseen", "recipe"} <= set(told):
            found.setdefault(told["suite"], []).append({**told, "file": path.name})
    return found


def published(suite: str) -> list[dict]:
    methods = tomllib.loads((HERE / "published.toml").read_text(encoding="utf-8"))["method"]
    return [method for method in methods if suite in method]


def section(suite: str, runs: list[dict]) -> list[str]:
    """Everything about one suite."""
    first = runs[0]
    lines = [f"## {suite}", "", f"{first['users']:,} users, {first['items']:,} items.", ""]
    for protocol, words in PROTOCOLS.items():
        lines += [f"### {suite}, {words}", "", *table(suite, runs, protocol), ""]
    lines += leads(runs)
    lines += picture(suite, runs)
    for run in runs:
        lines += facts(run)
    return lines


def table(suite: str, runs: list[dict], protocol: str) -> list[str]:
    lines = [
        f"| model | {' | '.join(METRICS)} | training | source |",
        f"| --- | {'--- | ' * len(METRICS)}--- | --- |",
    ]
    for run in runs:
        figures = [run[protocol][metric] for metric in METRICS]
        several = len(run["seeds"]) > 1
        cells = [
            f"**{figure['mean']:.4f}**" + f" ± {figure['sd']:.4f}" * several for figure in figures
        ]
        seeds = f"here, {len(run['seeds'])} seed{'s' * several}"
        if run["users"] < runs[0]["users"]:
            seeds += f", {run['users']:,} users"
        lines.append(row(f"**p5rec {run['recipe']}**", cells, minutes(run), seeds))
    for name, baseline in runs[0]["baselines"].items():
        cells = [f"{baseline[protocol][metric]:.4f}" for metric in METRICS]
        lines.append(row(name, cells, minutes(baseline), "here"))
    for method in published(suite):
        if method["protocol"] != protocol:
            continue
        r5, n5, r10, n10 = method[suite]
        cells = [f"{figure:.4f}" if figure else "–" for figure in (r5, n5, r10, n10)]
        told = method["source"] + ("" if method["read"] == "own" else " (third-hand, unchecked)")
        lines.append(row(method["name"], cells, "–", told))
    return lines


def row(name: str, cells: list[str], training: str, source: str) -> str:
    return f"| {name} | {' | '.join(cells)} | {training} | {source} |"


def minutes(told: dict) -> str:
    return f"{told['train_minutes']:.1f} min ({told['train_cpu_minutes']:.1f} of CPU)"


def leads(runs: list[dict]) -> list[str]:
    """How far each recipe is ahead of each rival."""
    lines = [f"| lead in {SHOWN} | plain | seen items excluded |", "| --- | --- | --- |"]
    for run in runs:
        for name in run["baselines"]:
            pairs = [run[f"vs_{name}"][protocol][SHOWN] for protocol in PROTOCOLS]
            cells = [
                f"{p['difference']:+.4f} [{p['low']:+.4f}, {p['high']:+.4f}], p {p['p']:.4f}"
                for p in pairs
            ]
            lines.append(f"| {run['recipe']} over {name} | {' | '.join(cells)} |")
    return [*lines, ""] if len(lines) > 2 else []


def facts(run: dict) -> list[str]:
    """What a reader needs to judge and to repeat a run."""
    machine, versions = run["machine"], run["versions"]
    told = [
        f"{run['recipe']}: {run['parameters']:,} parameters, {run['train_minutes']:.1f} minutes of"
        f" training, {run['users']:,} users ranked in {run['eval_seconds']:.0f} s,"
        f" {run['invalid_items']} invalid items."
    ]
    if run.get("reference"):
        reference = run["reference"]
        seconds = run[f"seconds_to_{reference['name'].lower()}"]
        goal = f"{reference['name']}'s {reference['metric']} of {reference['value']:.4f} (plain)"
        reached = f"reached within {seconds:.0f} s" if seconds is not None else "not reached"
        told.append(f"{goal}: {reached}.")
    for name, baseline in run["baselines"].items():
        if "trials" in baseline:
            tried = sum(trial.get("rung", 1) == 1 for trial in baseline["trials"])
            told.append(
                f"{name}: best of {tried} settings on validation:"
                f" {', '.join(f'{k} {v}' for k, v in baseline['settings'].items())}."
            )
    told.append(
        f"Run with `{run['command']}` at {(run['commit'] or 'no commit')[:7]} on"
        f" {machine['processor']}, {machine['threads']} of {machine['cores']} cores, load"
        f" {machine['load'][0]}; torch {versions.get('torch')}."
        f" All of it: [{run['file']}](results/{run['file']})."
    )
    return [f"- {line}" for line in told] + [""]


def picture(suite: str, runs: list[dict]) -> list[str]:
    """Accuracy against training time and against model size, plain protocol."""
    figure, (time, size) = plt.subplots(1, 2, figsize=(10, 3.6))
    for run in runs:
        points = sorted((one["train_minutes"], one["plain"][SHOWN]) for one in run["budgets"])
        points.append((run["train_minutes"], run["plain"][SHOWN]["mean"]))
        time.plot(*zip(*points, strict=True), marker="o", label=f"p5rec {run['recipe']}")
        size.plot(run["parameters"], run["plain"][SHOWN]["mean"], "o", label=run["recipe"])
        size.annotate(
            run["recipe"],
            (run["parameters"], run["plain"][SHOWN]["mean"]),
            xytext=(6, 4),
            textcoords="offset points",
        )
    for name, baseline in runs[0]["baselines"].items():
        minutes_spent = max(baseline["train_minutes"], 0.01)
        time.plot(minutes_spent, baseline["plain"][SHOWN], "s", color="0.6")
        time.annotate(
            name,
            (minutes_spent, baseline["plain"][SHOWN]),
            xytext=(6, -4),
            textcoords="offset points",
            color="0.4",
        )
    time.set(xlabel="minutes of training", ylabel=f"{SHOWN}, plain", xscale="log")
    sizes = [run["parameters"] for run in runs]
    size.set(xlabel="parameters", xscale="log", xlim=(min(sizes) / 2, max(sizes) * 4))
    size.xaxis.set_major_formatter(EngFormatter(sep=""))
    size.xaxis.set_minor_formatter(EngFormatter(sep=""))
    size.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    time.set_xlim(right=4 * time.get_xlim()[1])
    time.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(runs))
    for axes in (time, size):
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.4)
    figure.tight_layout()
    figure.savefig(RESULTS / f"{suite}.png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    return [f"![{SHOWN} against training time and model size](results/{suite}.png)", ""]


def training_speed() -> list[str]:
    path = RESULTS / "training_speed.json"
    if not path.exists():
        return []
    told = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        "## Training speed",
        "",
        "Items learnt a second, against the way the peers train the same weights on the same",
        "machine: one padded prompt and one target an example, softmax over the whole vocabulary,",
        f"Hugging Face Trainer. Data of {told['suite']}; `{told['command']}`, load"
        f" {told['machine']['load'][0]} on {told['machine']['cores']} cores.",
        "",
        "| recipe | items/s | peers' way, items/s | times as many | memory | peers' memory |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in told["models"].items():
        lines.append(
            f"| {name} | {one['items_per_second']:,.0f} | {one['peer_items_per_second']:,.0f} |"
            f" {one['speedup']:.1f} | {one['peak_mib']:.0f} MiB | {one['peer_peak_mib']:.0f} MiB |"
        )
    return [*lines, ""]


def semantic_ids() -> list[str]:
    path = RESULTS / "ids.json"
    if not path.exists():
        return []
    import ids_report

    return ids_report.section(json.loads(path.read_text(encoding="utf-8")), path.name)


def main() -> None:
    lines = [HEAD]
    for suite, runs in sorted(suites().items()):
        lines += section(suite, runs)
    lines += training_speed()
    lines += semantic_ids()
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
