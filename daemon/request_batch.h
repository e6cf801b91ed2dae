// Many requests from a file or a pipe: sent pipelined, their replies printed in order as they come.
//
// Bounded: so many requests and bytes on their way and no more; and it reads replies while it
// writes, so that neither side can wait for the other to read. One thread, blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "daemon/client_connection.h"
#include "daemon/reply_printer.h"

namespace toll::daemon {

class RequestBatch {
 public:
  struct Limits {
    size_t in_flight_max = 1024;           // requests without their reply
    size_t unsent_bytes_max = 256 * 1024;  // past it no further request is taken
    size_t line_max = size_t{1} << 20;     // of the input; no daemon takes a longer one
  };

  struct Failure {
    ExitStatus status = ExitStatus::kNoDaemon;
    std::string message;
  };

  // Reads requests from `input`, a descriptor that stays the caller's; all else must outlive it.
  RequestBatch(ClientConnection& connection, int input, ReplyPrinter& printer)
      : RequestBatch(connection, input, printer, Limits()) {}
  RequestBatch(ClientConnection& connection, int input, ReplyPrinter& printer, Limits limits)
      : connection_(connection), input_(input), printer_(printer), limits_(limits) {}

  // Until the input has ended and every request has its reply. The replies' own verdicts are the
  // printer's.
  std::expected<void, Failure> run();

 private:
  using Status = std::expected<void, Failure>;

  Status take_requests();
  bool window_open() const;
  bool wants_input() const { return !input_ended_ && window_open(); }
  bool finished() const;
  Status wait();
  Status read_input();
  Status send();
  Status receive();
  std::unexpected<Failure> lost(const std::string& why) const;

  ClientConnection& connection_;
  const int input_;
  ReplyPrinter& printer_;
  const Limits limits_;
  std::string lines_;       // read and not yet taken
  size_t line_number_ = 0;  // of the last line taken
  bool input_ended_ = false;
  std::string unsent_;
  size_t in_flight_ = 0;
  uint64_t requests_ = 0;
};

}  // namespace toll::daemon
