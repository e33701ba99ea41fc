// userns_map: what a runtime writes so that a new user namespace has ids: setgroups, uid_map, gid_map.
#include <fcntl.h>
#include <charconv>

#include "holder.h"

namespace nsb::bench {
namespace {

constexpr std::size_t kHolderStack = 64U << 10U;

/// "0 ID 1": id 0 inside is this process's own id outside, the one map that needs no privilege.
std::size_t map_own_id(char* line, std::size_t size, unsigned id) {
    char* end = line;
    *end++ = '0';
    *end++ = ' ';
    end = std::to_chars(end, line + size - 2, id).ptr;
    *end++ = ' ';
    *end++ = '1';
    return static_cast<std::size_t>(end - line);
}

struct Step {
    Phase phase;
    const char* file;
    Call write;
    const char* text;
    std::size_t length;
};

Failure write_file(const Holder& holder, const Step& step) {
    const auto file = holder.open_proc(step.file, O_WRONLY);
    if (!file) return {Call::open_map, file.error()};
    if (write(file->get(), step.text, step.length) < 0) return {step.write, errno};
    return {};
}

}  // namespace

void run_userns_map(Block& block) {
    const auto stack = sys::Stack::map(kHolderStack, false);
    if (!stack) return block.fail({Call::mmap, stack.error()});
    char uid_line[32];
    char gid_line[32];
    const std::size_t uid_length = map_own_id(uid_line, sizeof uid_line, geteuid());
    const std::size_t gid_length = map_own_id(gid_line, sizeof gid_line, getegid());
    // setgroups first: without the deny, gid_map is refused to ordinary users (user_namespaces(7)).
    const Step steps[] = {
        {Phase::setgroups, "setgroups", Call::write_setgroups, "deny", 4},
        {Phase::uid_map, "uid_map", Call::write_uid_map, uid_line, uid_length},
        {Phase::gid_map, "gid_map", Call::write_gid_map, gid_line, gid_length},
    };
    while (Record* record = block.next()) {
        const std::uint64_t call = sys::now();
        auto holder = Holder::start(block.request.set, *stack);
        if (!holder) return block.fail(holder.error());
        for (const Step& step : steps) {
            const std::uint64_t begin = sys::now();
            const Failure failure = write_file(*holder, step);
            time_of(*record, step.phase) = sys::now() - begin;
            if (failure.error != 0) return block.fail(failure);
        }
        const Failure failure = holder->release();
        if (failure.error != 0) return block.fail(failure);
        time_of(*record, Phase::total) = sys::now() - call;
    }
}

}  // namespace nsb::bench
