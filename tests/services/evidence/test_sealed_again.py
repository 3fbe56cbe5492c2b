"""A bag that was changed and sealed again by another than its holder is refused, whatever was changed."""

import base64
import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.anchors import anchors
from adapters.settings.settings import settings
from models.access import CELLAR
from services.anchors.making import make
from services.evidence import check
from services.views import archive_view
from tests.installations import archived, installed
from tests.samples import sample_body, sample_document
from tests.services.evidence.bags import (
    anchor,
    attachments,
    bag_of,
    in_clear,
    replaced,
    sealed_again,
)
from tests.time_stamp_authorities import authority

Change = Callable[[Path, Path], object]
FILES = "data/files"
SEAL = "tagmanifest-sha256.sig"
SIGNED = f"{FILES}/SIGNEDDOCUMENT.pdf"


def altered(name: str, before: str, after: str) -> Change:
    return lambda bag, _: replaced(bag / name, before.encode(), after.encode())


def removed(name: str) -> Change:
    return lambda bag, _: (bag / name).unlink()


def renamed(name: str, to: str) -> Change:
    def change(bag: Path, _: Path) -> None:
        (bag / to).parent.mkdir(exist_ok=True)
        (bag / name).rename(bag / to)

    return change


def added(name: str, source: str) -> Change:
    return lambda bag, _: shutil.copy(bag / source, bag / name)


def of_the_other(*names: str) -> Change:
    return lambda bag, other: [shutil.copy(other / each, bag / each) for each in names]


def exchanged(one: str, other: str) -> Change:
    def change(bag: Path, _: Path) -> None:
        before, after = (bag / one).read_bytes(), (bag / other).read_bytes()
        (bag / one).write_bytes(after)
        (bag / other).write_bytes(before)

    return change


def of_json(name: str, change: Callable[[dict[str, list[object]]], object]) -> Change:
    def rewrite(bag: Path, _: Path) -> None:
        document = json.loads((bag / name).read_bytes())
        change(document)
        (bag / name).write_text(json.dumps(document))

    return rewrite


def signed_by_another(bag: Path, _: Path) -> None:
    another = Ed25519PrivateKey.generate()
    pem = another.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (bag / "data/proof/key.pem").write_bytes(pem)
    (bag / "data/proof/statement.sig").write_bytes(another.sign((bag / "data/proof/statement.json").read_bytes()))
    sealed_again(bag)
    (bag / SEAL).write_bytes(another.sign((bag / "tagmanifest-sha256.txt").read_bytes()))


def unsigned(bag: Path, _: Path) -> None:
    replaced(bag / "data/summary.html", b"Held by", b"Kept by")
    (bag / SEAL).unlink()


CHANGES: dict[str, Change] = {
    "two attachments under each other's names": exchanged(f"{FILES}/a.txt", f"{FILES}/b.txt"),
    "the document under the name of an attachment": exchanged(SIGNED, f"{FILES}/a.txt"),
    "an attachment renamed": renamed(f"{FILES}/a.txt", f"{FILES}/c.txt"),
    "the document renamed": renamed(SIGNED, f"{FILES}/draft.pdf"),
    "a file moved to those without a name": renamed(f"{FILES}/a.txt", "data/contents/a.txt"),
    "a file removed": removed(f"{FILES}/a.txt"),
    "a file added": added(f"{FILES}/c.txt", "bagit.txt"),
    "a file twice": added(f"{FILES}/c.txt", f"{FILES}/a.txt"),
    "a file's text": altered(f"{FILES}/a.txt", "one", "two"),
    "the time of arrival": altered("data/receipt.json", '"received_at": "2', '"received_at": "1'),
    "the outcome of a delivery": altered("data/receipt.json", '"new"', '"changed"'),
    "a delivery added": of_json("data/receipt.json", lambda it: it["deliveries"].append(it["deliveries"][0])),
    "a delivery removed": of_json("data/receipt.json", lambda it: it["deliveries"].pop()),
    "deliveries in another order": of_json("data/receipt.json", lambda it: it["deliveries"].reverse()),
    "the answer": altered("data/receipt.json", '"status": "0"', '"status": "1"'),
    "the head of the page": altered("data/summary.html", "Held by", "Kept by"),
    "the head of the Hebrew page": altered("data/summary.he.html", 'class="result', 'class="whole result'),
    "a name on the page": altered("data/summary.html", "a.txt", "z.txt"),
    "a name on the Hebrew page": altered("data/summary.he.html", "b.txt", "z.txt"),
    "the page removed": removed("data/summary.html"),
    "the Hebrew page removed": removed("data/summary.he.html"),
    "the pages exchanged": exchanged("data/summary.html", "data/summary.he.html"),
    "a page added": added("data/summary.fr.html", "data/summary.html"),
    "the page of another archive": of_the_other("data/summary.html"),
    "the holder in bag-info": altered("bag-info.txt", "עיריית", "מועצת"),
    "the date in bag-info": altered("bag-info.txt", "Bagging-Date: 2026", "Bagging-Date: 2025"),
    "the process in bag-info": altered("bag-info.txt", "External-Identifier: whole", "External-Identifier: other"),
    "a label in bag-info": altered("bag-info.txt", "Bagging-Date", "Contact-Name: nobody\nBagging-Date"),
    "the encoding of the tags": altered("bagit.txt", "UTF-8", "UTF-16"),
    "the program": altered("check.py", "YES.", "YES!"),
    "attachments in another order": of_json("data/skeleton.json", lambda it: it["attachments"].reverse()),
    "roles": altered("data/skeleton.json", '"signed_document"', '"attachment"'),
    "a value of the request": altered("data/skeleton.json", "SOMEVALUE1", "SOMEVALUE2"),
    "cuts in another order": of_json("data/cuts.json", lambda it: it["cuts"].reverse()),
    "the verdict": altered("data/signatures.json", '"sound"', '"broken"'),
    "the validation report": altered("data/validation-report.xml", "NO_CERTIFICATE_CHAIN_FOUND", "TRY_LATER"),
    "the verdict removed": removed("data/signatures.json"),
    "the virus scan": of_the_other("data/scans.json"),
    "the virus scan removed": removed("data/scans.json"),
    "the inventory of another archive": of_the_other("data/inventory.json"),
    "the facts in the leaf": altered(
        "data/proof/leaf.json", '"facts":["', '"facts":["00000000000000000000000000000000","'
    ),
    "the leaf of another archive": of_the_other("data/proof/leaf.json", "data/proof/path.json"),
    "another anchor": of_the_other(
        *(f"data/proof/{each}" for each in ("statement.json", "statement.sig", "path.json"))
    ),
    "the time stamp of another anchor": of_the_other("data/proof/time-stamp-1.tsr"),
    "the time stamp removed": removed("data/proof/time-stamp-1.tsr"),
    "the authorities removed": removed("data/proof/authorities.pem"),
    "the signature of another bag": of_the_other(SEAL),
    "another key": signed_by_another,
    "no signature, and another page": unsigned,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[tuple[Path, Path, str]]:
    """A bag, the bag of another archive in another anchor, and the root of the first's anchor."""
    folder = tmp_path_factory.mktemp("sealed")
    stamping = authority(folder / "authority")
    files = attachments(("a.txt", b"one"), ("b.txt", b"two!"))
    document = sample_document()["signed_document"]
    with installed(folder, holder="עיריית דוגמה", time_stamp_roots=stamping.root):
        settings().data_dir.mkdir()
        shutil.copy(migrated_file, settings().database_location.removeprefix("sqlite:///"))
        bags = dict[str, Path]()
        for reference, its in {"other": files[:1], "whole": files}.items():
            body = in_clear(reference, attachments=its, signed_document=document)
            receipt_id = archived(reference, body)
            archived(reference, body)
            root = anchor([reference, *bags], stamping)
            bags[reference] = bag_of(reference, receipt_id, folder / reference)
        yield bags["whole"], bags["other"], root


def test_bag_that_was_changed_and_sealed_again_is_refused(
    made: tuple[Path, Path, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, other, root = made
    assert check.main([str(whole), "--root", root]) == 0, capsys.readouterr().out
    monkeypatch.setenv("PATH", "")
    assert check.main([str(whole), "--root", root]) == 0, capsys.readouterr().out
    accepted = []
    for number, (what, change) in enumerate(CHANGES.items()):
        bag = Path(shutil.copytree(whole, tmp_path / str(number)))
        change(bag, other)
        if change is not signed_by_another:
            sealed_again(bag)
        if check.main([str(bag), "--root", root]) == 0:
            accepted.append(what)
        capsys.readouterr()
    assert (len(CHANGES) >= 40, accepted) == (True, [])


def test_whatever_of_a_proof_is_removed_the_answer_is_no_without_a_root(
    made: tuple[Path, Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A forger changes the page, removes one part with the signature of the bag, and seals the bag again."""
    whole, _, _ = made
    parts = [SEAL, *(f"data/proof/{each.name}" for each in (whole / "data/proof").iterdir())]
    accepted = []
    for name in parts:
        bag = Path(shutil.copytree(whole, tmp_path / Path(name).name))
        unsigned(bag, bag)
        (bag / name).unlink(missing_ok=True)
        sealed_again(bag)
        accepted += [name] * (check.main([str(bag)]) == 0)
    statement = "data/proof/statement.json"
    sealed = Path(shutil.copytree(whole, tmp_path / "sealed"))
    for name in parts[1:]:
        (sealed / name).unlink()
    sealed_again(sealed)
    accepted += [statement] * (check.main([str(sealed)]) == 0)
    assert (len(parts) >= 8, accepted) == (True, [])
    assert "WRONG        the bag is not signed: anybody may have made its pages" in capsys.readouterr().out


def paid_archives() -> Iterator[tuple[str, str]]:
    """Archive requests with several kinds of payments, and yield the reference and the receipt id of each."""
    [payment] = sample_document()["payments"]
    unknown = payment | {"transaction_id": "other", "type": "bit", "provider_transaction_result": "cguid=69796709"}
    field = {"id": "1", "type": "text", "value": "4580458045804580"}
    members: dict[str, dict[str, object]] = {
        "card": {},
        "two payments": {"payments": [payment, unknown]},
        "card in a field": {"payments": [], "data": [field], "signed_document": None},
        "again": {},
    }
    for reference, its in members.items():
        body = sample_body(reference, **its)
        receipt_id = archived(reference, body)
        if reference == "again":
            receipt_id = archived(reference, json.dumps(json.loads(body), indent=1).encode())
        yield reference, receipt_id


def unsealed_changes(bag: Path) -> Iterator[Change]:
    """Yield changes of each part of a request that is not sealed."""
    cuts = json.loads((bag / "data/cuts.json").read_bytes())["cuts"]
    places = [0, *(each["offset"] + each["length"] for each in cuts), (bag / "data/skeleton.json").stat().st_size]
    yield from (changed_at("data/skeleton.json", (begin + end) // 2) for begin, end in pairwise(places))
    for number, cut in enumerate(cuts):
        value = {"spelling": {"prefix": "data:;base64,"}} if cut["kind"] == "content" else {"blinded": "ab" * 32}
        yield of_json("data/cuts.json", partial(with_cut, number, value))
    yield from (changed_at(f"{FILES}/{path.name}", path.stat().st_size // 2) for path in (bag / FILES).iterdir())


def with_cut(number: int, value: dict[str, Any], document: dict[str, Any]) -> None:
    document["cuts"][number].update(value)


def changed_at(name: str, at: int) -> Change:
    def change(bag: Path, _: Path) -> None:
        data = bytearray((bag / name).read_bytes())
        data[at] = ord("a") if data[at] != ord("a") else ord("b")
        (bag / name).write_bytes(data)

    return change


def test_bag_is_signed_again_once_an_anchor_has_the_new_key(
    made: tuple[Path, Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, _, root = made
    receipt_id = json.loads((whole / "data/receipt.json").read_bytes())["document"]["reference"]
    with installed(whole.parent, anchor_key=base64.b64encode(bytes(range(32))).decode()):
        anchor(["other"], authority(tmp_path / "authority"))
        unsigned = bag_of("whole", receipt_id, tmp_path / "unsigned")
        assert check.main([str(unsigned)]) == 0
        assert check.OF_NO_ANCHOR in capsys.readouterr().out
        assert check.main([str(unsigned), "--root", root]) == 1
        assert "no root can be compared" in capsys.readouterr().out
        make(datetime.now(UTC) + timedelta(hours=3))
    with installed(whole.parent, anchor_key=base64.b64encode(bytes(range(1, 33))).decode()):
        renewed = make(datetime.now(UTC) + timedelta(hours=6)).anchor.root  # nothing has changed but the key
        assert check.main([str(bag_of("whole", receipt_id, tmp_path / "signed")), "--root", renewed]) == 0


@pytest.mark.usefixtures("made")
def test_every_unsealed_part_of_a_bag_with_payments_is_proven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paid = dict(paid_archives())
    root = make(datetime.now(UTC) + timedelta(hours=9)).anchor.root
    accepted, changed = [], 0
    for reference, receipt_id in paid.items():
        whole = bag_of(reference, receipt_id, tmp_path / reference)
        assert check.main([str(whole), "--root", root]) == 0
        output = capsys.readouterr().out
        assert "is everything of the request but its sealed values, as the bag has it" in output, output
        view = archive_view.archive(reference, CELLAR)
        roots = re.findall("the content root ([0-9a-f]{64})", output)
        if reference != "again":
            assert view
            assert roots == [each.content_root for each in view.versions if each.content_root]
        assert bool(roots) == (reference != "before")
        for number, change in enumerate(unsealed_changes(whole)):
            bag = Path(shutil.copytree(whole, tmp_path / f"{reference} {number}"))
            change(bag, bag)
            kept_anew(bag)
            changed += 1
            sealed_again(bag)
            is_signed = check.main([str(bag), "--root", root])
            (bag / SEAL).unlink()
            if not (is_signed and check.main([str(bag)])):
                accepted.append((reference, number))
            capsys.readouterr()
    assert (changed >= 40, accepted) == (True, [])


@pytest.mark.usefixtures("made")
def test_delivery_that_was_changed_and_signed_again_by_its_holder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = sample_body("told twice", attachments=attachments(("a.txt", b"one"), ("b.txt", b"two")))
    archived("told twice", body)
    receipt_id = archived("told twice", json.dumps(json.loads(body), indent=1).encode())
    archived(
        "told twice", sample_body("told twice", attachments=attachments(("a.txt", b"one"), ("b.txt", b"two")), n=1)
    )
    root = make(datetime.now(UTC), whole=True).anchor.root
    whole = bag_of("told twice", receipt_id, tmp_path / "whole")
    assert check.main([str(whole), "--root", root]) == 0, capsys.readouterr().out
    for number, change in enumerate((files_exchanged, of_json("data/delivery.json", of_version_2))):
        bag = Path(shutil.copytree(whole, tmp_path / str(number)))
        change(bag, bag)
        kept_anew(bag)
        sealed_again(bag)
        (bag / SEAL).write_bytes(anchors.signed((bag / "tagmanifest-sha256.txt").read_bytes())[0])
        assert check.main([str(bag), "--root", root]) == 1, capsys.readouterr().out


def files_exchanged(bag: Path, _: Path) -> None:
    exchanged(f"{FILES}/a.txt", f"{FILES}/b.txt")(bag, bag)
    skeleton = (bag / "data/skeleton.json").read_bytes()
    places = re.sub(rb'"content": "([01])"', lambda found: b'"content": "%d"' % (1 - int(found[1])), skeleton)
    assert skeleton != places
    (bag / "data/skeleton.json").write_bytes(places)


def of_version_2(document: dict[str, Any]) -> None:
    document["version"] = 2


def kept_anew(bag: Path) -> None:
    """Make the record of a delivery fit to its parts."""
    if (record := bag / "data/delivery.json").exists():
        document = json.loads(record.read_bytes())
        document["kept"] = {name: sha256((bag / "data" / name).read_bytes()).hexdigest() for name in document["kept"]}
        document["content_root"] = check.content_root(check.Bag(bag, {}, ""))
        record.write_text(json.dumps(document))
