#include "id_maps.h"

#include <fcntl.h>
#include <charconv>
#include <cstring>

namespace nsb::bench {
namespace {

/// "0 ID 1"
std::size_t map_own_id(char* line, std::size_t size, unsigned id) {
    char* end = line;
    *end++ = '0';
    *end++ = ' ';
    end = std::to_chars(end, line + size - 2, id).ptr;
    *end++ = ' ';
    *end++ = '1';
    return static_cast<std::size_t>(end - line);
}

}  // namespace

IdMaps::IdMaps()
    : steps_{
          {Phase::setgroups, "setgroups", Call::write_setgroups, "deny", 4},
          {Phase::uid_map, "uid_map", Call::write_uid_map, uid_, map_own_id(uid_, sizeof uid_, geteuid())},
          {Phase::gid_map, "gid_map", Call::write_gid_map, gid_, map_own_id(gid_, sizeof gid_, getegid())}} {}

Failure IdMaps::write_own() const {
    for (const Step& step : *this) {
        char path[32] = "/proc/self/";
        std::strcpy(path + 11, step.file);  // NOLINT: the names above, far shorter than what is left
        const Failure failure = write_map(sys::Fd::own(open(path, O_WRONLY | O_CLOEXEC)), step);
        if (failure.error != 0) return failure;
    }
    return {};
}

Failure write_map(const sys::Result<sys::Fd>& file, const IdMaps::Step& step) {
    if (!file) return {Call::open_map, file.error()};
    const auto wrote = sys::retried([&] { return write(file->get(), step.text, step.length); });
    if (wrote < 0) return {step.write, errno};
    return {};
}

}  // namespace nsb::bench
