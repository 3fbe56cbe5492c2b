"""Words the judgements of a verdict on a signed document, with their reasons."""

from markupsafe import Markup

from api.console.words.languages import worded
from api.console.words.sentences.forms import english, forms, in_words
from api.console.words.values import NO_VALUE, isolated, plain
from domain.words.wording import N_

_REASONS = (
    N_("it is not valid"),
    N_("its certificate does not lead to a trusted root"),
    N_("its certificate was not valid at the time of signing"),
    N_("its certificate had expired at the time of signing"),
    N_("its certificate was not valid yet at the time of signing"),
    N_("it, or a certificate above it, uses an algorithm that is too weak"),
    N_("its certificate, or one above it, is not for this use"),
    N_("its certificate is not trusted"),
    N_("no trusted roots were configured"),
    N_("without a trusted root, OCSP answers and CRLs cannot be checked"),
    N_("the certificate of an issuer was revoked"),
    N_("the OCSP answers and CRLs in the document cannot be read"),
    N_("its certificate was revoked before it signed"),
    N_("its certificate was revoked, and no trusted time stamp proves that it signed before"),
    N_("its certificate has expired, and no trusted time stamp proves that it signed before"),
    N_("no OCSP answer and no CRL for the certificate was found in the document"),
    N_("the OCSP answers and CRLs in the document are older than the signature"),
    N_("it opens with a password only"),
    N_("it is no PDF, or its structure is damaged"),
    N_("its examination would take more time or memory than one document may"),
    N_("it has a signature that no form field leads to"),
    N_("its form fields cannot be compared"),
    N_("the document before and after a later update cannot be compared"),
    N_("a signature is of an unknown kind"),
    N_("a signature is damaged, or made in a way that cellar does not know"),
    N_("the parameters of RSA-PSS are missing"),
    N_("the public key of the certificate cannot be used here"),
    N_("the mask generation of RSA-PSS is not MGF1"),
    N_("the RSA key is too short"),
    N_("the RSA key is too short for the digest"),
)
_SOURCE = "by (?P<source>an OCSP answer|a CRL) of (?P<said_at>.*)"
_FORMS = forms(
    (r"(?P<outcome>.+), because (?P<why>.+)\.", N_("%(outcome)s, because %(why)s.")),
    (f"yes, at (?P<at>.*), {_SOURCE}", N_("yes, at %(at)s, by %(source)s of %(said_at)s")),
    (
        f"no, {_SOURCE}; revoked later, at (?P<at>.*)",
        N_("no, by %(source)s of %(said_at)s; revoked later, at %(at)s"),
    ),
    (f"no, {_SOURCE}", N_("no, by %(source)s of %(said_at)s")),
    (r"(?P<answer>yes|no|unknown|not judged): (?P<why>.+)", "%(answer)s: %(why)s"),
    (
        r"the certificate's key is not for signatures of the kind (?P<kind>.*)",
        N_("the key of the certificate is not for signatures of the kind %(kind)s"),
    ),
    (
        r"signatures of the kind (?P<kind>\S+) with (?P<digest>.*) cannot be computed here",
        N_("signatures of the kind %(kind)s with %(digest)s cannot be computed here"),
    ),
    (
        r"signatures of the kind (?P<kind>\S+) are computed only over signed attributes",
        N_("signatures of the kind %(kind)s are computed only over signed attributes"),
    ),
    (r"the digest algorithm of the signature is not known here", N_("the digest algorithm is not known here")),
    (
        r"the (digest|signature) algorithm (?P<name>.*) is not known here",
        N_("the algorithm %(name)s is not known here"),
    ),
)
_SOURCES = forms(("an OCSP answer", N_("an OCSP answer")), ("a CRL", N_("a CRL")))


def verdict_text(text: str) -> Markup:
    """Return a judgement with its reason. A judgement without words is English."""
    if not text:
        return NO_VALUE
    words = verdict_line(plain(text))
    return english(text) if words == plain(text) else Markup("<bdi>{}</bdi>").format(words)


def outcome_text(text: str) -> Markup:
    """Return the judgement on the whole document without the word for its outcome, which stands before it."""
    words = verdict_line(plain(text))
    return (
        english(text.partition(": ")[2])
        if words == plain(text)
        else Markup("<bdi>{}</bdi>").format(words.partition(": ")[2])
    )


def verdict_line(text: str) -> str:
    """Return a judgement within a line of text."""
    return in_words(text, _FORMS, _value) or worded(text)


def _value(name: str, text: str) -> str:
    if name == "outcome":
        return worded(f"{text}.").removesuffix(".")
    if name == "why":
        return "; ".join(isolated(verdict_line(each)) for each in text.split("; "))
    if name == "source":
        return in_words(text, _SOURCES) or text
    return worded(text) if name == "answer" else isolated(text)
