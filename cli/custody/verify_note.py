"""Notes the progress of `cellar verify` in the data folder, so that an interrupted check can be resumed."""

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from adapters.platform.durable import write_file
from adapters.settings.settings import settings
from models.errors import Conflict, Refused
from models.store.fixity import NOTHING, Fault, Fixity, FixityFinding, StoredObject

_NOTED_EVERY_S = 2


class Note:
    """The progress of a check. `last_key`: the key of the last verified object. `fixity`: the findings in the verified
    objects. Outside of objects every check starts again.
    """

    def __init__(self, share: float, *, resume: bool) -> None:
        """Read the note of the interrupted check, if any; without `resume`, remove it.

        Raises:
            Refused: the check was of another store or another share.
            Conflict: the note is damaged.
        """
        self._path = settings().data_dir.absolute() / "verify.json"
        self._check = {"store": settings().store_location, "share": share}
        self.seed, self._started_at = time.time_ns(), datetime.now(UTC).isoformat()
        self._note_at = time.monotonic()
        self.last_key, self.fixity = "", NOTHING
        if not resume:
            self.remove()
        elif self._path.exists():
            try:
                self._read(json.loads(self._path.read_bytes()))
            except (ValueError, KeyError, TypeError) as error:
                raise Conflict(f"{self._path} is damaged; start a new check, without --resume") from error

    def _read(self, noted: dict[str, Any]) -> None:
        self.seed, self._started_at = int(noted["seed"]), str(noted["started_at"])
        if {name: noted[name] for name in self._check} != self._check:
            detail = (
                f"the check of {self._started_at} had --sample {noted['share']:g} and the store {noted['store']}; "
                "resume with the same, or start a new check without --resume"
            )
            raise Refused("OTHER_CHECK", detail, where="resume")
        findings = tuple(FixityFinding(**{**each, "fault": Fault(each["fault"])}) for each in noted["findings"])
        self.last_key = noted["last_key"]
        self.fixity = Fixity(noted["objects"], noted["files"], noted["size_bytes"], findings)

    def take(self, verified: StoredObject, fixity: Fixity) -> None:
        """Add the findings of an object. Write the note every few seconds, unless there is no data folder."""
        if not verified.key:
            return
        self.fixity += fixity
        self.last_key = max(self.last_key, verified.key)
        if time.monotonic() >= self._note_at and self._path.parent.is_dir():
            noted = {"seed": self.seed, "started_at": self._started_at, "last_key": self.last_key}
            write_file(self._path, json.dumps(self._check | noted | asdict(self.fixity)).encode())
            self._note_at = time.monotonic() + _NOTED_EVERY_S

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
