#include "sys/growing_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "sys/error.h"
#include "sys/place.h"

namespace nsb::sys {

GrowingFile::GrowingFile(std::filesystem::path path, const Fd& file, off_t size) : path_(std::move(path)) {
    struct stat status {};
    must(fstat(file.get(), &status), "fstat", path_.native());
    status.st_size = size;
    known_ = status;
}

void GrowingFile::replace(const Pieces& pieces, int at) {
    known_ = replace_file(path_, pieces, at);
}

Fd GrowingFile::open_known(struct stat& status, int at) const {
    if (!known_) return {};
    const Place place = find_place(path_, at);
    // A second name may be somebody's copy of what there was.
    if (!place.found || !is_same(place.status, *known_) || place.status.st_nlink != 1) return {};
    Fd file(openat(place.folder.get(), place.name.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file) return {};
    must(fstat(file.get(), &status), "fstat", path_.native());
    return is_same(status, *known_) ? std::move(file) : Fd();
}

void GrowingFile::cut(int at) const {
    struct stat status {};
    const Fd file = open_known(status, at);
    if (file && status.st_size > size()) must(ftruncate(file.get(), size()), "ftruncate", path_.native());
}

bool GrowingFile::extend(const Pieces& pieces, int at) {
    const std::string& name = path_.native();
    struct stat status {};
    const Fd file = open_known(status, at);
    if (!file || status.st_size < size()) return false;
    const timespec& left = known_->st_mtim;
    if (status.st_mtim.tv_sec != left.tv_sec || status.st_mtim.tv_nsec != left.tv_nsec) return false;
    // What a failure has left behind, ours or of a process that was killed.
    if (status.st_size > size()) must(ftruncate(file.get(), size()), "ftruncate", name);
    must(lseek(file.get(), size(), SEEK_SET), "lseek", name);
    off_t valid = size();
    const auto leave = [&] {
        must(fstat(file.get(), &status), "fstat", name);
        status.st_size = valid;
        known_ = status;
    };
    off_t more = 0;
    try {
        pieces([&](std::string_view piece) {
            write_all(file.get(), piece, name);
            more += static_cast<off_t>(piece.size());
        });
    } catch (...) {
        [[maybe_unused]] const int cut = ftruncate(file.get(), valid);
        leave();
        throw;
    }
    valid += more;
    leave();
    return true;
}

}  // namespace nsb::sys
