"""How nsbench is compiled against mistakes with memory, as its ELF file says; and that the sampler, which is timed, is not."""
import re
from pathlib import Path

import pytest

from nsbench_harness import binary

elffile = pytest.importorskip("elftools.elf.elffile", reason="python3-pyelftools is not installed")


@pytest.fixture(name="programs")
def fixture_programs():
    """nsbench's and its sampler's, open; skipped in a build with sanitizers or counters, which have what they need themselves."""
    cache = Path(binary()).parent / "CMakeCache.txt"
    if not cache.exists() or "CMAKE_BUILD_TYPE:STRING=Release\n" not in cache.read_text(encoding="utf-8"):
        pytest.skip("not built by the preset release")
    with open(binary(), "rb") as program, open(f"{binary()}-sampler", "rb") as sampler:
        yield elffile.ELFFile(program), elffile.ELFFile(sampler)


def flags_of(elf):
    """DT_FLAGS and DT_FLAGS_1."""
    dynamic = elf.get_section_by_name(".dynamic")
    return {tag.entry.d_tag: tag.entry.d_val for tag in dynamic.iter_tags() if tag.entry.d_tag in ("DT_FLAGS", "DT_FLAGS_1")}


def stack_of(elf):
    """The permissions of its stack, PF_X | PF_W | PF_R."""
    return next(one.header.p_flags for one in elf.iter_segments() if one.header.p_type == "PT_GNU_STACK")


def assert_hardened(elf, symbols):
    """`symbols`: the section that names what the program calls of the C library."""
    assert elf.header.e_type == "ET_DYN"
    assert any(one.header.p_type == "PT_GNU_RELRO" for one in elf.iter_segments())
    flags = flags_of(elf)
    assert flags["DT_FLAGS"] & 0x8 and flags["DT_FLAGS_1"] & 0x1  # DF_BIND_NOW, DF_1_NOW
    assert stack_of(elf) == 6
    names = {symbol.name for symbol in elf.get_section_by_name(symbols).iter_symbols()}
    assert "__stack_chk_fail" in names
    assert any(name.endswith("_chk") for name in names), "nothing is fortified"
    assert elf.get_section_by_name(".text").data().count(LANDING) > 100


# mov %fs:0x28,REGISTER: where a function with a guard of the stack reads it; endbr64: where an indirect branch may land.
GUARD = re.compile(rb"\x64[\x48\x4c]\x8b.\x25\x28\x00\x00\x00", re.DOTALL)
LANDING = b"\xf3\x0f\x1e\xfa"


def functions_of(elf, prefix):
    """The code of each function whose name begins so."""
    text = elf.get_section_by_name(".text")
    code, begin = text.data(), text.header.sh_addr
    for symbol in elf.get_section_by_name(".symtab").iter_symbols():
        if symbol.name.startswith(prefix) and symbol.entry.st_info.type == "STT_FUNC":
            at = symbol.entry.st_value - begin
            yield symbol.name, code[at:at + symbol.entry.st_size]


def test_nsbench_is_hardened(programs):
    assert_hardened(programs[0], ".dynsym")


def test_the_static_nsbench_is_hardened_too(programs):
    path = Path(f"{binary()}-static")
    if not path.exists():
        pytest.skip("no static nsbench here: scripts/static makes it")
    with open(path, "rb") as program:
        elf = elffile.ELFFile(program)
        assert all(one.header.p_type != "PT_INTERP" for one in elf.iter_segments())
        assert_hardened(elf, ".symtab")


def test_the_sampler_has_no_guards_in_what_is_timed(programs):
    own, elf = programs
    assert elf.header.e_type == "ET_EXEC" and elf.get_section_by_name(".dynamic") is None
    assert stack_of(elf) == 6
    assert GUARD.search(own.get_section_by_name(".text").data()), "nsbench has none either: the pattern is another one"
    found = dict(functions_of(elf, "_ZN3nsb5bench"))
    assert len(found) > 50 and sum(map(len, found.values())) > 10_000
    assert not [name for name, code in found.items() if GUARD.search(code) or code.startswith(LANDING)]
