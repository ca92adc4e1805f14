"""Which of a document's variants a phone is given, by what is known of it."""

from gitops_profile.presentity import Presentation, ProfileDocument

from .vendor import Vendor


def shown_to(document: ProfileDocument, vendor: Vendor, model: str | None, firmware: str | None) -> Presentation:
    """The first variant that suits the phone under any name of its vendor; the document itself for all others."""
    for name in (vendor.name, *vendor.names) if document.variants else ():
        shown = document.for_device(name, model, firmware)
        if shown is not document:
            return shown
    return document
