"""A worker that trains nothing: what it does is the first word of its job's id. Needs only the standard library."""

import faulthandler
import json
import os
import signal
import sys
import time
from pathlib import Path

# collecting doctests imports this file without an order
ORDER = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")) if __name__ == "__main__" else {}
FOLDER = Path(ORDER.get("folder", ""))
ATTEMPT = ORDER.get("attempt", 0)
BEHAVIOUR = ORDER.get("job", "").split("-")[0]
EPOCHS = 3
EPOCH_S = 0.05


def write(path, value):
    temporary = Path(f"{path}.{os.getpid()}")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


def beat(step, peak=1000):
    values = {"attempt": ATTEMPT, "beat": step, "step": step, "total_steps": EPOCHS, "step_seconds": EPOCH_S}
    reports = 0 if BEHAVIOUR == "quiet" else step
    write(ORDER["heartbeat"], {**values, "reports": reports, "peak_bytes": peak})


def end(cause, reason="", exit_code=0):
    if cause in ("finished", "diverged"):
        write(FOLDER / "summary.json", {"status": cause, "reason": reason, "metrics": {"val_accuracy": 0.5}})
    write(ORDER["result"], {"attempt": ATTEMPT, "cause": cause, "reason": reason, "peak_bytes": 2000})
    sys.exit(exit_code)


def epochs_done():
    path = FOLDER / "epochs.txt"
    return len(path.read_text().split()) if path.exists() else 0


def train(seconds=EPOCH_S, epochs=EPOCHS):
    """Train on from what earlier attempts left; every epoch leaves its attempt in epochs.txt."""
    for epoch in range(epochs_done() + 1, epochs + 1):
        time.sleep(seconds)
        if ORDER["claim"] and not Path(ORDER["claim"]).exists():
            end("interrupted", "its claim is gone", 143)
        with (FOLDER / "epochs.txt").open("a") as file:
            file.write(f"{ATTEMPT}\n")
        with (FOLDER / "metrics.csv").open("a") as file:
            file.write("epoch,val_accuracy\n" * (epoch == 1) + f"{epoch},{epoch / 10}\n")
        beat(epoch)
        if BEHAVIOUR == "killed" and epoch == 1 and ATTEMPT == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def end_at_once():
    """End here, for those that do."""
    match BEHAVIOUR:
        case "crash":
            end("crash", "RuntimeError: it broke", 1)
        case "usage":
            end("usage", "data.batch_size: too large", 2)
        case "full" if ATTEMPT == 1:
            end("storage", "[Errno 28] No space left on device: 'state.pt'", 87)
        case "fullest" if ATTEMPT == 1:
            sys.exit(87)  # not even a result could be written
        case "once" if ATTEMPT == 1:
            end("usage", "data.source: its disk is not mounted", 2)
        case "insatiable":
            end("memory", "tried to allocate 1 GiB", 86)
        case "greedy" if ATTEMPT < 3:
            end("memory", "tried to allocate 1 GiB", 86)
        case "diverges":
            train(epochs=1)
            end("diverged", "the training loss is not finite", 1)


def linger():
    """Take longer than others, for those that do."""
    match BEHAVIOUR:
        case "hog":
            ballast = bytearray(120_000_000)
            time.sleep(20)
            del ballast
        case "frozen" if ATTEMPT == 1:
            faulthandler.register(signal.SIGUSR1, all_threads=True)
            time.sleep(600)
        case "slow":
            train(seconds=0.5, epochs=40)
        case "slowish":
            train(seconds=0.25, epochs=6)
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            train(seconds=30)


def main():
    signal.signal(signal.SIGTERM, lambda *_: end("interrupted", "SIGTERM", 143))
    FOLDER.mkdir(parents=True, exist_ok=True)
    beat(0)
    end_at_once()
    linger()
    train()
    end("finished", "all epochs trained")


if __name__ == "__main__":
    main()
