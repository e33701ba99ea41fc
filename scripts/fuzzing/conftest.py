"""How much is made up: the same each time and little; more, and other input each time, where NSBENCH_EXAMPLES says how much."""
import os

EXAMPLES = int(os.environ.get("NSBENCH_EXAMPLES", "0"))
try:
    from hypothesis import HealthCheck, settings
except ImportError:
    pass  # the tests that need it are skipped, each with that reason
else:
    # No time of any example decides: others may have the CPU. Nothing is kept in a folder of its own.
    settings.register_profile("nsbench", max_examples=EXAMPLES or 50, derandomize=not EXAMPLES, deadline=None, database=None,
                              suppress_health_check=list(HealthCheck))
    settings.load_profile("nsbench")
