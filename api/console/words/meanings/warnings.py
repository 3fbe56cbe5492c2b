"""What the codes of warnings mean."""

from collections.abc import Mapping

from api.console.words.languages import N_
from api.console.words.meanings.meaning import Meaning, worded
from models.archive.warning import WarningCode

_BEFORE_RELYING = N_("See the part Signed document before you rely on the document.")
_IN_CELLOSIGN = N_("If the value matters, look it up in Cellosign.")
_NOTHING = N_("There is nothing to do.")

WARNINGS: Mapping[str, Meaning] = {
    WarningCode.ATTACHMENT_EMPTY: Meaning(
        N_("An attached file is empty."), N_("If the file matters, ask the signer for it."), says_all=True
    ),
    WarningCode.DUPLICATE_KEY: Meaning(
        N_("A member of the payload occurs twice. The last value counts, and no file is lost."),
        _NOTHING,
        says_all=True,
    ),
    WarningCode.FILE_INFECTED: Meaning(
        N_("ClamAV found malware in a file."), N_("Do not open the file. Ask the person who attached it for another.")
    ),
    WarningCode.FILE_NOT_SCANNED: Meaning(
        N_("A file was too large for ClamAV and was not scanned."),
        N_("Scan the file before you open it."),
        says_all=True,
    ),
    WarningCode.INTEGRATION_FAILED: Meaning(
        N_("An integration of Cellosign failed."),
        N_("See the integrations of the session, and repeat in Cellosign what has failed."),
        says_all=True,
    ),
    WarningCode.MEDIA_TYPE_MISMATCH: Meaning(
        N_("A file is not what its declared type says."), N_("Be careful before you open the file.")
    ),
    WarningCode.MORE_WARNINGS: Meaning(
        N_("The payload gives cause for more warnings of one kind than are kept."),
        N_("The kept warnings are the first of their kind. For the others, see the request as it was sent."),
    ),
    WarningCode.OTP_NOT_SENT: Meaning(
        N_("A one-time password was not sent."), N_("Check how the signer was identified."), says_all=True
    ),
    WarningCode.SECRETS_LOCKED: Meaning(
        N_("The archive was loaded without its key."),
        N_("Bring the key back: in CELLAR_SEAL_KEYS, or in the folder keys of the store. Then run the archive again."),
        says_all=True,
    ),
    WarningCode.SESSION_NOT_SUBMITTED: Meaning(
        N_("A session was not submitted."),
        N_("Check whether the process was meant to end without this session."),
        says_all=True,
    ),
    WarningCode.SESSION_REFERENCE_MISMATCH: Meaning(
        N_("A session names another process."),
        N_("Check in Cellosign to which process the session belongs."),
        says_all=True,
    ),
    WarningCode.SIGNED_DOCUMENT_BROKEN: Meaning(
        N_("A digital signature of the document is broken."),
        N_("Do not rely on the document: let it be signed again."),
        says_all=True,
    ),
    WarningCode.SIGNED_DOCUMENT_CHANGED: Meaning(
        N_("The document was changed after it was signed."), _BEFORE_RELYING, says_all=True
    ),
    WarningCode.SIGNED_DOCUMENT_FIELDS_CHANGED: Meaning(
        N_("Form fields of the document were changed after it was signed."), _BEFORE_RELYING
    ),
    WarningCode.SIGNED_DOCUMENT_NOT_TRUSTED: Meaning(
        N_("A signature of the document is not trusted."),
        N_(
            "See the part Signed document. If the issuer of the certificate is to be trusted, add it to "
            "CELLAR_TRUST_ROOTS."
        ),
    ),
    WarningCode.SIGNED_DOCUMENT_REVOKED: Meaning(
        N_("A certificate of a signature was revoked."), _BEFORE_RELYING, says_all=True
    ),
    WarningCode.SIGNED_DOCUMENT_TOO_OLD: Meaning(
        N_("The document's last digital signature is older than the last signature in the payload."),
        N_("Check that this is the final document: it may lack a signature."),
        says_all=True,
    ),
    WarningCode.SIGNED_DOCUMENT_UNREADABLE: Meaning(
        N_("The signatures of the document cannot be judged."), _BEFORE_RELYING, says_all=True
    ),
    WarningCode.SIGNED_DOCUMENT_UNSIGNED: Meaning(
        N_("The signed document has no digital signature."),
        N_("Ask Cellosign why the document was not signed digitally."),
    ),
    WarningCode.SIGNED_DOCUMENT_WEAK_DIGEST: Meaning(
        N_("A signature uses a weak algorithm."), N_("Do not rely on this signature alone."), says_all=True
    ),
    WarningCode.SIGNER_UNKNOWN: Meaning(
        N_("A signer is not the recipient of any session."), N_("Check in Cellosign who has signed."), says_all=True
    ),
    WarningCode.SOURCES_DIFFER: Meaning(
        N_("Another source than that of the process has sent it. What it sent is set aside."),
        N_("If it is right, accept it in the part Versions, or with `cellar quarantine release`."),
        says_all=True,
    ),
    WarningCode.TEXT_REPLACED: Meaning(
        N_("Characters that databases refuse were replaced. The original is kept."), _NOTHING, says_all=True
    ),
    WarningCode.TIMESTAMP_UNREADABLE: Meaning(N_("A time could not be read."), _IN_CELLOSIGN, says_all=True),
    WarningCode.VERSION_FROM_FUTURE: Meaning(
        N_("A version says that it was made more than a day after it arrived."),
        N_("Check the clock of the sender. A version that arrives later replaces it."),
        says_all=True,
    ),
    WarningCode.WRONG_TYPE: Meaning(N_("A value has another type than documented."), _IN_CELLOSIGN),
}


def warning_meaning(code: str) -> Meaning | None:
    """Return what a warning means, None for a code without words."""
    return worded(WARNINGS, code)
