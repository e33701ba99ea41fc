#include "run/churn_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "report/load_columns.h"
#include "run/store.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/place.h"

namespace nsb::run {
namespace {

constexpr const char* kJson = "churn.json";
constexpr const char* kCsv = "churn.csv";
constexpr const char* kBurstsCsv = "bursts.csv";
constexpr const char* kBatchesCsv = "batches.csv";

}  // namespace

ChurnFolder::ChurnFolder(std::filesystem::path path)
    : path_(std::move(path)), folder_(sys::open_own_folder(path_, sys::Missing::is_made)) {
    lock_folder(folder_, path_);
    for (const char* const name : {kJson, "run.json"}) {
        if (faccessat(folder_.get(), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            throw StoreError(fmt::format("{}: holds {} already; name another folder", path_.native(), name));
    }
    for (const char* const name : {kJson, kCsv, kBurstsCsv, kBatchesCsv})
        sys::check_writable(name, folder_.get());
    sys::remove_leftovers(folder_);
}

void ChurnFolder::replace(std::string_view name, std::string_view text) const {
    try {
        sys::replace_file(name, text, folder_.get());
    } catch (const sys::SystemError& error) {
        throw sys::SystemError(path_.native(), error);
    }
}

void ChurnFolder::save(const ChurnReport& report) const {
    const report::RunIdentity& identity = report.start.identity;
    const std::string id = to_string(report.plan);
    sys::attempt_all({
        [&] { replace(kCsv, report::churn_csv(identity, id, report.result.rows)); },
        [&] { replace(kJson, churn_json(report)); },
        [&] {
            if (report.plan.loop == churn::Loop::burst)
                replace(kBurstsCsv, report::bursts_csv(identity, id, report.result.bursts));
        },
        [&] {
            const auto& batches = report.result.batches;
            if (batches && batches->view.backend != Backend::none)
                replace(kBatchesCsv, report::batches_csv(identity, id, batches->rows));
        },
    });
}

}  // namespace nsb::run
