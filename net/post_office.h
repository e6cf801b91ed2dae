// The mailboxes between workers: for each ordered pair one ring of requests and one of replies, and
// for each worker a flag that says whether it sleeps.
//
// A letter is a pointer to something the sender owns. It goes out as a request, the other worker
// reads and writes it, and it comes back as a reply; meanwhile it is the other's. Because a sender
// has never more letters out to one worker than a ring holds, there is always room for a reply:
// workers cannot wait for each other in a circle.
//
// Nobody is woken who is awake. Sleeping is announced, then the boxes are looked at once more; a
// sender publishes, then looks at the flag. All four are sequentially consistent, so one of the two
// sees the other (Dekker's handshake, as in Seastar's reactor; without fences, which the thread
// sanitizer does not know). A sleeper is rung once for a whole batch.
//
// Each function says whose thread may call it: `self` is the calling worker.
#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "net/limits.h"
#include "net/loop.h"
#include "net/spsc_ring.h"

namespace toll::net {

template <class Letter>
class PostOffice {
 public:
  // REQUIRES: 0 < workers <= kDesksMax; ring_capacity is a power of two.
  PostOffice(uint32_t workers, size_t ring_capacity) : workers_(workers), capacity_(ring_capacity) {
    assert(workers > 0 && workers <= kDesksMax);
    for (uint32_t i = 0; i < workers * workers; ++i) {
      routes_.push_back(std::make_unique<Route>(ring_capacity));
    }
    for (uint32_t i = 0; i < workers; ++i) desks_.push_back(std::make_unique<Desk>());
  }

  uint32_t workers() const { return workers_; }

  // Before the worker's first turn, on its thread; the doorbell outlives the office's use.
  void open(uint32_t self, Doorbell& doorbell) {
    desks_[self]->doorbell.store(&doorbell, std::memory_order_release);
  }

  // How many more letters may be sent to `to` now.
  size_t room(uint32_t self, uint32_t to) const { return capacity_ - route(self, to).outstanding; }

  // Sends a request. REQUIRES: room(self, to) > 0; self != to. Leaves with deliver() and ring().
  void send(uint32_t self, uint32_t to, Letter* letter) {
    Route& way = route(self, to);
    assert(way.outstanding < capacity_);
    ++way.outstanding;
    [[maybe_unused]] const bool put = way.requests.put(letter);
    assert(put);
  }

  // Sends back a letter that `from` had sent. Leaves with deliver() and ring().
  void reply(uint32_t self, uint32_t from, Letter* letter) {
    [[maybe_unused]] const bool put = route(from, self).replies.put(letter);
    assert(put);  // the sender's bound on outstanding letters leaves room
  }

  // Makes everything sent and replied since the last call visible to whoever is awake. Once a turn.
  void deliver(uint32_t self) {
    Desk& desk = *desks_[self];
    for (uint32_t other = 0; other < workers_; ++other) {
      if (other == self) continue;
      const bool requests = route(self, other).requests.publish();
      const bool replies = route(other, self).replies.publish();
      if (!requests && !replies) continue;
      desk.mail_for[other] = true;
      desk.owes_rings = true;
    }
  }

  // Has anything been delivered since the last ring()?
  bool owes_rings(uint32_t self) const { return desks_[self]->owes_rings; }

  // Wakes those who sleep over what was delivered. Returns how many had to be rung. Due before the
  // caller sleeps, and before anybody has waited for long: until then more may collect for one
  // ring.
  uint32_t ring(uint32_t self) {
    Desk& desk = *desks_[self];
    if (!desk.owes_rings) return 0;
    desk.owes_rings = false;
    uint32_t rung = 0;
    for (uint32_t other = 0; other < workers_; ++other) {
      if (!desk.mail_for[other]) continue;
      desk.mail_for[other] = false;
      if (wake(other)) ++rung;
    }
    return rung;
  }

  // Calls on_request(from, letter) for each request that has come, and on_reply(letter) for each
  // reply. Returns how many there were.
  template <class OnRequest, class OnReply>
  size_t collect(uint32_t self, OnRequest&& on_request, OnReply&& on_reply) {
    size_t count = 0;
    for (uint32_t other = 0; other < workers_; ++other) {
      if (other == self) continue;
      Route& in = route(other, self);
      while (Letter* letter = in.requests.take()) {
        on_request(other, letter);
        ++count;
      }
      in.requests.release();
      Route& out = route(self, other);
      while (Letter* letter = out.replies.take()) {
        assert(out.outstanding > 0);
        --out.outstanding;
        on_reply(letter);
        ++count;
      }
      out.replies.release();
    }
    return count;
  }

  // Is there anything to collect?
  bool has_mail(uint32_t self) const {
    for (uint32_t other = 0; other < workers_; ++other) {
      if (other == self) continue;
      if (!route(other, self).requests.empty() || !route(self, other).replies.empty()) return true;
    }
    return false;
  }

  // Announces sleep. False: something has come meanwhile, do not sleep (the announcement is
  // withdrawn).
  bool may_sleep(uint32_t self) {
    desks_[self]->sleeping.store(true, std::memory_order_seq_cst);
    if (!has_mail(self)) return true;
    awake(self);
    return false;
  }

  void awake(uint32_t self) { desks_[self]->sleeping.store(false, std::memory_order_relaxed); }

  // Rings `worker`'s doorbell if it sleeps. Any thread; the caller has published before, by a
  // sequentially consistent store.
  bool wake(uint32_t worker) {
    Desk& desk = *desks_[worker];
    if (!desk.sleeping.load(std::memory_order_seq_cst)) return false;
    if (!desk.sleeping.exchange(false, std::memory_order_acq_rel)) return false;
    if (Doorbell* doorbell = desk.doorbell.load(std::memory_order_acquire)) doorbell->ring();
    return true;
  }

 private:
  // From one worker to another: its requests going out and their replies coming back.
  struct Route {
    explicit Route(size_t capacity) : requests(capacity), replies(capacity) {}
    SpscRing<Letter> requests;
    SpscRing<Letter> replies;
    size_t outstanding = 0;  // the sender's own
  };
  struct alignas(kCacheLineBytes) Desk {
    std::atomic<bool> sleeping{false};
    std::atomic<Doorbell*> doorbell{nullptr};
    bool mail_for[kDesksMax] = {};  // the worker's own, as is the next
    bool owes_rings = false;
  };

  Route& route(uint32_t from, uint32_t to) { return *routes_[from * workers_ + to]; }
  const Route& route(uint32_t from, uint32_t to) const { return *routes_[from * workers_ + to]; }

  uint32_t workers_;
  size_t capacity_;
  std::vector<std::unique_ptr<Route>> routes_;
  std::vector<std::unique_ptr<Desk>> desks_;
};

}  // namespace toll::net
