// A plugin for QEMU's emulator: every kernel function's instructions between the marks of nsbench's sampler.
//
//   qemu-system-x86_64 … -plugin nsbench-exact.so,symbols=FILE,marks=FILE,out=FILE[,runs=1]
//
// `symbols` is the guest's /proc/kallsyms. `marks` has a line for each mark (bench/mark.h): its address, the
// first bytes of what stands there, the phases that it opens and closes, the reading, and 1 where those that
// it opens come in turn; all in hexadecimal. `out` is written when QEMU ends; see write(). With `runs` it has
// what each address executed.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "exact/qemu_plugin.h"
#include "exact/symbols.h"
#include "exact/trace.h"

namespace nsb::exact {
namespace {

constexpr int kApi = 1;

struct PlacedMark {
    std::array<unsigned char, 8> code{};
    Mark mark;
    std::uint32_t reading = 0;
};

/// What the emulator's callbacks work on.
struct Plugin {
    GuestSymbols symbols;
    std::unordered_map<std::uint64_t, PlacedMark> marks;
    std::string out;
    std::unique_ptr<Trace> trace;
    std::deque<CodeBlock> blocks;  // blocks stay where they are
    bool keeps_runs = false;
    std::vector<std::string> sizes;  // of each block's instructions, as write() writes them
    std::uint64_t count = 0;         // instructions that were tried
    const PlacedMark* armed = nullptr;
    std::uint32_t readings = 0;  // until it takes effect
};

Plugin* plugin;

bool starts_with_code(std::string_view code, std::initializer_list<unsigned char> bytes) {
    return code.size() >= bytes.size() &&
           std::equal(bytes.begin(), bytes.end(), code.begin(),
                      [](unsigned char a, char b) { return a == static_cast<unsigned char>(b); });
}

std::string_view code_of(const qemu_plugin_insn* instruction) {
    return {static_cast<const char*>(qemu_plugin_insn_data(instruction)), qemu_plugin_insn_size(instruction)};
}

/// Intel's manual, volume 2: CALL E8, FF /2, FF /3; RET C3, C2; IRETQ 48 CF.
BlockEnd end_of(std::string_view code) {
    while (!code.empty() &&
           (code[0] == '\x3e' || code[0] == '\x2e' || code[0] == '\xf2' || code[0] == '\xf3'))
        code.remove_prefix(1);
    if (starts_with_code(code, {0x48, 0xcf}) || starts_with_code(code, {0xcf})) return BlockEnd::iret;
    if (!code.empty() && (static_cast<unsigned char>(code[0]) & 0xf0U) == 0x40U) code.remove_prefix(1);
    if (starts_with_code(code, {0xc3}) || starts_with_code(code, {0xc2})) return BlockEnd::ret;
    if (starts_with_code(code, {0xe8})) return BlockEnd::call;
    const bool is_indirect = starts_with_code(code, {0xff}) && code.size() > 1;
    return is_indirect && (static_cast<unsigned char>(code[1]) & 0x30U) == 0x10U ? BlockEnd::call
                                                                                 : BlockEnd::none;
}

bool reads_counter(std::string_view code) {
    return starts_with_code(code, {0x0f, 0x31}) || starts_with_code(code, {0x0f, 0x01, 0xf9});
}

/// arch/x86/include/asm/idtentry.h and arch/x86/entry/entry_64.S, by their names from 5.8 on.
Entry entry_of(const std::string& name, bool is_first) {
    if (name == "irq_entries_start" || name == "spurious_entries_start") return Entry::interrupt;
    if (!is_first) return Entry::none;
    if (name == "ret_from_fork" || name == "ret_from_fork_asm") return Entry::fork;
    const bool is_trap = name == "asm_exc_int3" || name == "asm_exc_debug" || name == "asm_exc_nmi";
    if (name.starts_with("asm_sysvec_") || is_trap) return Entry::interrupt;
    return name.starts_with("asm_exc_") ? Entry::fault : Entry::none;
}

void on_block(unsigned, void* data) {
    plugin->trace->enter(*static_cast<const CodeBlock*>(data), plugin->count);
}

void on_return(unsigned, qemu_plugin_meminfo_t, std::uint64_t address, void*) {
    plugin->trace->returns_from(address);
}

void on_mark(unsigned, void* data) {
    plugin->armed = static_cast<const PlacedMark*>(data);
    plugin->readings = plugin->armed->reading;
}

void on_reading(unsigned, void*) {
    if (plugin->armed == nullptr || --plugin->readings != 0) return;
    plugin->trace->mark(std::exchange(plugin->armed, nullptr)->mark, plugin->count);
}

void instrument_user(qemu_plugin_insn* instruction, std::string_view code) {
    const auto mark = plugin->marks.find(qemu_plugin_insn_vaddr(instruction));
    if (mark != plugin->marks.end()) {
        const std::size_t same = std::min(code.size(), mark->second.code.size());
        const bool is_other_program = std::memcmp(code.data(), mark->second.code.data(), same) != 0;
        if (!is_other_program)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_mark, QEMU_PLUGIN_CB_NO_REGS,
                                                   &mark->second);
    }
    // Behind the mark, which may stand at a reading itself.
    if (reads_counter(code))
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_reading, QEMU_PLUGIN_CB_NO_REGS, nullptr);
}

/// Called when QEMU translates a code block: says what is to be done each time that it is executed.
void on_translate(qemu_plugin_id_t, qemu_plugin_tb* translated) {
    CodeBlock* block = nullptr;
    const std::size_t size = qemu_plugin_tb_n_insns(translated);
    for (std::size_t i = 0; i < size; ++i) {
        qemu_plugin_insn* const instruction = qemu_plugin_tb_get_insn(translated, i);
        const std::string_view code = code_of(instruction);
        const std::uint64_t address = qemu_plugin_insn_vaddr(instruction);
        const Function function = plugin->symbols.at(address);
        if (block == nullptr || block->function != function) {
            const bool is_first = function != kUser && plugin->symbols.is_first(address);
            const Entry entry =
                function == kUser ? Entry::none : entry_of(plugin->symbols.name(function), is_first);
            const bool is_begin = block == nullptr;
            block = &plugin->blocks.emplace_back(
                CodeBlock{address, address, 0, function, BlockEnd::none, entry, is_first,
                          static_cast<std::uint32_t>(plugin->blocks.size())});
            if (plugin->keeps_runs) plugin->sizes.emplace_back();
            if (is_begin) {
                qemu_plugin_register_vcpu_tb_exec_cb(translated, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
            } else {
                qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
            }
        }
        block->end = address + code.size();
        ++block->instructions;
        if (plugin->keeps_runs) plugin->sizes.back() += "0123456789abcdef"[code.size() & 0xfU];
        if (function == kUser) {
            instrument_user(instruction, code);
        } else if (i + 1 == size) {
            block->last = end_of(code);
            const std::string& name = plugin->symbols.name(function);
            if (block->last == BlockEnd::ret &&
                (name == "__switch_to" || name.find("return_thunk") != std::string::npos ||
                 name.find("untrain_ret") != std::string::npos)) {
                // Asked for reads alone, QEMU 7.2 never calls back for a return.
                qemu_plugin_register_vcpu_mem_cb(instruction, on_return, QEMU_PLUGIN_CB_NO_REGS,
                                                 QEMU_PLUGIN_MEM_RW, nullptr);
            }
        }
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, QEMU_PLUGIN_INLINE_ADD_U64, &plugin->count,
                                                   1);
    }
}

void write_runs(std::FILE* file, const Segment& segment) {
    for (const BlockRuns& run : segment.runs) {
        const std::string sizes = std::exchange(plugin->sizes[run.block], "");
        const CodeBlock& block = plugin->blocks[run.block];
        if (!sizes.empty()) {  // this is its first run
            std::fprintf(file, "b %u %llx %s %s\n", run.block, static_cast<unsigned long long>(block.begin),
                         sizes.c_str(), plugin->symbols.name(block.function).c_str());
        }
        std::fprintf(file, "r %u %u %u %llu\n", run.block, run.instructions, static_cast<unsigned>(run.owner),
                     static_cast<unsigned long long>(run.times));
    }
}

/// Lines of words: "n PARENT NAME" for each node (the first ones are the owners', in the order of Owner), and
/// for each segment "s PHASES INSTRUCTIONS LOST IN_TURN TURN", followed by "c NODE CALLS SELF" for what was
/// executed in it. Where runs are kept, "b BLOCK ADDRESS SIZES NAME" for each block of `NAME` that was
/// executed, with the bytes of its instructions one after the other, and in a segment "r BLOCK INSTRUCTIONS
/// OWNER TIMES". Addresses and sizes are hexadecimal. "end" is the last.
void write(qemu_plugin_id_t, void*) {
    std::FILE* const file = std::fopen(plugin->out.c_str(), "w");
    if (file == nullptr) return;
    plugin->trace->end(plugin->count);
    for (const TraceNode& node : plugin->trace->nodes()) {
        std::fprintf(file, "n %u %s\n", node.parent, plugin->symbols.name(node.function).c_str());
    }
    for (const Segment& segment : plugin->trace->segments()) {
        std::fprintf(file, "s %u %llu %u %u %u\n", segment.phases,
                     static_cast<unsigned long long>(segment.instructions), segment.lost, segment.in_turn,
                     segment.turn);
        for (const Cell& cell : segment.cells) {
            std::fprintf(file, "c %u %u %llu\n", cell.node, cell.calls,
                         static_cast<unsigned long long>(cell.self));
        }
        write_runs(file, segment);
    }
    std::fputs("end\n", file);
    std::fclose(file);
}

/// The error, or nothing.
std::string read_marks(const std::string& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::uint64_t address = 0;
        std::uint64_t code = 0;
        PlacedMark mark;
        if (!(words >> std::hex >> address >> code >> mark.mark.opens >> mark.mark.closes >> mark.reading >>
              mark.mark.in_turn))
            return path + ": no mark";
        for (std::size_t i = 0; i < mark.code.size(); ++i) {
            mark.code[i] = static_cast<unsigned char>(code >> (8U * (mark.code.size() - 1 - i)));
        }
        plugin->marks.emplace(address, mark);
    }
    return plugin->marks.empty() ? path + ": no marks" : "";
}

/// The error, or nothing.
std::string set_up(int count, char** words) {
    std::string marks;
    std::string symbols;
    for (int i = 0; i < count; ++i) {
        const std::string_view word = words[i];
        const std::size_t at = word.find('=');
        const std::string_view name = word.substr(0, at);
        const std::string value(at == std::string_view::npos ? "" : word.substr(at + 1));
        if (name == "symbols") {
            symbols = value;
        } else if (name == "marks") {
            marks = value;
        } else if (name == "out") {
            plugin->out = value;
        } else if (name == "runs") {
            plugin->keeps_runs = value == "1";
        } else {
            return std::string(word) + ": symbols=, marks=, out= and runs= are what there is";
        }
    }
    std::ifstream file(symbols);
    plugin->symbols = GuestSymbols::read(file);
    if (plugin->symbols.empty()) return symbols + ": no kernel function with an address";
    // By these names the ways into the kernel are known; before 5.8 they had others.
    for (const char* const name : {"__switch_to", "kthread", "asm_exc_page_fault"}) {
        if (!plugin->symbols.find(name))
            return symbols + ": no " + name + ": kernels from 5.8 on can be profiled";
    }
    plugin->trace = std::make_unique<Trace>(*plugin->symbols.find("__switch_to"),
                                            *plugin->symbols.find("kthread"), plugin->keeps_runs);
    return read_marks(marks);
}

}  // namespace
}  // namespace nsb::exact

extern "C" {

[[gnu::visibility("default")]] extern const int qemu_plugin_version;
const int qemu_plugin_version = nsb::exact::kApi;

[[gnu::visibility("default")]] int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info,
                                                       int count, char** words) {
    using namespace nsb::exact;  // NOLINT(google-build-using-namespace): the plugin is of this module
    plugin = new Plugin;         // until QEMU ends
    std::string error = set_up(count, words);
    if (std::string_view(info->target_name) != "x86_64") error = "only x86_64 is understood";
    if (info->version.min > kApi || info->version.cur < kApi)
        error = "QEMU's interface for plugins is another version";
    if (!error.empty()) {
        std::fprintf(stderr, "nsbench-exact: %s\n", error.c_str());
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, write, nullptr);
    return 0;
}
}
