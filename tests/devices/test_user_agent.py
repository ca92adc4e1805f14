"""What phones say of themselves, word for word as they were seen (phones.md 5.1)."""

import pytest

from gitops_profile.devices import NOTHING_SAID, Claim, read_user_agent

SEEN = [
    ("Mozilla/4.0 (compatible; snom710-SIP 8.7.5.35 1.1.5-IFX-05.01.12 000413741767)",
     Claim("snom", "710", "8.7.5.35", "000413741767")),
    ("Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 2010.12-00004-g9ba52f5 000413922D24 SXM:0 UXM:0)",
     Claim("snom", "D785", "10.1.33.33", "000413922d24")),
    ("Mozilla/4.0 (compatible; Snom M900 05.20.0001 000413b60680)",
     Claim("snom", "M900", "05.20.0001", "000413b60680")),
    ("Mozilla/4.0 (compatible; snom320-SIP 7.1.19)", Claim("snom", "320", "7.1.19")),
    ("Yealink SIP-T77U 185.87.0.10 44:db:d2:bd:b5:69", Claim("yealink", "T77U", "185.87.0.10", "44dbd2bdb569")),
    ("Yealink SIP-T56A  58.80.0.25 001565f429a4", Claim("yealink", "T56A", "58.80.0.25", "001565f429a4")),
    ("Yealink W90DM 130.87.0.10 80:5e:c0:d9:c7:44", Claim("yealink", "W90DM", "130.87.0.10", "805ec0d9c744")),
    ("W52P 25.30.0.2 00:15:65:44:b3:7c", Claim("yealink", "W52P", "25.30.0.2", "00156544b37c")),
    ("yealink SIP-T18 18.0.0.80 00:15:65:10:20:30", Claim("yealink", "T18", "18.0.0.80", "001565102030")),
    ("Yealink W52P 25.81.0.10", Claim("yealink", "W52P", "25.81.0.10")),
    ("Grandstream Model HW GXP2135 SW 1.0.7.97 DevId 000b828aa872",
     Claim("grandstream", "GXP2135", "1.0.7.97", "000b828aa872")),
    ("Grandstream Model HW HT801 V1.1A SW 1.0.17.5 DevId c074ad273a10",
     Claim("grandstream", "HT801", "1.0.17.5", "c074ad273a10")),
    ("Grandstream GRP2612W 1.0.5.67", Claim("grandstream", "GRP2612W", "1.0.5.67")),
    ("Fanvil X4 2.10.2.6887 0c383e07e16c", Claim("fanvil", "X4", "2.10.2.6887", "0c383e07e16c")),
    ("Fanvil X6U Pro 0.0.10 0c383e2cd782", Claim("fanvil", "X6U Pro", "0.0.10", "0c383e2cd782")),
    ("FileTransport PolycomVVX-VVX_400-UA/4.1.4.7430 Type/Application", Claim("poly", "VVX_400", "4.1.4.7430")),
    ("FileTransport PolycomVVX-VVX_400-UA/4.1.4.7430 Type/Updater", Claim("poly", "VVX_400", "4.1.4.7430")),
    ("Gigaset N870 IP PRO/83.V2.11.0+build.a546b91;7C2F80E0D605",
     Claim("gigaset", "N870 IP PRO", "83.V2.11.0", "7c2f80e0d605")),
    ("N510 IP PRO/42.258.00.000.000;7C2F806257D7",
     Claim("gigaset", "N510 IP PRO", "42.258.00.000.000", "7c2f806257d7")),
    ("N720 DM PRO/70.108;7C2F806257D7;Handset=3", Claim("gigaset", "N720 DM PRO", "70.108", "7c2f806257d7")),
    ("AUDC-IPPhone/2.2.8.61 (440HDG-Rev0; 00908F602AAC)", Claim("audiocodes", "440HDG", "2.2.8.61", "00908f602aac")),
    ("AUDC-IPPhone/1.2.1_build_6", Claim("audiocodes", None, "1.2.1_build_6")),
    ("Panasonic_KX-UT113/01.133 (0080f0c8c381)", Claim("panasonic", "KX-UT113", "01.133", "0080f0c8c381")),
    ("Aastra6731i MAC:00-08-5D-23-74-29 V:3.2.0.70-SIP", Claim("mitel", "6731i", "3.2.0.70", "00085d237429")),
    ("Mitel6920 MAC:14-00-E9-1F-03-EA V:6.4.0.140-SIP", Claim("mitel", "6920", "6.4.0.140", "1400e91f03ea")),
    ("Htek UC903 2.0.4.2 00:1f:c1:1c:22:a9", Claim("htek", "UC903", "2.0.4.2", "001fc11c22a9")),
    ("Cisco/SPA501G-7.4.4 (8843E157DDCC)(CBT141100HR)",
     Claim("cisco-spa", "SPA501G", "7.4.4", "8843e157ddcc", "CBT141100HR")),
    ("Cisco/SPA525G-7.4.7 (CBT141900G7)", Claim("cisco-spa", "SPA525G", "7.4.7", None, "CBT141900G7")),
    ("Linksys/SPA-942-6.1.5(a) (88019FA42805)", Claim("cisco-spa", "SPA-942", "6.1.5(a)", "88019fa42805")),
    ("Cisco-CP-7832-3PCC/11.0.1 (00562b043615)", Claim("cisco-mpp", "7832", "11.0.1", "00562b043615")),
    ("ALE M3-CE 2.11.01.1604 3c28a620089e", Claim("alcatel", "M3", "2.11.01.1604", "3c28a620089e")),
    ("Flyingvoice FIP13G V0.6.24 00:21:F2:22:AE:F1", Claim("flyingvoice", "FIP13G", "V0.6.24", "0021f222aef1")),
    ("Mozilla/4.0 (compatible; MSIE 6.0) AVAYA/J179-4.1.3.0.6 (MAC:c81fea83e85a)",
     Claim("avaya", "J179", "4.1.3.0.6", "c81fea83e85a")),
    ("SmartNode (Model:SN4112/JS/EUI; Serial:00A0BA08933C; Software Version:R6.2 2012-09-11 H323 SIP)",
     Claim("patton", "SN4112/JS/EUI", "R6.2", "00a0ba08933c")),
    ("LinphoneAndroid/6.0 (Pixel) LinphoneSDK/5.4", Claim("linphone", "LinphoneAndroid", "6.0")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "claim"), SEEN, ids=[text[:40] for text, _ in SEEN])
def test_every_seen_user_agent_is_read(text: str, claim: Claim) -> None:
    assert read_user_agent(text) == claim


@pytest.mark.parametrize("text", [None, "", "curl/7.88.1", "Mozilla/5.0 (X11; Linux x86_64)", "sipp", "x" * 100_000])
def test_what_is_no_phone_says_nothing(text: str | None) -> None:
    assert read_user_agent(text) == NOTHING_SAID


@pytest.mark.parametrize(
    "text", ["Fanvil " + "a " * 5000, "snom1-SIP 1.1" + " 0" * 5000, "SmartNode (Model:" + "(" * 9000]
)
def test_a_hostile_user_agent_costs_little(text: str) -> None:
    # Only its first characters are looked at: without that these take seconds.
    assert read_user_agent(text).mac is None
