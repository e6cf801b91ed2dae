// One client's connection: reads its requests, keeps its replies in their order, and bounds what it
// may take.
//
// A session belongs to its worker. Requests that need a shard become Asks (daemon/letter.h) in a
// queue; their answers may come in any order, from any worker, and leave in the order of the queue.
// A request that is answered here (PING, HELP, errors) waits until the queue before it is empty.
//
// A session waits, that is, stops reading from its client, when: a reply of its own must come
// first; too many of its requests are under way; its worker has no room for more; or its client
// does not read what it was sent (server.max_output). What it had received by then is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "daemon/commands.h"
#include "daemon/cost_letters.h"
#include "daemon/framing.h"
#include "daemon/input_buffer.h"
#include "daemon/letter.h"
#include "daemon/reply_writer.h"
#include "daemon/watchers.h"
#include "net/stream.h"

namespace toll::daemon {

class Worker;

// A request's words, its verb first.
using Request = std::span<const std::string_view>;

class Session final : public net::StreamHandler {
 public:
  // `id` is what CLIENT ID answers.
  Session(Worker& worker, int fd, uint64_t id);
  ~Session();

  void start() { stream_.start(); }

  // An Ask of this session has its answer.
  void answered(Ask& ask);

  // Once a turn, when something changed: sends what is ready, goes on with what waited. True: the
  // session is over and nothing refers to it any more.
  bool settle();

  void abort() { stream_.abort(); }

  // While it watches: an event, and that some before it are missing. The worker's watchers call.
  void tell(const Event& event);
  void miss(const MissedEvents& missed);

  // Replies with log records are looked after until the kernel has them or the session is over; it
  // stays until then.
  void owes_records(int32_t change) { records_owed_ += change; }
  bool all_sent() const { return !over() && stream_.unsent_bytes() == 0; }
  bool over() const { return closed_ || stream_.aborted(); }

  // The worker's: its place in the list of sessions, and whether it is on the list of the touched.
  size_t slot = 0;
  bool touched = false;

 private:
  // A request that must wait until the replies before it have been written.
  struct Deferred {
    bool waiting = false;
    Framing framing = Framing::kLine;
    std::vector<std::string> words;  // empty: an error
    ErrorCode code = ErrorCode::kBadRequest;
    std::string message;
    bool fatal = false;
  };

  void on_data(std::span<char> data) override;
  void on_end(net::IoStatus status) override;
  void on_drained() override;
  void on_closed() override;

  // Handles requests from the front of `bytes` until they end or the session must wait; returns how
  // many bytes that took.
  size_t consume(std::span<char> bytes);
  void consume_kept();
  void keep(std::span<const char> bytes);
  void wait();
  bool must_wait();
  void go_on();
  void run_deferred();
  bool replies_written();  // have all earlier replies been written? Decides what is collected first
  void close();
  void close_when_done();

  // Requests.
  void handle(Framing framing, Request words);
  void judge(const CommandInfo& info, Framing framing, Request words);
  void dispatch(const CommandInfo& info, Framing framing, Request words);
  void refuse(Framing framing, ErrorCode code, std::string_view message);
  void defer(Framing framing, Request words);

  // Limits (daemon/limit_requests.cc). Words include the verb.
  void ask_check(Framing framing, Request words);
  void ask_together(Framing framing, Request words);
  void ask_peek(Framing framing, Request words);
  void ask_amount(Framing framing, Request words, engine::Verb verb);
  void ask_reset(Framing framing, Request words);
  void ask_acquire(Framing framing, Request words);
  void ask_release(Framing framing, Request words);
  void ask_throttle(Framing framing, Request words);
  const engine::Policy* find_policy(Framing framing, std::string_view name, bool concurrency);
  bool id_ok(Framing framing, std::string_view id);
  // Do the keys of a CHECK of several limits go to the store one behind the other?
  bool of_one_lane(std::span<const engine::Policy* const> policies, Request terms);
  Ask* add_ask(Framing framing, Form form);
  // `policy` is null for CL.THROTTLE.
  void send(Ask* ask, engine::Verb verb, const engine::Policy* policy, std::string_view id);

  // Costs (daemon/cost_requests.cc).
  struct CostWords {
    CostRequestKind kind;
    engine::Month month = 0;
    engine::NanoDollars amount = 0;
    int64_t ttl_us = 0;
    std::string text = {};
  };
  void ask_cost(Framing framing, Request words, bool budget);
  bool read_cost(Framing framing, Request words, CostWords& parsed);
  void write_cost(const CostRequest& request, ReplyWriter& reply);

  // Log records (daemon/log_requests.cc).
  void ask_log(Framing framing, Request words);
  void push_log(Framing framing, std::string_view record);
  void write_pushed(const Ask& ask, ReplyWriter& reply);
  void write_log(Ask& ask, ReplyWriter& reply);

  // Answered here (daemon/admin_requests.cc, daemon/handshake.cc). REQUIRES: replies_written().
  bool answer_administration(const CommandInfo& info, ReplyWriter& reply, Request words);
  void answer_handshake(const CommandInfo& info, ReplyWriter& reply, Request words,
                        Framing framing);
  void answer_help(ReplyWriter& reply, Request words);
  void answer_hot(ReplyWriter& reply, Request words);
  void answer_level(ReplyWriter& reply, std::string_view level);
  void answer_client(ReplyWriter& reply, Request words);
  void answer_hello(ReplyWriter& reply, Request words);
  void start_control(Framing framing, Command command);

  // What others are to be told of, and what it is told that watches (daemon/session_events.cc).
  void tell_refusal(const Ask& ask);
  void tell_budget(const CostRequest& request, std::string_view what);
  // `ask` is null for what was answered at once.
  void tell_administration(AdminRequest request, std::optional<ErrorCode> error, const Ask* ask);
  void tell_level(std::string_view level);
  std::string_view policy_name(uint16_t number) const;
  void ask_watch(Framing framing, Request words);
  void watch_no_more();
  void tell_gap();
  bool has_room_for(size_t bytes) const;

  void let_pass();
  void write_replies();
  void answer(Ask& ask, net::OutputBuffer& out);
  void write(Ask& ask, ReplyWriter& reply);
  void write_control_result(ReplyWriter& reply);
  bool is_admin();

  Worker& worker_;
  InputBuffer input_;
  net::Stream stream_;
  Ask* first_ = nullptr;  // the queue of replies, oldest first
  Ask* last_ = nullptr;
  uint32_t in_flight_ = 0;
  int32_t records_owed_ = 0;
  size_t scanned_ = 0;
  Deferred deferred_;
  std::string client_name_;     // CLIENT SETNAME
  std::string control_error_;   // of the last RELOAD or DRAIN; "" is success
  std::string control_notice_;  // what it left unchanged
  enum class Admin : uint8_t { kUnasked, kNo, kYes } admin_ = Admin::kUnasked;
  std::optional<net::Peer> peer_;                     // once it was asked for
  AdminRequest administering_ = AdminRequest::kNone;  // by the request at hand
  Topics topics_ = 0;                                 // that it watches
  Framing events_framing_ = Framing::kLine;
  uint64_t events_lost_ = 0;  // and it was not told so yet
  const uint64_t id_;
  bool waiting_ = false;  // with reading
  bool alone_ = false;    // the last request must be answered before the next is taken
  bool ended_ = false;    // the client sends no more
  bool closing_ = false;  // we read no more
  bool closed_ = false;
};

}  // namespace toll::daemon
