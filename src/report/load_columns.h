// The files of a load (nsbench churn): the columns of churn.csv, bursts.csv and batches.csv.
#pragma once

#include <span>
#include <string>

#include "core/batch.h"
#include "core/load.h"
#include "report/columns.h"

namespace nsb::report {

/// `id` is that of the load, which is a case of no operation.
struct LoadRecord {
    const RunIdentity& run;
    const std::string& id;
    const LoadRow& row;
};

struct BurstRecord {
    const RunIdentity& run;
    const std::string& id;
    const BurstRow& row;
    std::size_t number;  ///< from 1
};

struct BatchRecord {
    const RunIdentity& run;
    const std::string& id;
    const BatchRow& row;
    std::size_t number;  ///< from 1
};

std::span<const Column<LoadRecord>> load_columns();
std::span<const Column<BurstRecord>> burst_columns();
std::span<const Column<BatchRecord>> batch_columns();

/// churn.csv, bursts.csv and batches.csv, whole.
std::string churn_csv(const RunIdentity& run, const std::string& id, std::span<const LoadRow> rows);
std::string bursts_csv(const RunIdentity& run, const std::string& id, std::span<const BurstRow> rows);
std::string batches_csv(const RunIdentity& run, const std::string& id, std::span<const BatchRow> rows);

}  // namespace nsb::report
