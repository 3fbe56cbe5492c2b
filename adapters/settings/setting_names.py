"""Refuses variables that look like settings of cellar and are none: a misspelled setting would have no effect.

This matters most where a default is less strict than the setting, as with secrets, limits and the place of the store.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from models.errors import WrongUse

_PREFIX = "CELLAR_"
_SECRETS = "CELLAR_SECRETS_DIR"
_MARK = "CELLAR_UP"  # `cellar up` marks its programs with it
_SERVICE = re.compile(r".*_SERVICE_(HOST|PORT(_.+)?)|.*_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|.+_PORT")
"""Variables that Kubernetes and Docker set for each service, which may be named like `cellar-db`."""


def check_names(environment: Iterable[str], env_file: Path, known: Collection[str]) -> None:
    """Check the names of all variables that begin like a setting.

    Raises WrongUse if a name is unknown, or the file cannot be read.
    """
    wrong = [_unknown(name, "the environment", known) for name in sorted(_foreign(environment, known))]
    wrong += [_unknown(name, str(env_file.absolute()), known) for name in sorted(_foreign(_names_in(env_file), known))]
    if wrong:
        raise WrongUse("; ".join(wrong))


def secrets_folder(environment: Mapping[str, str], env_file: Path) -> Path | None:
    """Return the folder of files with secrets, None where none is set. Raises WrongUse if the folder does not exist."""
    made = environment.get(_SECRETS) or (dotenv_values(env_file).get(_SECRETS) if env_file.is_file() else None)
    if not made:
        return None
    if not Path(made).is_dir():
        raise WrongUse(f"{_SECRETS}: expected a folder that exists, with a file for each secret, got {made!r}")
    return Path(made)


def check_file_names(folder: Path | None, known: Collection[str]) -> None:
    """Check the names of the files in a folder of secrets.

    Raises WrongUse if a name begins like a setting and is none.
    """
    names = [path.name for path in folder.iterdir()] if folder else []
    if wrong := [_unknown(name, str(folder), known) for name in sorted(_foreign(names, known))]:
        raise WrongUse("; ".join(wrong))


def _names_in(env_file: Path) -> list[str]:
    if not env_file.is_file():  # a virtual environment is a folder that is often named .env
        return []
    try:
        return list(dotenv_values(env_file))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        detail = f"{env_file.absolute()} cannot be read: {reason}; let this user read it, or start in another folder"
        raise WrongUse(detail) from error


def _foreign(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Return the names that begin like a setting and are none. As for settings, the case does not matter."""
    ours = (name for name in names if name.upper().startswith(_PREFIX))
    return [name for name in ours if name.upper() not in {*known, _MARK} and not _SERVICE.fullmatch(name)]


def _unknown(name: str, place: str, known: Collection[str]) -> str:
    endings = [each.removeprefix(_PREFIX) for each in known if each.startswith(_PREFIX)]
    nearest = get_close_matches(name.upper().removeprefix(_PREFIX), endings, n=1)
    what_to_do = f"did you mean {_PREFIX}{nearest[0]}?" if nearest else "remove it; README.md has a table"
    return f"{name} in {place} is no setting of cellar: {what_to_do}"
