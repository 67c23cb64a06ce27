"""What Prometheus reads from central."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """One registry a process part, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "floorplane_requests_total", "REST requests", ["method", "status"], registry=self.registry
        )
        self.request_s = Histogram(
            "floorplane_request_seconds",
            "Time to answer a REST request",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
            registry=self.registry,
        )
        self.orders = Counter("floorplane_orders_total", "Orders taken in", ["state"], registry=self.registry)
        self.facts = Counter("floorplane_facts_total", "Facts of the dispatcher", ["outcome"], registry=self.registry)
        self.published = Counter(
            "floorplane_published_total", "Published by the relay", ["kind"], registry=self.registry
        )
        self.fact_seq = Gauge("floorplane_fact_seq", "Last fact that was taken, of its epoch", registry=self.registry)
        self.clients = Gauge("floorplane_console_clients", "Consoles that listen", registry=self.registry)

    def text(self) -> bytes:
        """Write all in the text format 0.0.4."""
        return generate_latest(self.registry)
