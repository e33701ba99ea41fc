#include "env/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/text.h"
#include "sys/file.h"

namespace nsb::env {
namespace {

std::string full_path(const Root& root, std::string_view path) {
    return root.prefix + std::string(path);
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

std::optional<std::string> read_text(const Root& root, std::string_view path) {
    auto text = sys::read_file(full_path(root, path));
    return text ? std::optional(std::move(*text)) : std::nullopt;
}

std::optional<std::string> first_line(const Root& root, std::string_view path) {
    const auto text = read_text(root, path);
    if (!text) return std::nullopt;
    return std::string(trim(std::string_view(*text).substr(0, text->find('\n'))));
}

std::optional<std::uint64_t> number(const Root& root, std::string_view path) {
    const auto line = first_line(root, path);
    if (!line) return std::nullopt;
    const auto value = parse_count(*line, 0, UINT64_MAX);
    if (!value) return std::nullopt;
    return *value;
}

std::optional<std::string> link_target(const Root& root, std::string_view path) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(full_path(root, path), error);
    if (error) return std::nullopt;
    return target.string();
}

std::vector<std::string> names_in(const Root& root, std::string_view directory) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entry(full_path(root, directory), error);
    for (const std::filesystem::directory_iterator end; !error && entry != end; entry.increment(error)) {
        names.push_back(entry->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> parts = split(text, " \t\n");
    std::erase(parts, "");
    return parts;
}

std::optional<std::string> field(std::string_view text, std::string_view key) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos && trim(line.substr(0, colon)) == key) {
            return std::string(trim(line.substr(colon + 1)));
        }
        begin = end + 1;
    }
    return std::nullopt;
}

std::optional<std::string> marked(std::string_view text, std::string_view brackets) {
    const std::size_t begin = text.find(brackets[0]);
    if (begin == std::string_view::npos) return std::nullopt;
    const std::size_t end = text.find(brackets[1], begin);
    if (end == std::string_view::npos) return std::nullopt;
    return std::string(text.substr(begin + 1, end - begin - 1));
}

}  // namespace nsb::env
