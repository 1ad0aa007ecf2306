"""A disk that becomes full, read-only or forbidden at every write: a clear error, nothing half-written, and it goes on.

Each command is begun anew again and again, and its disk fails from its first, second, third ... change on, in each of
its processes (see ``failing.py``). It has to end with a documented exit code and one clear line, with everything that
was there before still there and whole; with the disk mended the same command has to come to the undisturbed end. The
counts go up by one, or with ``--growth`` by more and more.

Usage: python benchmarks/faults/disk_campaign.py [--growth 1.3] [--folder DIR] [--verbs train,...] [--kinds full,...]
                                                 [--out FILE.md]
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examine import find_damage
from failing import KINDS, Failing, Kind, environment
from processes import kill_all, wait_until_gone
from setting import GONE_S, LONGEST_S, Setting, judge_end, load_torch, open_setting
from verbs import SHARES, Verb

from windtunnel.core.files import write_text

_DOCUMENTED = (0, 1, 2, 3)
_SAID = ("[Errno", "the disk full or read-only")
"""One of these has to be in what a command says that its disk made fail."""


@dataclass
class Tally:
    """What came of one command and one kind of disk.

    Args:
        failed: commands during which something failed.
        ended: their exit codes.
        went_on: how often the next command came to the undisturbed end.
        faults: in words, what was not as it should be.
    """

    failed: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    went_on: int = 0
    faults: list[str] = field(default_factory=list)


def starve(setting: Setting, verb: Verb, reference: Path, kind: Kind, at: int, tally: Tally) -> bool:
    """Let the command meet the disk that fails from change ``at`` on, then mend it; return whether anything failed."""
    name = f"{verb.name.replace(' ', '-')}-{kind}-{at}"
    life, mark = setting.begin(verb, name), setting.folder / "mark"
    mark.unlink(missing_ok=True)
    safe, said = verb.measure(life), life.parent / "said.txt"
    command = setting.start(
        verb,
        life,
        said,
        tag=name,
        environment=environment(life, kind, at, mark),
        before=Failing(life, kind, at, mark=mark).begin,
    )
    code = command.wait(LONGEST_S)
    if code is None:
        command.kill()
    wait_until_gone(name, GONE_S)
    kill_all(name)
    if not mark.exists():
        return False
    tally.failed += 1
    tally.ended[-1 if code is None else code] += 1
    faults = [*judge_failure(code, said.read_text(errors="replace")), *find_damage(life)]
    if verb.measure(life) < safe:
        faults.append("something that was there is gone")
    faults += go_on(setting, verb, life, reference, name)
    tally.went_on += not faults
    tally.faults += [f"{name}: {fault}" for fault in faults]
    return True


def judge_failure(code: int | None, said: str) -> list[str]:
    """Return in words what is wrong with how a command took its disk's failure."""
    if code not in _DOCUMENTED:
        return [f"it ended with {code}"]
    last = said.strip().splitlines()[-1] if said.strip() else ""
    if "Traceback" in said:
        return [f"a traceback: {last}"]
    return ["it failed and did not say of what"] if code and not any(words in said for words in _SAID) else []


def go_on(setting: Setting, verb: Verb, life: Path, reference: Path, tag: str) -> list[str]:
    """Give the same command with the disk mended; return in words what was wrong with its end."""
    said = life.parent / "said-then.txt"
    command = setting.start(verb, life, said, tag=tag)
    code = command.wait(LONGEST_S)
    if code is None:
        command.kill()
    left = [f"process {pid} stayed" for pid in wait_until_gone(tag, GONE_S)]
    kill_all(tag)
    return [*left, *(f"then: {fault}" for fault in judge_end(verb, life, reference, code, said.read_text()))]


def list_counts(growth: float) -> list[int]:
    """Return at which changes to fail, in order.

    >>> list_counts(2.0)[:5], list_counts(1.0)[:3]
    ([1, 2, 4, 8, 16], [1, 2, 3])
    """
    counts = [1]
    while counts[-1] < 1000:
        counts.append(max(counts[-1] + 1, math.floor(counts[-1] * growth)))
    return counts


def run_campaign(
    folder: Path, *, growth: float, names: Sequence[str], kinds: Sequence[Kind]
) -> dict[tuple[str, Kind], Tally]:
    """Go through the campaign and return what came of each command and kind."""
    tallies: dict[tuple[str, Kind], Tally] = {}
    load_torch()
    with open_setting(folder) as setting:
        verbs = {verb.name: verb for verb in setting.list_verbs()}
        setting.refer(verbs["train"])
        for name in names:
            reference = setting.refer(verbs[name])
            for kind in kinds:
                tally = tallies[name, kind] = Tally()
                for at in list_counts(growth):
                    if not starve(setting, verbs[name], reference, kind, at, tally):
                        break
                print(f"{name}, {kind}: {tally.failed} failures, {len(tally.faults)} faults", flush=True)
    return tallies


def format_table(tallies: dict[tuple[str, Kind], Tally]) -> str:
    """Return the tallies in Markdown."""
    lines = ["| command | disk | failures | exit codes | went on | faults |", "| --- | --- | --- | --- | --- | --- |"]
    for (name, kind), one in tallies.items():
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(one.ended.items()))
        lines.append(f"| {name} | {kind} | {one.failed} | {codes} | {one.went_on} | {len(one.faults)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--growth", type=float, default=1.0, help="1 for every write, 1.3 for a third of the time")
    parser.add_argument("--folder", type=Path, default=Path("fault-campaign"))
    parser.add_argument("--verbs", default=",".join(SHARES), help="commands, with commas between")
    parser.add_argument("--kinds", default=",".join(KINDS), help="disks, with commas between")
    parser.add_argument("--out", type=Path, help="write the table there as well")
    options = parser.parse_args()
    wanted = [kind for kind in KINDS if kind in options.kinds.split(",")]
    names = options.verbs.split(",")
    tallies = run_campaign(options.folder.resolve(), growth=options.growth, names=names, kinds=wanted)
    print(format_table(tallies))
    faults = [fault for one in tallies.values() for fault in one.faults]
    print("\n".join(faults))
    if options.out:
        write_text(options.out, format_table(tallies))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
