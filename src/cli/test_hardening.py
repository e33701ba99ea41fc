"""How nsbench is compiled against mistakes with memory, as its ELF file says; and that the sampler, which is timed, is not."""
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


def test_nsbench_is_hardened(programs):
    elf, _ = programs
    assert elf.header.e_type == "ET_DYN"
    assert any(one.header.p_type == "PT_GNU_RELRO" for one in elf.iter_segments())
    flags = flags_of(elf)
    assert flags["DT_FLAGS"] & 0x8 and flags["DT_FLAGS_1"] & 0x1  # DF_BIND_NOW, DF_1_NOW
    assert stack_of(elf) == 6
    names = {symbol.name for symbol in elf.get_section_by_name(".dynsym").iter_symbols()}
    assert "__stack_chk_fail" in names
    assert any(name.endswith("_chk") for name in names), "nothing is fortified"
    # endbr64: an indirect branch lands nowhere else
    assert elf.get_section_by_name(".text").data().count(b"\xf3\x0f\x1e\xfa") > 100


def test_the_sampler_has_no_guards_in_what_is_timed(programs):
    _, elf = programs
    assert elf.header.e_type == "ET_EXEC" and elf.get_section_by_name(".dynamic") is None
    assert stack_of(elf) == 6
    code = elf.get_section_by_name(".text").data()
    table = elf.get_section_by_name(".symtab")
    for symbol in table.iter_symbols():
        if "nsb5bench9run_clone" in symbol.name and symbol.entry.st_info.type == "STT_FUNC":
            begin = symbol.entry.st_value - elf.get_section_by_name(".text").header.sh_addr
            # mov %fs:0x28: where a function that has a guard reads it.
            assert b"\x64\x48\x8b\x04\x25\x28\x00\x00\x00" not in code[begin:begin + symbol.entry.st_size]
            return
    pytest.fail("run_clone is not there")
