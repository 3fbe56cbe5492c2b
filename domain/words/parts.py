"""What is wrong with a part of the system that is not well: by its name, or by the code of what was found."""

from collections.abc import Mapping

from domain.words.causes import CAUSES
from models.said import Meaning
from models.store.condition import ConditionCode
from models.views.health import Grade

_NO_ROOM = Meaning("The disk has little room left.", "Free space, or move the folder to another disk.")
_AT_REST = Meaning("", "Encrypt it below cellar, or note who does: see docs/at-rest.md.")
PARTS: Mapping[str, Meaning] = {
    "receiver": Meaning(
        "The receiver does not answer, or cannot take archives in.",
        "Start cellar up, or cellar api on the machine that receives. Its log says why it ended.",
    ),
    "Prefect": CAUSES["PREFECT_AWAY"],
    "workers": Meaning(
        "No worker is online.",
        "Start cellar up or cellar worker. Archives wait meanwhile, and none is lost.",
        says_all=True,
    ),
    "housekeeping": Meaning(
        "Housekeeping stands still: messages, deadlines and lost runs wait.",
        "See whether a worker is online, the work pool is not paused, and Prefect's services run.",
    ),
    "database": CAUSES["DATABASE_AWAY"],
    "search": Meaning(
        "The search is slow, or does not find all archives.",
        "Run cellar migrate. If the detail names pg_trgm, first run CREATE EXTENSION pg_trgm in the database.",
    ),
    "store": CAUSES["STORE_AWAY"],
    "inbox": Meaning(
        "The inbox cannot be written.",
        "Check that the disk or bucket of CELLAR_INBOX_URL is there and may be written. Senders are refused "
        "until then.",
    ),
    "ClamAV": CAUSES["CLAMAV_AWAY"],
    "disk of data": _NO_ROOM,
    "disk of inbox": _NO_ROOM,
    "disk of store": _NO_ROOM,
    "sources": Meaning(
        "The records of the sources cannot be read.",
        "See whether the store answers, and restore damaged records of its folder sources from a backup.",
    ),
    "last verify": Meaning(
        "Checks of the store have found damage, or the last one broke off.",
        "Run cellar verify: it names each damaged file.",
    ),
    "last anchor": Meaning(
        "The last anchor is old or incomplete.", "Run cellar anchor, and see the runs of anchor-archives in Prefect."
    ),
    "last comparison": Meaning(
        "The last comparison with an anchor is old, or the witness had none then.",
        "Run cellar anchor, which compares again, and see the runs of anchor-archives in Prefect.",
    ),
    "last backup": Meaning(
        "The last backup is old, not whole, or broke off.",
        "Run cellar backup, which says why, and see the runs of back-up in Prefect.",
    ),
    "last drill": Meaning(
        "The last drill is old, or what it restored is not as here.",
        "Run `cellar restore --drill`, which names the archives, and see the runs of restore-drill in Prefect.",
    ),
    "seal key": CAUSES["KEY_AWAY"],
    "anchor key": Meaning(
        "The key that signs anchors is gone.", "Restore its file from a backup, or set CELLAR_ANCHOR_KEY."
    ),
    "witness": Meaning(
        "The witness does not answer, or cannot be written.",
        "Check that the folder or bucket of CELLAR_WITNESS_URL is there and may be written. Anchors go on.",
    ),
    "time zones": Meaning(
        "The times of a source seem to be of another time zone.",
        "Set the time zone that the detail names, then run the archives since again.",
    ),
    "people": Meaning(
        "A message to people did not reach its address.",
        "Run `cellar people test`, and check the address in CELLAR_PEOPLE_URLS.",
    ),
    # what was found, where that is another thing than the failure of the part
    "housekeeping_fails": Meaning(
        "Housekeeping fails: messages, deadlines, letters or lost runs wait.",
        "Open the last failed run with the tag housekeeping in Prefect's UI: it says why. It is tried again by itself.",
    ),
    "receiver_lacks_processes": Meaning(
        "Some processes of the receiver do not run.",
        "They are started again. If this lasts, see the log of the receiver.",
    ),
    "inbox_is_late": Meaning(
        "Archives wait in the inbox for too long.",
        "Run cellar failures to see which archives have failed, and check whether workers are online.",
    ),
    "source_is_silent": Meaning(
        "A source sends nothing.",
        (
            "Enter its URL and secret in Cellosign (`cellar sources rotate NAME` makes a new secret), or disable the "
            "source."
        ),
    ),
    "disabled_source_sends": Meaning(
        "A source goes on although it is disabled: what it sends is refused with 401.",
        "Change the webhook in Cellosign, or run `cellar sources enable NAME`.",
    ),
    "search_without_index": Meaning(
        "The search is slow: the server of the database lacks the extension pg_trgm.",
        "As an administrator of the server run CREATE EXTENSION pg_trgm in the database, then run cellar migrate.",
    ),
    "search_fills_in": Meaning(
        "The search misses archives that are not indexed yet.",
        "Wait: workers index them. If their number stays, see whether a worker of this version is online.",
    ),
    "not_as_anchored": ConditionCode.NOT_AS_ANCHORED.meaning,
    "comparison_broke_off": ConditionCode.STORE_UNCOMPARED.meaning,
    "no_witness": Meaning("", "Give the store a witness, which takes two minutes: see docs/evidence.md."),
    "never_backed_up": Meaning("", "Set CELLAR_BACKUP_URL, or run cellar backup --to: see docs/backup.md."),
    "never_drilled": Meaning("", "Run `cellar restore --drill --from` with the place of the backups."),
    "no_people": Meaning("", "Set CELLAR_PEOPLE_URLS, so that a person hears of failures and deadlines."),
    "unencrypted_disk": _AT_REST,
    "unencrypted_bucket": _AT_REST,
    "encryption_unknown": _AT_REST,
    "bucket_encryption_unknown": Meaning(
        "", "Grant this user s3:GetEncryptionConfiguration, or ask who runs the bucket."
    ),
    # parts that `cellar status --deep` checks
    "Python": Meaning("", "Make the virtual environment again with Python 3.11 to 3.13: `make up` does."),
    "settings": Meaning("", "Unset CELLAR_NOTIFY_ALLOW_PRIVATE in production."),
    "data folder": Meaning("", "Set CELLAR_DATA_DIR to a folder of the user who runs cellar."),
    "no_data_folder": Meaning("", "Run cellar up here, or set CELLAR_DATA_DIR to the folder of the installation."),
    "ports": Meaning("", "Stop the other program, or set the port to a free port."),
    "file modes": Meaning("", "Check that this user may look into data, inbox and store."),
    "connections": Meaning("", "Check the database first."),
    "outgoing proxy": Meaning(
        "", "Check CELLAR_OUTGOING_PROXY, and let the proxy connect to each host that is named, at the port of its URL."
    ),
    "schema": Meaning("", "Stop cellar, run cellar migrate, and start it again."),
    "Prefect version": Meaning(
        "", "Let server and cellar have the same version of Prefect: cellar up starts the server that fits."
    ),
    "Prefect servers": Meaning(
        "", "Give every Prefect server the variables of deploy/prefect-server.env, and start them again."
    ),
    "Prefect events": Meaning(
        "",
        "See whether `prefect server services start` runs and Redis answers. Archives go on meanwhile, but "
        "schedules stop and Prefect shows no tasks.",
    ),
    **dict.fromkeys(
        ("Prefect clock", "database clock"),
        Meaning("", "Synchronise the clocks of both machines, for example by systemd-timesyncd or chrony."),
    ),
    "Prefect retention": Meaning(
        "", "Set PREFECT_SERVER_SERVICES_DB_VACUUM_… on the Prefect server as docs/backup.md says."
    ),
    "work pool": Meaning("", "Start cellar worker: it makes the work pool and its deployments."),
    "pool_is_paused": Meaning("", "Resume it in Prefect, on the page of the work pool."),
    "deployment": Meaning("", "Start cellar worker of this version: it makes and updates its deployments."),
    "schedule_is_paused": Meaning("", "Resume it in Prefect, on the page of the deployment."),
    "not_this_user": Meaning(
        "", "Run the command as the user who runs cellar, or give the path to this user by `chown`."
    ),
}
"""Meanings of a part by its name, and of a finding by its code, which goes before."""


def part_meaning(name: str, code: str, verdict: Grade) -> Meaning | None:
    """Return what is wrong with a part, or what is found in it; None where nothing is to be done. Pure."""
    of_name = PARTS.get("deployment" if "/" in name else name) if verdict in (Grade.WARNING, Grade.WRONG) else None
    return PARTS.get(code, of_name)


def advice(name: str, code: str, verdict: Grade) -> str:
    """Return what to do about a part in English, empty if nothing. Pure."""
    meaning = part_meaning(name, code, verdict)
    return meaning.to_do if meaning else ""
