"""What is wrong with a part of the system that is not well: by its name, and where needed by the verdict on it."""

from collections.abc import Mapping

from domain.words.wording import N_, Meaning
from models.views.health import Verdict

_NO_ROOM = Meaning(N_("The disk has little room left."), N_("Free space, or move the folder to another disk."))
_WRONG: Mapping[str, Meaning] = {
    "receiver": Meaning(
        N_("The receiver does not answer, or cannot take archives in."),
        N_("Start cellar up, or cellar api on the machine that receives. Its log says why it ended."),
    ),
    "Prefect": Meaning(
        N_("The Prefect server does not answer."),
        N_("Start cellar up, or check PREFECT_API_URL. Archives wait meanwhile, and none is lost."),
    ),
    "workers": Meaning(
        N_("No worker is online."),
        N_("Start cellar up or cellar worker. Archives wait meanwhile, and none is lost."),
        says_all=True,
    ),
    "database": Meaning(
        N_("The database does not answer, or cannot be used."),
        N_("Check CELLAR_DATABASE_URL and the server of the database. Archives wait in the inbox meanwhile."),
    ),
    "search": Meaning(
        N_("The search is slow, or does not find all archives."),
        N_("Run cellar migrate. If the detail names pg_trgm, first run CREATE EXTENSION pg_trgm in the database."),
    ),
    "store": Meaning(
        N_("The store cannot be read or written."),
        N_("Check that the disk or bucket of CELLAR_STORE_URL is there, has room and may be written."),
    ),
    "inbox": Meaning(
        N_("The inbox cannot be written."),
        N_(
            "Check that the disk or bucket of CELLAR_INBOX_URL is there and may be written. Senders are refused until "
            "then."
        ),
    ),
    "ClamAV": Meaning(
        N_("ClamAV does not answer, so files cannot be scanned."),
        N_("Start clamd, or check CELLAR_CLAMD. Archives wait meanwhile."),
    ),
    "disk of data": _NO_ROOM,
    "disk of inbox": _NO_ROOM,
    "disk of store": _NO_ROOM,
    "sources": Meaning(
        N_("The records of the sources cannot be read."),
        N_("See whether the store answers, and restore damaged records of its folder sources from a backup."),
    ),
    "endpoints": Meaning(
        N_("Endpoints do not confirm their messages."),
        N_("Ask their operators. The page of each endpoint shows the attempts."),
    ),
    "last verify": Meaning(
        N_("Checks of the store have found damage, or the last one broke off."),
        N_("Run cellar verify: it names each damaged file."),
    ),
    "last anchor": Meaning(
        N_("The last anchor is old or incomplete."),
        N_("Run cellar anchor, and see the runs of anchor-archives in Prefect."),
    ),
    "seal key": Meaning(
        N_("The key of sealed values is missing, damaged or not in the settings. The values themselves are whole."),
        N_(
            "Restore secrets/seal from a backup, or add the key to CELLAR_SEAL_KEYS. Archives wait meanwhile, and none "
            "is lost."
        ),
    ),
    "anchor key": Meaning(
        N_("The key that signs anchors is gone."), N_("Restore its file from a backup, or set CELLAR_ANCHOR_KEY.")
    ),
    "witness": Meaning(
        N_("The witness does not answer, or cannot be written."),
        N_("Check that the folder or bucket of CELLAR_WITNESS_URL is there and may be written. Anchors go on."),
    ),
    "time zones": Meaning(
        N_("The times of a source seem to be of another time zone."),
        N_("Set the time zone that the detail names, then run the archives since again."),
    ),
    "people": Meaning(
        N_("A message to people did not reach its address."),
        N_("Run cellar people test, and check the address in CELLAR_PEOPLE_URLS."),
    ),
}
_WARNING: Mapping[str, Meaning] = {
    "receiver": Meaning(
        N_("Some processes of the receiver do not run."),
        N_("They are started again. If this stays so, see the log of the receiver."),
    ),
    "inbox": Meaning(
        N_("Archives wait in the inbox for too long."),
        N_("See which archives have failed, and whether workers are online."),
    ),
    "sources": Meaning(
        N_("A source sends nothing, or goes on although it is disabled."),
        N_("Enter its URL and secret in Cellosign, or enable or disable the source."),
    ),
}
PARTS: Mapping[Verdict, Mapping[str, Meaning]] = {Verdict.WRONG: _WRONG, Verdict.WARNING: {**_WRONG, **_WARNING}}
"""Meanings by the name of a part. A part that is well or off has none."""
