// Requests as a client writes them: one line each, in the line framing. Pure functions; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace toll::daemon {

// The request of these words, ended by \n. Words that are empty or hold blanks, quotes or control
// bytes are quoted, so that any words survive. REQUIRES: at least one word.
std::string request_of_words(std::span<const std::string> words);

// Appends the request on a line that a person wrote, ended by \n. False, and nothing appended, for
// what is none: blanks alone, or a comment (#).
bool append_request_of_line(std::string_view line, std::string& out);

}  // namespace toll::daemon
