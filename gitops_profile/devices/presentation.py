"""Which of a document's variants a phone is given, by what is known of it."""

from gitops_profile.presentity import Presentation, ProfileDocument

from .vendor import Vendor


def shown_to(document: ProfileDocument, vendor: Vendor, model: str | None, firmware: str | None) -> Presentation:
    """The first variant that suits the phone under any name of its vendor; the document itself for all others.

    A phone of no known vendor says the empty text, as one that subscribes without a word of it.
    """
    for variant in document.variants:
        # By the order of the variants, not of the names: else it would get another one by URL than in a NOTIFY.
        if any(variant.suits(name, model, firmware) for name in (vendor.known_name or "", *vendor.names)):
            return variant
    return document
