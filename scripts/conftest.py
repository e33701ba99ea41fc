"""What all tests of the scripts share."""
from all_skipped import pytest_sessionfinish

__all__ = ["pytest_sessionfinish"]
