"""The receiver, which lives by the clock of the fortnight: `python -m tests.fortnight.receiving CLOCK`."""

import sys
from pathlib import Path

from cli.main import main
from tests.fortnight.clock import follow_file

if __name__ == "__main__":
    follow_file(Path(sys.argv[1]))
    sys.argv = ["cellar", "api"]
    main()
