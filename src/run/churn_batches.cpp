#include "run/churn_batches.h"

namespace nsb::run {

void BatchRecorder::take() {
    for (const Batch& batch : source_.take()) {
        if (batch.begin < begin_ns_) continue;
        const std::uint64_t duration = batch.end - batch.begin;
        durations_.add(duration);
        busy_ += duration;
        if (batch.namespaces) {
            namespaces_.add(*batch.namespaces);
            namespaces_sum_ += *batch.namespaces;
        }
        if (rows_.size() == kMostBatchRows) continue;
        rows_.push_back({static_cast<double>(batch.begin - begin_ns_) / 1e9, duration, batch.namespaces});
    }
}

BatchFigures BatchRecorder::figures() const {
    BatchFigures figures;
    figures.view = source_.view();
    figures.rows = rows_;
    figures.count = durations_.count();
    figures.busy = busy_;
    figures.durations = latencies_of(durations_);
    figures.lost = source_.lost();
    if (namespaces_sum_ > 0) {
        figures.namespaces = latencies_of(namespaces_);
        figures.namespaces_sum = namespaces_sum_;
    } else {
        for (BatchRow& row : figures.rows) row.namespaces.reset();
    }
    if (figures.view.uncounted.empty() && figures.namespaces.count < figures.count) {
        figures.view.uncounted = figures.lost.value_or(0) > 0 ? "events of theirs were lost"
                                                              : "what is counted was not seen in any batch";
    }
    return figures;
}

}  // namespace nsb::run
