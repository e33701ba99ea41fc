#include "inside.h"

#include <fcntl.h>
#include <sys/mman.h>

// NSB_PROGRAM and NSB_REPORTER are the built programs' paths.
asm(".pushsection .rodata\n"
    ".balign 64\n"
    "nsb_program: .incbin \"" NSB_PROGRAM
    "\"\n"
    "nsb_program_end:\n"
    "nsb_reporter: .incbin \"" NSB_REPORTER
    "\"\n"
    "nsb_reporter_end:\n"
    ".popsection\n");
extern "C" const char nsb_program[], nsb_program_end[], nsb_reporter[], nsb_reporter_end[];

namespace nsb::bench {
namespace {

using protocol::Call;
using protocol::Failure;

Failure write_whole(int fd, const Image& image) {
    const ssize_t wrote = sys::retried([&] { return write(fd, image.begin, image.size); });
    if (wrote < 0) return {Call::write_program, errno};
    // A file system that takes a part has no room for the rest.
    if (static_cast<std::size_t>(wrote) != image.size) return {Call::write_program, ENOSPC};
    return {};
}

}  // namespace

Image program_image() {
    return {nsb_program, static_cast<std::size_t>(nsb_program_end - nsb_program)};
}

Image reporter_image() {
    return {nsb_reporter, static_cast<std::size_t>(nsb_reporter_end - nsb_reporter)};
}

Failure write_image(const char* path, const Image& image, int folder) {
    const auto file = sys::Fd::own(openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));
    if (!file) return {Call::open_program, file.error()};
    return write_whole(file->get(), image);
}

tl::expected<sys::Fd, Failure> image_without_name(const Image& image) {
    auto file = sys::Fd::own(memfd_create("program", MFD_CLOEXEC));
    if (!file) return tl::unexpected(Failure{Call::open_program, file.error()});
    if (const Failure failure = write_whole(file->get(), image); failure.error != 0) {
        return tl::unexpected(failure);
    }
    return std::move(*file);
}

}  // namespace nsb::bench
