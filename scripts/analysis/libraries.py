"""The charting libraries that the report's page holds: scripts/vendor fetches them."""
import html
import json
import re
import subprocess
import sys

from analysis import programs
from analysis.script import Unreadable

SOURCES = programs.SCRIPTS / "page"
LIBRARIES = programs.page_libraries() / "node_modules"

# package → its script, its style, its licence's files
VENDORED = {
    "echarts": ("dist/echarts.min.js", None, ("LICENSE", "NOTICE")),
    "d3": ("dist/d3.min.js", None, ("LICENSE",)),
    "d3-flame-graph": ("dist/d3-flamegraph.umd.min.js", None, ("LICENSE",)),
    "tabulator-tables": ("dist/js/tabulator.min.js", "dist/css/tabulator.min.css", ("LICENSE",)),
}


def _is_fetched() -> bool:
    """Whether the libraries are those of package-lock.json: scripts/vendor writes its checksum last."""
    lock = LIBRARIES.parent / ".lock"
    if not lock.exists() or not all((LIBRARIES / name / script).exists() for name, (script, *_) in VENDORED.items()):
        return False
    wanted = subprocess.run(["cksum", SOURCES / "package-lock.json"], capture_output=True, text=True, check=True)
    return lock.read_text().strip() == wanted.stdout.split()[0]


def vendored() -> None:
    """Unreadable where the charting libraries are not there and scripts/vendor cannot fetch them."""
    if _is_fetched():
        return
    if not programs.IS_TREE:
        raise Unreadable(
            f"{LIBRARIES} lacks the libraries of the page ({', '.join(VENDORED)}): in the source tree run scripts/vendor, "
            "then cmake --install"
        )
    try:
        made = subprocess.run([programs.SCRIPTS / "vendor"], stdout=sys.stderr, check=False)
    except OSError as error:
        raise Unreadable(
            f"scripts/vendor: {error.strerror}; it fetches {', '.join(VENDORED)} for the page"
        ) from None
    if made.returncode or not _is_fetched():
        raise Unreadable(
            f"build/page lacks the libraries of scripts/page/package-lock.json ({', '.join(VENDORED)}): run "
            "scripts/vendor where npm reaches its registry"
        )


def library(name: str) -> tuple[str, str, str]:
    """A package's script, style and licence, as they stand in the page."""
    script, style, licences = VENDORED[name]
    folder = LIBRARIES / name
    version = json.loads((folder / "package.json").read_text())["version"]
    # A source map is another file, which the page does not have.
    code = re.sub(
        r"^//# sourceMappingURL=.*$", "", (folder / script).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    look = (
        re.sub(r"/\*# sourceMappingURL=.*?\*/", "", (folder / style).read_text(encoding="utf-8"))
        if style
        else ""
    )
    terms = "\n".join((folder / file).read_text(encoding="utf-8") for file in licences)
    return (
        code.replace("</script", "<\\/script"),
        look,
        f"<details><summary>{name} {version}</summary><pre>{html.escape(terms)}</pre></details>",
    )
