// Text from outside (arguments, a kernel's command line, what runtimes say) may be any bytes; JSON and CSV
// files are UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace nsb {

/// The same as UTF-8. A byte that is none becomes U+FFFD, which is shown as a question mark in a box, and its
/// two hexadecimal digits: b\xff.csv is b�FF.csv. So do the bytes of U+FFFD itself, so that from_utf8() knows
/// them.
std::string as_utf8(std::string_view bytes);

/// The bytes that as_utf8() made a text of.
std::string from_utf8(std::string_view text);

/// A field of a CSV file (RFC 4180) of any bytes. It is one line for any reader, some of which end a line at
/// any control character: those are spaces in it.
std::string csv_field(std::string_view bytes);

/// Changes all strings within a JSON value.
template <typename Json>
void change_strings(Json& json, std::string (*change)(std::string_view)) {
    if (json.is_string()) {
        json = change(json.template get_ref<const std::string&>());
    } else if (json.is_structured()) {
        for (Json& inner : json) change_strings(inner, change);
    }
}

}  // namespace nsb
