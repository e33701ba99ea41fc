"""Tests of what the archive has of titles: a changelog, and the source. Run by scripts/test-kernels, since they download packages."""
from pathlib import Path

import pytest

from lab import changelogs, definitions, packages
from lab.errors import LabError


def test_the_archive_has_a_changelog_and_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the newest kernel of all, whose package has a link; skips where there is no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    try:
        kernel = packages.find(["7"])[0]
        found = changelogs.entries(changelogs.of_kernel(kernel))
        there = definitions.sources()
    except LabError as error:
        pytest.skip(str(error))
    assert found[0].version == kernel.version and len(found) > 100
    assert sum(len(one.titles) for one in found) > 10000 and "6.1" in there
    assert definitions.version_of("linux-source-6.1").startswith("6.1.")
    with pytest.raises(LabError):
        definitions.version_of("linux-source-6.1-none")
