"""A run as a text file of OpenMetrics, for Prometheus and others that read it. Times are in seconds, the base unit there."""
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.openmetrics.exposition import generate_latest

from analysis.exports import Wanted
from analysis.read import Run

# Metric → column of results.csv, and what the help says.
FIGURES = {
    "nsbench_median": ("median", "Median of the counted samples"),
    "nsbench_median_low": ("ci_low", "Lower end of the 95% interval of the median"),
    "nsbench_median_high": ("ci_high", "Upper end of the 95% interval of the median"),
    "nsbench_p99": ("p99", "99th percentile of the counted samples"),
    "nsbench_delta": ("delta", "What the set adds to its base"),
    "nsbench_delta_low": ("delta_low", "Lower end of the 95% interval of delta"),
    "nsbench_delta_high": ("delta_high", "Upper end of the 95% interval of delta")}
LABELS = ("case", "operation", "namespaces", "phase")
TICKS = 1e9  # of the wall clock in a second


class Collector:
    """What the library writes."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def collect(self) -> Iterator[object]:
        """The metrics."""
        run = self.run
        unit, ticks = ("seconds", TICKS) if run.clock == "wall" else (run.clock, 1.0)
        about = InfoMetricFamily("nsbench_run", "The run that the other metrics are of")
        about.add_metric([], {"run_id": run.run_id, "kernel": run.kernel, "clock": run.clock, "state": run.state,
                              "version": run.info.get("nsbench_version", ""), "cpu_model": run.environment.get("cpu_model", "")})
        yield about
        for name, (column, meaning) in FIGURES.items():
            metric = GaugeMetricFamily(f"{name}_{unit}", meaning, labels=LABELS, unit=unit)
            for row in run.measured[run.measured[column].notna()].to_dict("records"):
                metric.add_metric([row[label] for label in LABELS], row[column] / ticks)
            yield metric
        samples = GaugeMetricFamily("nsbench_samples", "Counted samples", labels=LABELS)
        for row in run.measured.to_dict("records"):
            samples.add_metric([row[label] for label in LABELS], row["samples"])
        yield samples
        rows = GaugeMetricFamily("nsbench_rows", "Rows of the run; those that are skipped or failed have no figures", labels=["status"])
        for status, count in run.results["status"].value_counts().items():
            rows.add_metric([status], count)
        yield rows


def files_of(run: Run, _: Wanted) -> dict[str, str]:
    """The file."""
    return {"": generate_latest(Collector(run)).decode()}  # type: ignore[no-untyped-call]
