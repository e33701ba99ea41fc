#include "sys/id_maps.h"

#include <fcntl.h>
#include <charconv>
#include <cstring>

namespace nsb::sys {

using protocol::Call;
using protocol::Failure;

namespace {

/// "INSIDE OUTSIDE 1"
std::size_t put_line(char* line, std::size_t size, MappedId id) {
    char* end = std::to_chars(line, line + size, id.inside).ptr;
    *end++ = ' ';
    end = std::to_chars(end, line + size, id.outside).ptr;
    *end++ = ' ';
    *end++ = '1';
    return static_cast<std::size_t>(end - line);
}

}  // namespace

IdMaps::IdMaps(MappedId user, MappedId group)
    : steps_{{Phase::setgroups, "setgroups", Call::write_setgroups, "deny", 4},
             {Phase::uid_map, "uid_map", Call::write_uid_map, uid_, put_line(uid_, sizeof uid_, user)},
             {Phase::gid_map, "gid_map", Call::write_gid_map, gid_, put_line(gid_, sizeof gid_, group)}} {}

Failure IdMaps::write_own() const {
    for (const Step& step : *this) {
        char path[32] = "/proc/self/";
        std::strcpy(path + 11, step.file);  // NOLINT: the names above, far shorter than what is left
        const Failure failure = write_map(Fd::own(open(path, O_WRONLY | O_CLOEXEC)), step);
        if (failure.error != 0) return failure;
    }
    return {};
}

Failure write_map(const Result<Fd>& file, const IdMaps::Step& step) {
    if (!file) return {Call::open_map, file.error()};
    const auto wrote = retried([&] { return write(file->get(), step.text, step.length); });
    if (wrote < 0) return {step.write, errno};
    return {};
}

}  // namespace nsb::sys
