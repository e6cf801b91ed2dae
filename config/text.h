// Text from strangers, made fit to be shown, and text that can be printed and read back.
//
// Pure functions, any thread; they allocate what they return.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "config/limits.h"

namespace toll::config {

// Bytes of the well-formed UTF-8 sequence at the front of `text` (RFC 3629: shortest form, no
// surrogates, up to U+10FFFF); 0 if there is none. REQUIRES: !text.empty().
size_t utf8_length(std::string_view text);

// Bytes of the character that `text` begins with; 0 if it is no UTF-8 or a control character.
// REQUIRES: !text.empty().
size_t plain_character(std::string_view text);

// `text`, from anywhere, fit for one line of a message: control characters and bytes that are no
// UTF-8 become '?', and past `bytes_max` bytes it ends in "...".
std::string shown(std::string_view text, size_t bytes_max = kShownMax);

// Is it UTF-8 without control characters? Only then can it be printed and read back.
bool is_plain_text(std::string_view text);

// `text` as a TOML string. REQUIRES: is_plain_text(text).
std::string quote(std::string_view text);

}  // namespace toll::config
