// Questions that leases may answer: collected, so that the memory they need is fetched for several
// at a time.
#include <span>
#include <utility>

#include "daemon/store.h"
#include "daemon/worker.h"

namespace toll::daemon {

void Store::ask(Ask& ask) {
  if (!leases_.leases(ask.operation)) {
    take_collected();
    return ask_exactly(ask);
  }
  if (collected_count_ == collected_.size()) take_collected();
  collected_[collected_count_++] = &ask;
}

void Store::take_collected() {
  if (collected_count_ == 0) return;
  const std::span<Ask* const> asks(collected_.data(), std::exchange(collected_count_, 0));
  leases_.prefetch(asks);
  for (Ask* ask : asks) {
    switch (leases_.take(*ask, lanes_.front()->link().ready())) {
      case StoreLeases::Taken::kFromSlice:
        answered_from_slice(*ask);
        break;
      case StoreLeases::Taken::kWaits:
        break;
      case StoreLeases::Taken::kNo:
        ask_exactly(*ask);
        break;
    }
  }
}

void Store::answered_from_slice(Ask& ask) {
  ask.source = Source::kLease;
  worker_.answer(ask);
}

}  // namespace toll::daemon
