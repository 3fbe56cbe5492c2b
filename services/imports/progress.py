"""Keeps the progress of an import in the store, beside the results of its run, so that every worker can go on."""

from pydantic import ValidationError

from adapters.files.store import result_key, store
from models.runs.imports import ImportProgress

_NAME = "import.json"


def kept_progress(flow_run_id: str) -> ImportProgress:
    """Return the progress of an import; at the beginning, and where it is damaged, that of a new import.

    An import that begins again changes nothing: what it has archived is known.

    Raises:
        Transient: the store does not answer.
    """
    text = store().found_bytes(_key(flow_run_id))
    try:
        return ImportProgress.model_validate_json(text) if text else ImportProgress()
    except ValidationError:
        return ImportProgress()


def keep_progress(flow_run_id: str, progress: ImportProgress) -> None:
    store().overwrite_bytes(progress.model_dump_json().encode(), _key(flow_run_id))


def _key(flow_run_id: str) -> str:
    return result_key(f"{flow_run_id}/{_NAME}")
