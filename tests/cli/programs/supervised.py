"""Supervises the programs of the command line: as JSON, the name, the arguments and the time to stop of each.

A process of its own, because a supervisor ends all children of its process. It imports little, since each test starts
one.
"""

import asyncio
import json
import os
import sys
from functools import partial
from pathlib import Path

import typer

from cli.programs.supervisor import Program, Supervisor
from models.errors import Transient

# A program is ready once its file exists. It ends after `lives_s`, and notes its start and its signals.
PROGRAM = """
import os, pathlib, signal, subprocess, sys, time
name, lives_s, stubborn, orphan = sys.argv[1], float(sys.argv[2]), "stubborn" in sys.argv, "orphan" in sys.argv
def note(what):
    with open("notes", "a") as notes:
        notes.write(f"{name} {what} {time.monotonic()}\\n")
def stopped(number, frame):
    print(name + " stops", flush=True)
    note("stopped")
    if not stubborn:
        sys.exit(0)
killed = next((int(each.removeprefix("killed:")) for each in sys.argv if each.startswith("killed:")), 0)
if killed and (not os.path.exists("notes") or open("notes").read().count(name + " killed") < killed):
    note("killed")
    os.kill(os.getpid(), signal.SIGKILL)
note("SIGINT-" + ("ignored" if signal.getsignal(signal.SIGINT) == signal.SIG_IGN else "heeded"))
signal.signal(signal.SIGTERM, stopped)
if orphan:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)"
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
print("the last words of " + name, flush=True)
note("started")
pathlib.Path(name + ".ready").touch()
deadline = time.monotonic() + lives_s
while time.monotonic() < deadline:
    time.sleep(0.05)
sys.exit(3)
"""


def drive() -> None:
    try:
        asyncio.run(_drive([(name, arguments, stop) for name, arguments, stop in json.loads(sys.argv[1])]))
    except Transient as error:
        sys.exit(str(error))


async def _drive(programs: list[tuple[str, list[str], float]]) -> None:
    async with Supervisor(Path("logs/up.log"), typer.echo) as supervisor:
        for name, arguments, stop_within_s in programs:
            command = [sys.executable, "-c", PROGRAM, name, *arguments]
            await supervisor.start(Program(name, command, os.environ, stop_within_s))
            await supervisor.until(name, partial(_exists, Path(f"{name}.ready")), within_s=240)
        await asyncio.to_thread(Path("up").touch)
        await asyncio.Event().wait()


async def _exists(path: Path) -> bool:
    return await asyncio.to_thread(path.exists)


if __name__ == "__main__":
    drive()
