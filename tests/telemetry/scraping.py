"""What Prometheus reads from a server."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.api import Api

Sample = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """The samples of one export."""

    def __init__(self, text: str) -> None:
        self.values: dict[Sample, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: Any) -> float:
        """Return the value of a sample, 0 if there is none."""
        return self.values.get((name, frozenset({(key, str(value)) for key, value in labels.items()})), 0.0)

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.values}

    def labels(self, name: str, label: str) -> set[str]:
        """Return the values of a label."""
        return {dict(labels)[label] for sample, labels in self.values if sample == name}


async def scrape(api: Api, path: str = "/metrics") -> Scrape:
    response = await api.http.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return Scrape(response.text)
