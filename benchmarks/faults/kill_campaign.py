"""SIGKILL at random moments: nothing is lost, nothing half-written, and the next command goes on.

Each life of a command begins in a folder of its own. The command is started as a real process group, killed at a moment
drawn from the time it takes undisturbed (every other one from the time behind its first write), looked at, and started
again, one to four times; then it is let run to its end, which is compared with that of an undisturbed one. After each
kill every file has to be whole, what was safely done has to be there, and no process may be left (a sweep's workers go
on by design; in half of its kills they are killed with it). The campaign may be stopped: the same command goes on with
the same folder.

Commands are forked from this process, which has torch imported; they are processes like any other from there on.

Usage: python benchmarks/faults/kill_campaign.py [--kills 200] [--seed 0] [--folder DIR] [--verbs train,sweep,...]
                                                 [--out FILE.md]
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from examine import find_damage, find_leftovers
from processes import Command, kill_all, wait_until_gone
from setting import GONE_S, LONGEST_S, Setting, judge_end, load_torch, open_setting, snapshot, wait_for_write
from verbs import SHARES, Verb

from windtunnel.core.files import write_json, write_text

MOST_KILLS_A_LIFE = 4
_HALF = 0.5


@dataclass
class Tally:
    """What came of one command's lives.

    Args:
        lives: lives that are over.
        kills: kills.
        at_work: of these, when the command had written something since it was started.
        went_on: of these, after which the same command came to the right end.
        lost: in words, what was gone after a kill or not right at the end.
        half_written: in words, files that were not whole.
        left_running: in words, processes that stayed.
        leftovers: temporary files that kills left behind, hidden and taken for nothing.
        seconds: wall clock of it all.
    """

    lives: int = 0
    kills: int = 0
    at_work: int = 0
    went_on: int = 0
    lost: list[str] = field(default_factory=list)
    half_written: list[str] = field(default_factory=list)
    left_running: list[str] = field(default_factory=list)
    leftovers: int = 0
    seconds: float = 0.0


def share_out(kills: int, names: Sequence[str]) -> dict[str, int]:
    """Return how many kills each command gets, ``kills`` in all, in the proportions of ``SHARES``.

    >>> share_out(20, ["train", "fetch"])
    {'train': 14, 'fetch': 6}
    """
    whole = sum(SHARES[name] for name in names)
    shares = {name: kills * SHARES[name] // whole for name in names}
    for name in names[: kills - sum(shares.values())]:
        shares[name] += 1
    return shares


def live(setting: Setting, verb: Verb, reference: Path, tally: Tally, *, kills: int, chance: random.Random) -> None:
    """Go through one life of the command with at most ``kills`` kills."""
    name = f"{verb.name.replace(' ', '-')}-{tally.lives}"
    life, tag = setting.begin(verb, name), f"{os.getpid()}-{name}"
    most = min(chance.randint(1, MOST_KILLS_A_LIFE), kills)
    killed, faults = 0, []
    while True:
        said = life.parent / f"said-{killed}.txt"
        safe, before = verb.measure(life), snapshot(life)
        command = setting.start(verb, life, said, tag=tag)
        if killed == most:
            code = command.wait(LONGEST_S)
            break
        code = wait_for_the_moment(setting, verb, command, life, chance)
        if code is not None:
            break
        command.kill()
        if verb.works_on and chance.random() < _HALF:
            kill_all(tag)
        killed += 1
        tally.at_work += snapshot(life) != before
        faults += look_after_kill(verb, life, safe, tag, tally)
    if code is None:
        command.kill()
    elif killed == 0:  # nobody disturbed it: the machine, or a cache, has become quicker since
        setting.expect(verb, time.monotonic() - command.begun)
    end = judge_end(verb, life, reference, code, said.read_text(errors="replace"))
    left = wait_until_gone(tag, GONE_S)
    tally.left_running += [f"{name}: process {pid} at the end" for pid in left]
    kill_all(tag)
    tally.lost += [f"{name}: {fault}" for fault in [*faults, *end]]
    tally.kills += killed
    tally.went_on += 0 if faults or end else killed
    tally.lives += 1


def wait_for_the_moment(
    setting: Setting, verb: Verb, command: Command, life: Path, chance: random.Random
) -> int | None:
    """Wait for a moment drawn from all the command takes, or as often from where it writes.

    Returns:
        Its exit code if it has ended by then.
    """
    if chance.random() < _HALF:
        return command.wait(chance.uniform(0.0, setting.seconds[verb.name]))
    code = wait_for_write(command, life)
    return code if code is not None else command.wait(chance.uniform(0.0, setting.writing_seconds[verb.name]))


def look_after_kill(verb: Verb, life: Path, safe: float, tag: str, tally: Tally) -> list[str]:
    """Note what a kill left; return in words what it lost."""
    if not verb.works_on:
        tally.left_running += [f"{life.name}: process {pid} after a kill" for pid in wait_until_gone(tag, GONE_S)]
    tally.half_written += [f"{life.name}: {damage}" for damage in find_damage(life)]
    tally.leftovers += len(find_leftovers(life))
    now = verb.measure(life)
    return [f"{safe:g} was done before a kill and {now:g} after it"] if now < safe else []


def format_table(tallies: dict[str, Tally]) -> str:
    """Return the tallies in Markdown."""
    head = ("command", "lives", "kills", "while at work", "went on", "lost", "half-written", "left running", "seconds")
    rows = []
    for name, one in tallies.items():
        faults = (len(one.lost), len(one.half_written), len(one.left_running))
        rows.append((name, one.lives, one.kills, one.at_work, one.went_on, *faults, round(one.seconds)))
    whole = ("together", *(sum(row[place] for row in rows) for place in range(1, len(head))))
    lines = [head, ("---",) * len(head), *rows, whole]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def read_tallies(path: Path) -> dict[str, Tally]:
    """Return what an earlier campaign in this folder has counted."""
    kept = json.loads(path.read_text()) if path.exists() else {}
    return {name: Tally(**values) for name, values in kept.items()}


def run_campaign(folder: Path, *, kills: int, seed: int, names: Sequence[str]) -> dict[str, Tally]:
    """Go through the campaign and return the tallies, which are kept in ``folder`` as well."""
    path = folder / "tallies.json"
    tallies = read_tallies(path)
    load_torch()
    with open_setting(folder) as setting:
        verbs = {verb.name: verb for verb in setting.list_verbs()}
        setting.refer(verbs["train"])  # reports need its run
        for name, share in share_out(kills, names).items():
            tally = tallies.setdefault(name, Tally())
            reference = setting.refer(verbs[name])
            print(f"{name}: {setting.seconds[name]:.1f} s undisturbed, {share} kills", flush=True)
            while tally.kills < share:
                begun = time.monotonic()
                chance = random.Random(f"{seed}/{name}/{tally.lives}")
                live(setting, verbs[name], reference, tally, kills=share - tally.kills, chance=chance)
                tally.seconds += time.monotonic() - begun
                write_json(path, {one: asdict(values) for one, values in tallies.items()})
    return {name: tallies[name] for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="seed of what is killed when")
    parser.add_argument("--folder", type=Path, default=Path("fault-campaign"), help="where to work, and to go on")
    parser.add_argument("--verbs", default=",".join(SHARES), help="commands, with commas between")
    parser.add_argument("--out", type=Path, help="write the table there as well")
    options = parser.parse_args()
    folder = options.folder.resolve()
    tallies = run_campaign(folder, kills=options.kills, seed=options.seed, names=options.verbs.split(","))
    print(format_table(tallies))
    faults = [fault for one in tallies.values() for fault in (*one.lost, *one.half_written, *one.left_running)]
    print("\n".join(faults))
    if options.out:
        write_text(options.out, format_table(tallies))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
