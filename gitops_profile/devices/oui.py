"""Who made a phone, by the first half of its MAC. Data: a new row is all that a new vendor needs."""

_OUIS = {
    "snom": "000413 1c7126",
    "yealink": "001565 805ec0 805e0c 249ad8 44dbd2 644f56 ec1da9 3497d7 b061a9 e434d7",
    "grandstream": "000b82 c074ad ec74d7",
    "fanvil": "0c383e 00a859",
    "poly": "0004f2 64167f 482567",
    "gigaset": "7c2f80 002104 589ec6",
    "audiocodes": "00908f",
    "htek": "001fc1",
    "mitel": "00085d 1400e9",
    "panasonic": "0080f0",
    "atcom": "808287",
    "sangoma": "005058",
    "flyingvoice": "0021f2 789912",
    "planet": "00304f",
    "akuvox": "0c1105",
}
_VENDOR_OF = {oui: vendor for vendor, ouis in _OUIS.items() for oui in ouis.split()}


def vendor_of_mac(mac: str) -> str | None:
    """The canonical name of the vendor of a MAC (twelve lower-case digits); None when its OUI is not known here."""
    return _VENDOR_OF.get(mac[:6])
