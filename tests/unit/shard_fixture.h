// The words in which tests speak to a shard: policies by name, ids as text, a clock moved by hand.
#pragma once

#include <cstdint>
#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/key_hash.h"
#include "engine/policy.h"
#include "engine/shard.h"
#include "tests/unit/times.h"

namespace toll::engine {

class ShardTest : public testing::Test {
 protected:
  explicit ShardTest(size_t memory_bytes = size_t{1} << 20)
      : shard_(std::make_unique<Shard>(Shard::Settings{memory_bytes})) {}

  // Adds a policy or replaces the one of that name, and reloads.
  void policy(const std::string& name, Algorithm algorithm, std::vector<Limit> limits) {
    std::erase_if(specs_, [&](const PolicySpec& spec) { return spec.name == name; });
    PolicySpec spec;
    spec.name = name;
    spec.algorithm = algorithm;
    spec.limits = std::move(limits);
    specs_.push_back(std::move(spec));
    reload();
  }
  void remove_policy(const std::string& name) {
    std::erase_if(specs_, [&](const PolicySpec& spec) { return spec.name == name; });
    reload();
  }
  void reload() {
    auto built = PolicyTable::build(specs_, table_.get());
    ASSERT_TRUE(built) << built.error().policy << " " << built.error().message;
    table_ = *built;
    shard_->adopt(table_);
  }

  // Also of a policy that was removed.
  uint16_t id_of(std::string_view name) const {
    for (const Policy& policy : table_->policies()) {
      if (policy.spec.name == name) return policy.id;
    }
    return 999;
  }

  Operation operation(Verb verb, std::string_view policy, std::string_view id, int64_t units = 1) {
    Operation op;
    op.verb = verb;
    op.policy = id_of(policy);
    op.key = hasher_(op.policy, id);
    op.units = units;
    return op;
  }
  Operation decide(Operation op) {
    shard_->decide({&op, 1}, now_);
    return op;
  }
  Operation check(std::string_view policy, std::string_view id, int64_t units = 1) {
    return decide(operation(Verb::kCheck, policy, id, units));
  }
  Operation peek(std::string_view policy, std::string_view id) {
    return decide(operation(Verb::kPeek, policy, id));
  }
  Operation charge(std::string_view policy, std::string_view id, int64_t units) {
    return decide(operation(Verb::kCharge, policy, id, units));
  }
  Operation refund(std::string_view policy, std::string_view id, int64_t units) {
    return decide(operation(Verb::kRefund, policy, id, units));
  }
  Operation reset(std::string_view policy, std::string_view id) {
    return decide(operation(Verb::kReset, policy, id));
  }
  Operation acquire(std::string_view policy, std::string_view id, uint64_t ticket,
                    int64_t units = 1, int64_t ttl_us = 0) {
    Operation op = operation(Verb::kAcquire, policy, id, units);
    op.ticket = ticket;
    op.ttl_us = ttl_us;
    return decide(op);
  }
  Operation release(std::string_view policy, std::string_view id, uint64_t ticket) {
    Operation op = operation(Verb::kRelease, policy, id);
    op.ticket = ticket;
    return decide(op);
  }
  Operation throttle(std::string_view id, const Limit& limit, int64_t units = 1) {
    Operation op;
    op.verb = Verb::kThrottle;
    op.key = hasher_(0xffff, id);
    op.throttle = &limit;
    op.units = units;
    return decide(op);
  }

  bool admits(std::string_view policy, std::string_view id, int64_t units = 1) {
    return check(policy, id, units).outcome == Outcome::kAdmitted;
  }
  int64_t remaining(std::string_view policy, std::string_view id) {
    return peek(policy, id).answer.remaining;
  }
  // Several rounds, since keys that move while the index shrinks may be missed in one.
  void sweep_all() {
    for (int round = 0; round < 4; ++round) shard_->sweep(now_, shard_->stats().keys);
  }

  KeyHasher hasher_{{0x746f6c6c, 0x6b656570}};
  std::unique_ptr<Shard> shard_;
  std::vector<PolicySpec> specs_;
  std::shared_ptr<const PolicyTable> table_;
  TimeUs now_ = kNoon;
};

}  // namespace toll::engine
