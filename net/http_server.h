// A small HTTP server for a few pages that machines ask for: GET and HEAD, one request a
// connection, whole answers.
//
// It has one thread and one epoll loop of its own, of low priority, and is bounded against who asks
// too much, too slowly or too often (net/limits.h): so many connections, so long a request, so much
// time for each. Where there are as many as may be, the oldest that has sent nothing whole yet
// gives way to a new one, so who holds connections open keeps nobody out.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace toll::net {

struct HttpReply {
  int status = 200;  // 200, 400, 404, 405, 431, 503
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpServer {
 public:
  // The reply to a GET of that path (what comes before a '?'). On the server's thread.
  using Answer = std::function<HttpReply(std::string_view path)>;

  // Listens on an address of either family; port 0 is any that is free. Error: a sentence without
  // what to do, since that is the caller's to know.
  static std::expected<std::unique_ptr<HttpServer>, std::string> open(const std::string& host,
                                                                      uint16_t port, Answer answer);
  ~HttpServer();  // ends connections and thread
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace toll::net
