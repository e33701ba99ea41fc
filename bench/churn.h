// The load of nsbench churn: workers that make namespaces and end them at once, until the time is over.
#pragma once

namespace nsb::bench {

/// Does what the mapping behind the sampler's memory descriptor asks for (core/churn.h), in workers of its
/// own that end with this process. Returns when the last one has ended.
int serve_churn();

}  // namespace nsb::bench
