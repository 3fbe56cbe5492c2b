"""Reads the settings of another installation: of a data folder with defaults, or of a file such as `.env`."""

from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from adapters.settings.database_urls import database_place
from adapters.settings.setting_names import check_names
from adapters.settings.settings import Settings, variable_of
from models.errors import WrongUse

_PLACES = ("inbox_url", "store_url", "database_url")
_SECRETS = ("webhook_secrets", "api_tokens", "link_secret", "seal_keys", "anchor_key")


def settings_at(place: Path) -> Settings:
    """Return the settings of the installation whose data folder or file of settings is at `place`.

    They come from there alone: variables of this process belong to another installation. Relative paths count from the
    folder of the file.

    Raises:
        WrongUse: nothing is there, or a name in the file is unknown.
        ValidationError: a value in the file is wrong.
    """
    home = place.absolute().parent
    made: dict[str, Any] = dict.fromkeys(_PLACES) | {"data_dir": place.absolute()}
    made |= dict.fromkeys(("webhook_secrets", "api_tokens", "seal_keys"), ()) | dict.fromkeys(
        ("link_secret", "anchor_key"), ""
    )
    if place.is_file():
        made |= {"data_dir": home / "data"} | _told(place)
        made |= {"data_dir": home / made["data_dir"]}
    elif not place.is_dir():
        raise WrongUse(f"{place} is neither a data folder nor a file of settings")
    for name in ("inbox_url", "store_url"):
        if made[name] and "://" not in made[name]:
            made[name] = str(home / made[name])
    if (made["database_url"] or "").startswith("sqlite"):
        made["database_url"] = f"sqlite:///{home / database_place(made['database_url'])}"
    return Settings(_env_file=None, **made)


def _told(file: Path) -> dict[str, Any]:
    """Return the values of a file that say where an installation is, and which secrets it has."""
    check_names((), file, [variable_of(name) for name in Settings.model_fields])
    told = {name.upper(): value for name, value in dotenv_values(file).items() if value}
    wanted = ("data_dir", "host", "port", *_PLACES, *_SECRETS)
    return {name: told[variable_of(name)] for name in wanted if variable_of(name) in told}
