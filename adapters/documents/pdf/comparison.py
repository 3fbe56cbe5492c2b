# mypy: disable-error-code="no-untyped-call"
"""Compares two revisions of a PDF: pyHanko's comparison, with rules of our own where honest writers do otherwise.

A comparison raises `SuspiciousModification` if a change is not permitted. Any other exception means that the comparison
itself has failed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from itertools import product
from typing import Any

from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, TextStringObject
from pyhanko.pdf_utils.reader import HistoricalResolver
from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel, StandardDiffPolicy, SuspiciousModification
from pyhanko.sign.diff_analysis.constants import ACROFORM_EXEMPT_STRICT_COMPARISON, VALUE_UPDATE_KEYS
from pyhanko.sign.diff_analysis.form_rules_api import (
    FieldComparisonContext,
    FieldComparisonSpec,
    FormUpdate,
    FormUpdatingRule,
)
from pyhanko.sign.diff_analysis.policies import _is_id
from pyhanko.sign.diff_analysis.rules import file_structure_rules, form_field_rules
from pyhanko.sign.diff_analysis.rules.metadata_rules import DocInfoRule, MetadataUpdateRule
from pyhanko.sign.diff_analysis.rules_api import Context, ReferenceUpdate, WhitelistRule
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm

from adapters.documents.pdf.annotations import AnnotationsRule
from adapters.documents.pdf.appearance import is_hidden
from adapters.documents.pdf.document import TWIN, all_fields, entry, usages_of
from adapters.documents.pdf.fonts import is_of_every_viewer
from adapters.documents.pdf.sections import Sections
from adapters.documents.pdf.structure_tree import StructureTreeRule

_TRAILER = {"/Root", "/Info", "/Encrypt", "/AuthCode", "/ID", "/Size", "/Prev"}
_OF_A_VALUE = VALUE_UPDATE_KEYS | {"/I", "/TI", "/RV", "/M"}
"""What a viewer writes when somebody fills a field. pyHanko leaves out the selection of a list and rich text."""
_OF_A_SIGNED_FIELD = _OF_A_VALUE | {"/P", "/MK", "/BS", "/Border", "/Rect", "/Lock"}
_OF_THE_CATALOGUE = file_structure_rules.CatalogModificationRule().ignored_keys | {"/PageMode"}
_PRINT = 4


class Comparison(StandardDiffPolicy):
    """pyHanko's comparison, which also takes notice of references that had no object when somebody signed."""

    def apply(
        self,
        old: HistoricalResolver,
        new: HistoricalResolver,
        field_mdp_spec: FieldMDPSpec | None = None,
        doc_mdp: MDPPerm | None = None,
    ) -> DiffResult:
        for each in (old, new):
            _leave_out_unknown(each)
        _refuse_late_objects(new)
        _refuse_unseen_objects(old, new)
        _refuse_replaced_fonts(old, new)
        _permit_removal_of_unused(new)
        if field_mdp_spec and field_mdp_spec.fields:  # a place in an encrypted list decrypts its text, a loop does not
            fields = [field_mdp_spec.fields[place] for place in range(len(field_mdp_spec.fields))]
            field_mdp_spec = replace(field_mdp_spec, fields=fields)
        return super().apply(old, new, field_mdp_spec, doc_mdp)


def _leave_out_unknown(handler: HistoricalResolver) -> None:
    """Leave out entries of a trailer that lead a viewer to nothing. Let pyHanko read fields whose names have periods,
    and two fields of one name.
    """
    trailer = handler.trailer_view
    for key in list(trailer):
        if key not in _TRAILER or (key == "/Info" and not isinstance(trailer.raw_get(key), IndirectObject)):
            del trailer[key]
    known: Counter[str] = Counter()
    for full_name, field, _ in all_fields(handler):
        name = entry(field, "/T")
        if not isinstance(name, TextStringObject):
            continue
        before = known[full_name] if full_name == name else 0
        if "." in name or before:  # a lock of the name also locks what is below it
            field["/T"] = _Name(f"{name}{TWIN}{before}" if before else name)
            field["/T"].autodetected_encoding = name.autodetected_encoding
        known[full_name] += 1


class _Name(TextStringObject):
    """A name of a field in which pyHanko finds no period. The standard forbids periods there; many writers use them."""

    def __contains__(self, part: object) -> bool:
        return part != "." and str(part) in str(self)


def _refuse_late_objects(new: HistoricalResolver) -> None:
    """Refuse an object to which the revision before refers already. pyHanko takes it for an object without any other
    use, since no changed object leads to it; but a page may have waited for it.
    """
    sections, earlier = new.reader.xrefs, new.revision - 1
    added = {each for each in new.explicit_refs_in_revision() if sections.get_historical_ref(each, earlier) is None}
    if added:
        before = new.reader.get_historical_resolver(earlier)
        _leave_out_unknown(before)
        late = added & before.collect_dependencies(before.trailer_view)
        if late:
            raise SuspiciousModification(f"{len(late)} references had no object before")


def _refuse_unseen_objects(old: HistoricalResolver, new: HistoricalResolver) -> None:
    """Refuse a change of an object that the signed revision uses and that pyHanko's paths leave out, as all below a key
    `/Parent`. Its rules would take the object for a new one, so a new list of certificates could justify its change.
    """
    sections, signed = old.reader.xrefs, old.revision
    unseen = {
        each
        for each in new.explicit_refs_in_revision()
        if sections.get_historical_ref(each, signed) is not None and not usages_of(old, each)
    }
    used = unseen & old.collect_dependencies(old.trailer_view) if unseen else ()
    if any(not _is_id(old(each), new(each)) for each in used):
        raise SuspiciousModification("an object was changed that the document uses in an unusual place")


def _refuse_replaced_fonts(old: HistoricalResolver, new: HistoricalResolver) -> None:
    """Refuse another font under the name of a font of the form: viewers draw the values of fields by these fonts."""
    fonts, new_fonts = _form_fonts(old), _form_fonts(new)
    for name in fonts.keys() & new_fonts.keys():
        before, after = fonts.raw_get(name), new_fonts.raw_get(name)
        if before == after:
            continue
        font, new_font = fonts[name], new_fonts[name]
        is_alike = is_of_every_viewer(new_font) and entry(font, "/BaseFont") == entry(new_font, "/BaseFont")
        if font != new_font and not is_alike:
            raise SuspiciousModification("a font of the form was replaced")


def _form_fonts(handler: HistoricalResolver) -> DictionaryObject:
    found: Any = handler.root
    for key in ("/AcroForm", "/DR", "/Font"):
        found = entry(found, key) if isinstance(found, DictionaryObject) else None
    return found if isinstance(found, DictionaryObject) else DictionaryObject()


def _permit_removal_of_unused(new: HistoricalResolver) -> None:
    """Permit that a revision frees objects to which nothing in it refers, as Acrobat frees a replaced appearance."""
    freed = new.refs_freed_in_revision()
    sections = new.reader.xrefs
    if freed and isinstance(sections, Sections):
        used = {reference.idnum for reference in new.collect_dependencies(new.trailer_view)}
        sections.permit_removal(new.revision, {reference for reference in freed if reference.idnum not in used})


class SecurityStoreRule(WhitelistRule):
    """Permits any change within the document security store: PAdES permits to replace and to remove validation data.

    Nothing of it is shown, in whatever form a writer keeps it. An object that is used elsewhere too must not change.
    """

    def apply(self, old: HistoricalResolver, new: HistoricalResolver) -> Iterator[ReferenceUpdate]:
        before, after = entry(old.root, "/DSS"), entry(new.root, "/DSS")
        if after is None:
            if before is not None:
                raise SuspiciousModification("the document security store was removed")
            return
        of_store = new.collect_dependencies(new.root.raw_get("/DSS")) & new.explicit_refs_in_revision()
        for reference in of_store:
            usages = usages_of(old, reference)
            if not usages:
                yield ReferenceUpdate(reference)
            for path in usages:
                if path.path[:2] == ("/Root", "/DSS"):
                    yield ReferenceUpdate(reference, context_checked=Context.from_absolute(old, path))


class SignatureFieldCreationRule(form_field_rules.SigFieldCreationRule):
    """Permits new signature fields, also below new nodes that hold nothing but a part of their names."""

    def apply(self, context: FieldComparisonContext) -> Iterator[tuple[ModificationLevel, FormUpdate]]:
        specs, nodes = dict(context.field_specs), dict[str, Any]()
        for name, spec in context.field_specs.items():
            if spec.old_field_ref is None and spec.new_field and spec.new_field.keys() <= {"/T", "/Kids", "/Parent"}:
                nodes[name] = specs.pop(name).new_field_ref
        yield from super().apply(replace(context, field_specs=specs))
        for name, reference in nodes.items():
            yield ModificationLevel.LTA_UPDATES, FormUpdate(reference, field_name=name, valid_when_locked=True)


class SignatureFieldRule(form_field_rules.SigFieldModificationRule):
    """Permits to fill a signature field also with a signature that it holds directly, and a field whose widget is
    its kid. Writers complete the field when somebody signs: iText names its page, Acrobat locks the document.
    """

    def check_form_field(
        self, fq_name: str, spec: FieldComparisonSpec, context: FieldComparisonContext
    ) -> Iterable[tuple[ModificationLevel, FormUpdate]]:
        field, reference = spec.new_field, spec.new_field_ref
        is_signed_before = spec.old_field is not None and "/V" in spec.old_field
        if (
            spec.field_type != "/Sig"
            or field is None
            or reference is None
            or is_signed_before
            or "/V" not in field
            or isinstance(field.raw_get("/V"), IndirectObject)
        ):
            yield from super().check_form_field(fq_name, spec, context)
            if field is not None and "/V" in field and not is_signed_before:
                yield from self._completed(fq_name, spec, context)
            return
        if spec.old_field is not None:
            self.compare_fields(spec)
        contexts: Set[Context | None] = spec.expected_contexts() or {None}
        for expected in contexts:
            update = FormUpdate(reference, expected, field_name=fq_name, valid_when_certifying=False)
            yield ModificationLevel.FORM_FILLING, update
        yield from self._completed(fq_name, spec, context)

    def _completed(
        self, fq_name: str, spec: FieldComparisonSpec, context: FieldComparisonContext
    ) -> Iterator[tuple[ModificationLevel, FormUpdate]]:
        """Permit what belongs to a field that somebody signs now, and to its widgets."""
        widgets = list(_widgets_of(spec)) if spec.old_field is not None else []
        for each in widgets:
            self.compare_fields(each)
            yield from (
                (ModificationLevel.FORM_FILLING, FormUpdate(each.new_field_ref, expected, field_name=fq_name))
                for expected in each.expected_contexts()
                if each.new_field_ref
            )
        fields = [each.new_field for each in (spec, *widgets) if each.new_field]
        for field, key in product(fields, ("/AP", "/Lock", "/MK")):
            held = field.raw_get(key) if key in field else ArrayObject()
            for added in context.new.collect_dependencies(held, since_revision=context.old.revision + 1):
                if not usages_of(context.old, added):
                    yield ModificationLevel.FORM_FILLING, FormUpdate(added, field_name=fq_name)


class FieldRule(form_field_rules.GenericFieldModificationRule):
    """Permits to fill fields, also in widgets that are kids of their field, as the buttons of a radio group are.

    pyHanko also reports an appearance that did not change, which a lock of the field then refuses.
    """

    def check_form_field(
        self, fq_name: str, spec: FieldComparisonSpec, context: FieldComparisonContext
    ) -> Iterator[tuple[ModificationLevel, FormUpdate]]:
        changed = context.new.explicit_refs_in_revision()
        for each in (spec, *(_widgets_of(spec) if spec.field_type != "/Sig" else ())):
            if each.old_field and each.new_field and _becomes_hidden(each.old_field, each.new_field):
                raise SuspiciousModification("a field was hidden")
            is_left_to_viewers = each.old_field and each.new_field and "/AP" in each.old_field.keys() - each.new_field
            check = self._check_without_appearance if is_left_to_viewers else super().check_form_field
            for level, update in check(fq_name, each, context):
                if update.updated_ref in changed:
                    yield level, update

    def _check_without_appearance(
        self, fq_name: str, spec: FieldComparisonSpec, context: FieldComparisonContext
    ) -> Iterator[tuple[ModificationLevel, FormUpdate]]:
        """Permit that a writer removes the appearance of a field: a viewer makes it from the value."""
        if spec.field_type == "/Sig" or not spec.new_field_ref or not spec.new_field:
            return
        is_free = self.compare_fields(spec)
        for expected in spec.expected_contexts():
            update = FormUpdate(spec.new_field_ref, expected, field_name=fq_name, valid_when_locked=is_free)
            yield ModificationLevel.FORM_FILLING, update
        if "/V" in spec.new_field:
            value = spec.new_field.raw_get("/V")
            for each in context.new.collect_dependencies(value, since_revision=context.old.revision + 1):
                yield ModificationLevel.FORM_FILLING, FormUpdate(each, field_name=fq_name)


def _becomes_hidden(before: DictionaryObject, after: DictionaryObject) -> bool:
    """Return whether a field is no longer shown; or no longer printed, unless it is a signature."""
    flags, new_flags = ((each if isinstance(each, int) else 0) for each in (entry(before, "/F"), entry(after, "/F")))
    stays_on_paper = entry(after, "/FT") == "/Sig" or not flags & _PRINT or bool(new_flags & _PRINT)
    return (is_hidden(after) and not is_hidden(before)) or not stays_on_paper


def _widgets_of(spec: FieldComparisonSpec) -> Iterator[FieldComparisonSpec]:
    """Yield the widgets of a field that have no name of their own."""
    old, new = spec.old_field, spec.new_field
    kids = entry(old, "/Kids") if old else None
    new_kids = entry(new, "/Kids") if new else None
    if not isinstance(kids, ArrayObject) or not isinstance(new_kids, ArrayObject):
        return
    path = spec.old_canonical_path
    for place, (kid, new_kid) in enumerate(zip(kids, new_kids, strict=False)):
        if isinstance(kid, IndirectObject) and kid == new_kid and "/T" not in kid.get_object():
            own_path = path + "/Kids" + place if path is not None else None
            yield FieldComparisonSpec(spec.field_type, kid.reference, new_kid.reference, own_path)


COMPARISON = Comparison(
    global_rules=[
        file_structure_rules.CatalogModificationRule(_OF_THE_CATALOGUE),
        DocInfoRule().as_qualified(ModificationLevel.LTA_UPDATES),
        file_structure_rules.XrefStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        file_structure_rules.ObjectStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
        SecurityStoreRule().as_qualified(ModificationLevel.LTA_UPDATES),
        MetadataUpdateRule(check_xml_syntax=False).as_qualified(ModificationLevel.LTA_UPDATES),
        StructureTreeRule().as_qualified(ModificationLevel.LTA_UPDATES),
        AnnotationsRule(),
    ],
    form_rule=FormUpdatingRule(
        field_rules=[
            SignatureFieldCreationRule(approve_widget_bindings=False, allow_new_visible_after_certify=True),
            SignatureFieldRule(value_update_keys=_OF_A_SIGNED_FIELD),
            FieldRule(value_update_keys=_OF_A_VALUE),
        ],
        ignored_acroform_keys=ACROFORM_EXEMPT_STRICT_COMPARISON | {"/SigFlags"},
    ),
)
"""The comparison for all documents."""
