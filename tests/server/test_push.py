"""Who is told to fetch again, when, and when no more: decided from what each phone has."""

import pytest

from gitops_profile.devices import VENDORS, How, event_for
from gitops_profile.inventory import Inventory
from gitops_profile.presentity import NO_POLICY, NotifyPolicy, ProfileKey, ProfileRemoved
from gitops_profile.server.push import MAX_REFUSALS, RETRY_FIRST
from gitops_profile.sip.syntax import Request
from tests.sip.harness import Phone

from .office import DAY, KEY, MAC, OTHER, STAMP, TO_AOR, Office, office_with_a_phone

# -- a change ------------------------------------------------------------------------------------------------------


async def test_a_change_tells_the_phone_that_has_another_version_once() -> None:
    office = await office_with_a_phone()
    changed = office.write(2)
    await office.run(DAY)
    [(_, request, flow)] = office.sent
    assert request.uri == "sip:192.0.2.7:5060" and flow.remote == ("192.0.2.7", 5060)
    assert request.headers.get("event") == "check-sync;reboot=false"  # a Snom, by its MAC
    held = office.holding()
    assert (held.told_etag, held.heard_status, held.fault) == (changed.etag, 200, None)


async def test_five_merges_in_a_minute_are_one_check_sync_about_the_last() -> None:
    office = await office_with_a_phone(settle=60, longest=300, spread=30)
    begun = office.now
    for version in range(2, 6):
        office.write(version)
        await office.run(12)
    newest = office.write(6)
    await office.run(DAY)
    assert len(office.told) == 1 and begun + 108 <= office.told[0] <= begun + 138
    assert office.holding().told_etag == newest.etag


async def test_what_was_taken_back_in_time_is_told_to_nobody() -> None:
    office = await office_with_a_phone(settle=60)
    office.write(2)
    await office.run(30)
    office.write(1)
    await office.run(DAY)
    assert office.sent == []


async def test_a_revert_is_told_like_any_change() -> None:
    office = await office_with_a_phone()
    office.write(2)
    await office.run(1)
    office.fetch()
    first = office.write(1)
    await office.run(1)
    assert len(office.told) == 2 and office.holding().told_etag == first.etag


async def test_a_phone_that_fetched_by_itself_is_not_told() -> None:
    office = await office_with_a_phone(settle=60)
    office.write(2)
    await office.run(30)
    office.fetch()
    await office.run(DAY)
    assert office.sent == []


async def test_a_phone_that_holds_a_subscription_is_not_told() -> None:
    office = await office_with_a_phone()
    phone = Phone(office.notifiers, str(KEY))
    office.notifiers.receive(phone.build())
    assert list(office.notifiers.notifier.subscriptions_to(str(KEY)))
    office.write(2)
    await office.run(DAY)
    assert office.sent == []


async def test_a_users_other_phone_that_subscribes_does_not_keep_the_desk_phone_from_being_told() -> None:
    user = ProfileKey.user("example.com", "alice")
    office = Office()
    office.write(1, key=user)
    office.notifiers.package.documents[str(user)] = b"<a/>"
    office.see()
    office.fetch(user)
    subscriber = Phone(office.notifiers, str(user))  # at 192.0.2.9
    office.notifiers.receive(subscriber.build())
    office.write(2, key=user)
    await office.run(1)
    assert len(office.told) == 1
    office.fetch(user)
    office.see(address="192.0.2.9")  # it is the same phone after all
    office.write(3, key=user)
    await office.run(DAY)
    assert len(office.told) == 1


async def test_every_phone_that_was_given_a_common_document_is_told_of_it() -> None:
    common = ProfileKey.device("example.com", "y000000000096")
    office = Office()
    office.write(1, key=common)
    for number, mac in enumerate((MAC, OTHER)):
        office.see(address=f"192.0.2.{20 + number}", mac=mac)
        office.fetch(common, address=f"192.0.2.{20 + number}", mac=mac)
    office.notifiers.package.documents[str(common)] = b"<a/>"
    office.notifiers.receive(Phone(office.notifiers, str(common)).build())  # somebody else subscribes to it
    office.write(2, key=common)
    await office.run(1)
    assert {flow.remote[0] for _, _, flow in office.sent} == {"192.0.2.20", "192.0.2.21"}


async def test_a_removed_profile_is_told_to_nobody() -> None:
    office = await office_with_a_phone(settle=60)
    office.write(2)
    office.table.apply(ProfileRemoved(KEY, "p", STAMP))
    office.pusher.changed([KEY])
    await office.run(DAY)
    assert office.sent == []


async def test_a_phone_that_was_seen_before_it_had_a_profile_is_told_when_it_has_one() -> None:
    office = Office()
    office.see()  # by plug and play: a candidate for `import`
    await office.run(1)
    assert office.sent == []
    office.write(1)
    await office.run(DAY)
    assert len(office.told) == 1
    assert office.sent[0][2].remote == ("192.0.2.7", 5060)


async def test_who_was_given_nothing_and_cannot_be_told_is_no_phone_that_faulted() -> None:
    office = Office()
    office.write(1)
    office.see(How.GET, "198.51.100.9", status=401)  # anybody can ask for any MAC
    await office.run(1)
    office.write(2)
    await office.run(DAY)
    await office.restart()
    await office.run(DAY)
    device = office.inventory.get(MAC)
    assert device is not None and device.is_stranger and office.sent == []
    assert office.inventory.holders([str(KEY)]) == []  # `wait` waits for nobody


async def test_a_change_while_a_check_sync_is_under_way_is_told_after_it() -> None:
    office = await office_with_a_phone()
    office.answer = lambda request: None
    office.write(2)
    await office.run(1)
    third = office.write(3)
    await office.run(1)
    office.answer = lambda request: 200
    await office.run(20)
    assert len(office.told) == 2 and office.holding().told_etag == third.etag
    assert office.holding().heard_status == 200


async def test_urgent_changes_wait_for_nothing() -> None:
    office = await office_with_a_phone(settle=60, longest=300, spread=30)
    office.write(2, urgent=True)
    await office.run(0.1)
    assert len(office.told) == 1


# -- who is never told to reboot -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=str)
def test_nobody_is_told_to_reboot_whose_manifest_does_not_allow_it(vendor: object) -> None:
    event = event_for(vendor, NO_POLICY)  # type: ignore[arg-type]
    assert event is None or ("reboot=true" not in str(event) and not event.event.startswith("reboot"))


def test_a_phone_that_knows_reboots_only_is_told_when_its_manifest_allows_it() -> None:
    allowed = NotifyPolicy(may_reboot=True)
    assert event_for(VENDORS["flyingvoice"], NO_POLICY) is None
    assert str(event_for(VENDORS["flyingvoice"], allowed)) == "check-sync;reboot=true"
    assert str(event_for(VENDORS["snom"], allowed)) == "check-sync;reboot=false"  # there is a better way
    assert event_for(VENDORS["linphone"], allowed) is None


# -- what phones answer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [481, 489, 405, 501])
async def test_a_phone_that_does_not_know_the_event_is_not_at_fault_and_asked_once_per_change(status: int) -> None:
    office = await office_with_a_phone()
    office.answer = lambda request: status
    office.write(2)
    await office.run(DAY)
    office.see()
    await office.run(DAY)
    await office.restart()
    await office.run(DAY)
    assert len(office.told) == 1
    assert (office.holding().heard_status, office.holding().fault) == (status, None)
    office.write(3)
    await office.run(1)
    assert len(office.told) == 2


async def test_a_challenge_is_answered_with_the_credentials_of_the_line() -> None:
    office = await office_with_a_phone()
    office.answer = lambda request: 200 if request.headers.get("authorization") else 401
    office.write(2, notify=TO_AOR)
    await office.run(1)
    assert [request.cseq for _, request, _ in office.sent] == [1, 2]
    assert 'username="2001"' in (office.sent[1][1].headers.get("authorization") or "")
    assert office.holding().heard_status == 200


async def test_a_proxy_and_the_phone_behind_it_may_both_challenge() -> None:
    office = Office()

    def answer(request: Request) -> int:
        if request.headers.get("proxy-authorization") is None:
            return 407
        return 200 if request.headers.get("authorization") else 401

    office.answer = answer
    office.write(1, notify=TO_AOR)
    await office.run(1)
    assert len(office.sent) == 3 and office.holding().heard_status == 200


async def test_a_phone_that_challenges_for_ever_is_at_fault_and_left_alone_more_and_more() -> None:
    office = await office_with_a_phone()
    office.answer = lambda request: 401
    office.write(2, notify=TO_AOR)
    await office.run(60 * DAY)
    assert len(office.told) == MAX_REFUSALS + 1
    pauses = [b - a for a, b in zip(office.told, office.told[1:], strict=False)]
    assert pauses == sorted(pauses) and pauses[0] >= RETRY_FIRST and pauses[-1] > 5 * 3600
    assert len(office.sent) == 2 * len(office.told)  # each time the credentials were tried once
    assert "credentials of 2001" in (office.holding().fault or "")
    for _ in range(100):
        office.see()
        await office.run(60)
    assert len(office.told) == MAX_REFUSALS + 1  # what it shows changes nothing
    office.write(3, notify=TO_AOR)
    await office.run(RETRY_FIRST + 10)
    assert len(office.told) == MAX_REFUSALS + 3  # and a change begins anew
    office.answer = lambda request: 200
    office.write(4, notify=TO_AOR)
    await office.run(1)
    assert office.holding().fault is None and office.holding().heard_status == 200


async def test_a_refusal_is_remembered_over_a_restart() -> None:
    office = await office_with_a_phone()
    office.answer = lambda request: 403
    office.write(2)
    await office.run(1)
    await office.restart()
    await office.run(RETRY_FIRST / 2)
    office.see()
    await office.run(RETRY_FIRST / 2 - 10)
    assert len(office.told) == 1
    await office.run(20)
    assert len(office.told) == 2


async def test_without_credentials_a_challenge_says_what_to_do() -> None:
    office = await office_with_a_phone()
    office.answer = lambda request: 401
    office.write(2)
    await office.run(1)
    assert office.holding().fault == (
        "the phone wants a line's credentials: name its line in notify.aor of its manifest"
    )


@pytest.mark.parametrize("status", [404, 480, 408, 503, None])
async def test_a_phone_that_was_offline_is_told_at_its_next_contact(status: int | None) -> None:
    office = await office_with_a_phone(settle=60)
    office.answer = lambda request: status
    office.write(2)
    await office.run(300)
    assert len(office.told) == 1 and office.holding().fault is not None and office.holding().heard_status is None
    office.answer = lambda request: 200
    office.see()
    await office.run(30)
    assert len(office.told) == 1  # perhaps it fetches by itself
    await office.run(40)
    assert len(office.told) == 2 and office.holding().fault is None
    assert office.pusher.facts() == {"waiting": 0, "under_way": 0, "in_vain": 0}


async def test_a_phone_that_comes_back_and_fetches_is_not_told_as_well() -> None:
    office = await office_with_a_phone(settle=60)
    office.answer = lambda request: None
    office.write(2)
    await office.run(300)
    office.see()
    await office.run(5)
    office.fetch()
    await office.run(30 * DAY)
    assert len(office.told) == 1 and office.holding().fault is None


async def test_nobody_gives_up_a_phone_that_is_offline_for_weeks() -> None:
    office = Office()
    office.answer = lambda request: 480
    office.write(1, notify=TO_AOR)
    await office.run(21 * DAY)
    assert 80 < len(office.told) < 100  # every six hours
    office.answer = lambda request: 200
    await office.run(DAY / 4)
    assert office.holding().heard_status == 200
    tries = len(office.told)
    await office.run(10 * DAY)
    assert len(office.told) == tries


# -- restarts ------------------------------------------------------------------------------------------------------


async def test_what_was_not_delivered_goes_out_after_a_restart_and_what_was_does_not() -> None:
    office = await office_with_a_phone()
    office.see(address="192.0.2.8", mac=OTHER)
    other = ProfileKey.device("example.com", OTHER)
    office.write(1, key=other)
    office.fetch(other, address="192.0.2.8", mac=OTHER)
    office.answer = lambda request: 200 if "192.0.2.7" in request.uri else None
    office.write(2)
    office.write(2, key=other)
    await office.run(5)
    assert len(office.told) == 2
    await office.restart()
    office.answer = lambda request: 200
    await office.run(DAY)
    assert [r.uri for _, r, _ in office.sent if r.uri == "sip:192.0.2.7:5060"] == ["sip:192.0.2.7:5060"]
    assert office.holding(OTHER, other).heard_status == 200
    told = len(office.sent)
    await office.restart()
    await office.run(DAY)
    assert len(office.sent) == told


async def test_a_change_just_before_the_end_is_told_after_the_start_though_nothing_was_written() -> None:
    office = Office()
    office.write(1, notify=TO_AOR)
    office.inventory = Inventory()  # the last second was lost
    await office.restart()
    await office.run(1)
    assert len(office.told) == 1 and office.holding().heard_status == 200


# -- status ----------------------------------------------------------------------------------------------------------


async def test_status_says_how_many_wait_and_how_many_were_told_in_vain() -> None:
    office = await office_with_a_phone(settle=60)
    office.answer = lambda request: None
    office.write(2)
    await office.run(0)
    assert office.pusher.facts() == {"waiting": 1, "under_way": 0, "in_vain": 0}
    await office.run(61)
    assert office.pusher.facts() == {"waiting": 0, "under_way": 1, "in_vain": 0}
    await office.run(40)
    assert office.pusher.facts() == {"waiting": 1, "under_way": 0, "in_vain": 1}
    assert b'gitops_profile_pushes_total{verdict="offline"} 1.0' in office.metrics.exposition()


async def test_a_subscribe_of_a_phone_that_is_up_to_date_queues_nothing() -> None:
    office = await office_with_a_phone()
    office.see(How.SUBSCRIBE)
    assert office.pusher.facts()["waiting"] == 0
