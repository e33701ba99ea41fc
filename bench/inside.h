// The programs that run inside containers (inside.c), as files to be written where they are wanted.
#pragma once

#include <cstddef>

#include "core/protocol.h"
#include "sys/fd.h"

namespace nsb::bench {

struct Image {
    const char* begin;
    std::size_t size;
};

/// Writes the time stamp counter at its first instruction to standard output: 8 bytes.
[[nodiscard]] Image program_image();

/// Writes the inodes of its namespaces there, in the order of Kind: 8 times 8 bytes.
[[nodiscard]] Image reporter_image();

/// Writes an executable file, below an open folder or the current one.
[[nodiscard]] protocol::Failure write_image(const char* path, const Image& image, int folder = AT_FDCWD);

/// The same as a file without a name.
[[nodiscard]] tl::expected<sys::Fd, protocol::Failure> image_without_name(const Image& image);

}  // namespace nsb::bench
