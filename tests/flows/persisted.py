"""Archives receipts in a process that is killed with SIGKILL right before a given write takes effect.

Each receipt is taken to its end, by the functions that the flow calls. Writes are counted as in `killed.py`.
"""

import os
import sys

from sqlalchemy import event

from adapters.database import engine
from tests.flows.killed import Countdown, counted
from tests.installations import finished

if __name__ == "__main__":
    countdown = Countdown(int(sys.argv[1]))
    event.listen(engine(), "commit", countdown.write)
    for name in ("link", "rename", "replace", "unlink"):
        setattr(os, name, counted(getattr(os, name), countdown))
    for pair in sys.argv[2:]:
        finished(*pair.split("="))
