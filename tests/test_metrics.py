"""What is counted by hand reads as what prometheus_client counts."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gitops_profile.metrics import Answers

SECONDS = [(200, 0.0), (200, 0.005), (200, 0.0051), (481, 0.7), (200, 3.9), (408, 32.0), (408, 33.0)]


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_answers_are_the_counter_and_the_histogram_that_they_stand_for() -> None:
    registry, mine = CollectorRegistry(), CollectorRegistry()
    ended = Counter("gitops_profile_notifies", "x", ["status"], registry=registry)
    took = Histogram("gitops_profile_notify_seconds", "x", buckets=Answers.BUCKETS, registry=registry)
    answers = Answers()
    mine.register(answers)
    for status, seconds in SECONDS:
        ended.labels(str(status)).inc()
        took.observe(seconds)
        answers.add(status, seconds)
    assert samples(generate_latest(mine)) == samples(generate_latest(registry))
    assert samples(generate_latest(mine))["gitops_profile_notify_seconds_count", ()] == len(SECONDS)
