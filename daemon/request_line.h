// Requests as a client writes them: one line each, in the line framing. Pure functions; any thread.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace toll::daemon {

// The request of these words, ended by \n. Words that are empty or hold blanks, quotes or control
// bytes are quoted, so that any words survive. But what follows LOG PUSH is a record: its words are
// sent as they are, with a blank between two. Error: a sentence, of a record with a line break,
// which this framing has no way to send. REQUIRES: at least one word.
std::expected<std::string, std::string> request_of_words(std::span<const std::string> words);

// Appends the request on a line that a person wrote, ended by \n. False, and nothing appended, for
// what is none: blanks alone, or a comment (#).
bool append_request_of_line(std::string_view line, std::string& out);

}  // namespace toll::daemon
