// A file that grows: what it has already is not written again.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>

#include "sys/file.h"

namespace nsb::sys {

/// What is appended is valid once extend() has returned. Until then, and where the process was killed in it,
/// the file is longer than size() says: who reads it has to know how far it is valid. Nothing is synced: what
/// a loss of power leaves is not known.
class GrowingFile {
  public:
    /// Not written yet; `path` is as for replace_file().
    explicit GrowingFile(std::filesystem::path path) : path_(std::move(path)) {}
    /// One that is there, of which the first `size` bytes are valid.
    GrowingFile(std::filesystem::path path, const Fd& file, off_t size);

    /// The file as a whole: under its name it is the earlier one or this one. Throws SystemError; it is the
    /// earlier one then.
    void replace(const Pieces& pieces, int at = AT_FDCWD);

    /// Appends; false where the file is not there as it was left, so that it has to be replaced: another one,
    /// one that was written to since, one that has a second name, or that may not be written. What stands
    /// behind size() goes. Throws SystemError; it is as long as before then, or what is behind goes the next
    /// time.
    [[nodiscard]] bool extend(const Pieces& pieces, int at = AT_FDCWD);

    /// Takes off what stands behind size(), whoever wrote it, where that can be. Throws SystemError.
    void cut(int at = AT_FDCWD) const;

    /// Whether it is one that was written or read before.
    [[nodiscard]] bool is_known() const { return known_.has_value(); }

    /// Bytes that are valid; 0 where it was never written, or is no file that could be extended.
    [[nodiscard]] off_t size() const { return known_ ? known_->st_size : 0; }

  private:
    /// The file for writing, and what it is; none where it is another one or has a second name.
    [[nodiscard]] Fd open_known(struct stat& status, int at) const;

    std::filesystem::path path_;
    std::optional<struct stat> known_;  // as it was left; its size is what is valid
};

}  // namespace nsb::sys
