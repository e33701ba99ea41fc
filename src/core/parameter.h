// Parameters, as the table of parameters.def.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/runtimes.def"

namespace nsb {

inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kMinStack = 16ULL << 10U;
inline constexpr std::uint64_t kMaxStack = 1ULL << 30U;
inline constexpr std::uint64_t kMaxParallel = 128;

enum class Parameter : std::uint8_t {
#define NSB_NUMBER(identifier, key, of, type, initial, low, high, always_in_id, meaning, help) identifier,
#define NSB_CHOICE(identifier, key, of, choices, always_in_id, meaning, help, ...) identifier,
#include "core/parameters.def"
#undef NSB_CHOICE
#undef NSB_NUMBER
};

#define NSB_NUMBER(identifier, key, of, type, initial, low, high, always_in_id, meaning, help)
#define NSB_CHOICE(identifier, key, of, choices, always_in_id, meaning, help, ...) \
    enum class choices : std::uint64_t { __VA_ARGS__ };
#include "core/parameters.def"
#undef NSB_CHOICE
#undef NSB_NUMBER

enum class ParameterType : std::uint8_t { size, count, choice };

namespace detail {
/// Its arguments as text: tables among them are lists by then, with a comma at the end.
#define NSB_TEXT(...) #__VA_ARGS__

/// How many there are in "one, two, three", or "one, two, three,".
constexpr std::size_t count_of(std::string_view list) {
    return static_cast<std::size_t>(std::count(list.begin(), list.end(), ',')) +
           (list.ends_with(',') ? 0 : 1);
}

inline constexpr std::size_t kMostChoices = std::max({
    std::size_t{1},
#define NSB_NUMBER(identifier, key, of, type, initial, low, high, always_in_id, meaning, help)
#define NSB_CHOICE(identifier, key, of, choices, always_in_id, meaning, help, ...) \
    count_of(NSB_TEXT(__VA_ARGS__)),
#include "core/parameters.def"
#undef NSB_CHOICE
#undef NSB_NUMBER
});

/// The names in "one, two, three"; the array's rest is empty.
constexpr std::array<std::string_view, kMostChoices> names_in(std::string_view list) {
    std::array<std::string_view, kMostChoices> names{};
    for (std::size_t i = 0, begin = 0; i < count_of(list); ++i) {
        const std::size_t end = std::min(list.find(',', begin), list.size());
        names[i] = list.substr(begin, end - begin);
        begin = end + 2;
    }
    return names;
}
}  // namespace detail

struct ParameterInfo {
    std::string_view key;  ///< in a case id, before the colon
    ParameterType type;
    std::array<std::string_view, detail::kMostChoices>
        choice_names;         ///< a choice's value is its index here; the first is the default
    std::uint64_t initial;    ///< bytes, a count, or an index into choices
    std::uint64_t low, high;  ///< what is accepted
    bool always_in_id;        ///< also at its default
    std::string_view meaning;
    std::string_view help;  ///< of --KEY, where it has an option of its own; else empty

    /// The names that there are: the array's rest is empty.
    [[nodiscard]] constexpr std::span<const std::string_view> choices() const {
        return {choice_names.data(), type == ParameterType::choice ? high + 1 : 0};
    }
};

inline constexpr auto kParameterTable = std::to_array<ParameterInfo>({
#define NSB_NUMBER(identifier, key, of, type, initial, low, high, always_in_id, meaning, help) \
    {key, ParameterType::type, {}, initial, low, high, always_in_id, meaning, help},
#define NSB_CHOICE(identifier, key, of, choices, always_in_id, meaning, help, ...) \
    {key,                                                                          \
     ParameterType::choice,                                                        \
     detail::names_in(NSB_TEXT(__VA_ARGS__)),                                      \
     0,                                                                            \
     0,                                                                            \
     detail::count_of(NSB_TEXT(__VA_ARGS__)) - 1,                                  \
     always_in_id,                                                                 \
     meaning,                                                                      \
     help},
#include "core/parameters.def"
#undef NSB_CHOICE
#undef NSB_NUMBER
});
#undef NSB_TEXT
inline constexpr std::size_t kParameters = kParameterTable.size();

constexpr const ParameterInfo& info(Parameter parameter) {
    return kParameterTable[static_cast<std::size_t>(parameter)];
}

inline constexpr std::size_t kRuntimes = info(Parameter::by).choices().size();

using ParameterValues = std::array<std::uint64_t, kParameters>;

}  // namespace nsb
