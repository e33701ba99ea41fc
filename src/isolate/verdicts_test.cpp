#include "isolate/verdicts.h"

#include <gtest/gtest.h>

#include <set>

namespace nsb::isolate {
namespace {

const IsolationCheck kCheck{"uts", "hostname", "a hostname set inside is not seen outside", Kind::uts,
                            nullptr};

std::vector<Checked> three() {
    return {{&kCheck, Kind::uts, judge(true, "box", "vm")},
            {&kCheck, Kind::uts | Kind::user, judge(false, "a, \"b\"", "c")},
            {&kCheck, Kind::uts, skip("no such kind")}};
}

TEST(Verdicts, TableForPeople) {
    EXPECT_EQ(verdict_table(three(), false),
              "passed  uts     hostname  a hostname set inside is not seen outside\n"
              "                          inside:  box\n"
              "                          outside: vm\n"
              "failed  uts     hostname  a hostname set inside is not seen outside\n"
              "                          not isolated\n"
              "                          inside:  a, \"b\"\n"
              "                          outside: c\n"
              "skipped uts     hostname  a hostname set inside is not seen outside\n"
              "                          no such kind\n"
              "\n1 passed, 1 failed, 1 skipped\n");
}

TEST(Verdicts, WhatWentWrongIsCountedApart) {
    const std::vector<Checked> one{{&kCheck, Kind::uts, not_seen(EIO, "recv: EIO")}};
    EXPECT_EQ(verdict_table(one, false),
              "error   uts     hostname  a hostname set inside is not seen outside\n"
              "                          recv: EIO\n"
              "\n0 passed, 0 failed, 0 skipped, 1 error\n");
}

TEST(Verdicts, WhatIsRefusedIsSkipped) {
    for (const int error : {EPERM, EACCES, ENOSYS, ENOSPC, EUSERS, EAGAIN, EMFILE, ENFILE, ENOMEM}) {
        EXPECT_EQ(not_seen(error, "why").outcome, Outcome::skipped) << error;
    }
    for (const int error : {EIO, ECONNRESET, ETIMEDOUT, ECHILD}) {
        EXPECT_EQ(not_seen(error, "why").outcome, Outcome::error) << error;
    }
    EXPECT_NE(not_seen(EMFILE, "pipe2").reason.find("ulimit -n"), std::string::npos);
}

TEST(Verdicts, CsvQuotesWhatNeedsIt) {
    EXPECT_EQ(
        verdict_csv(three()),
        "verdict,kind,check,namespaces,what,inside,outside,reason\n"
        "passed,uts,hostname,NEWUTS,a hostname set inside is not seen outside,box,vm,\n"
        "failed,uts,hostname,NEWUSER-NEWUTS,a hostname set inside is not seen outside,\"a, \"\"b\"\"\",c,"
        "not isolated\n"
        "skipped,uts,hostname,NEWUTS,a hostname set inside is not seen outside,,,no such kind\n");
}

TEST(Verdicts, JsonHasTheSameFields) {
    const std::string text = verdict_json({three().front()});
    for (const char* field : {"\"verdict\": \"passed\"", "\"kind\": \"uts\"", "\"namespaces\": \"NEWUTS\"",
                              "\"inside\": \"box\"", "\"outside\": \"vm\"", "\"reason\": \"\""}) {
        EXPECT_NE(text.find(field), std::string::npos) << field << " in " << text;
    }
}

TEST(Checks, EachKindHasOnesAndNoneHasTwoNames) {
    std::set<std::string> kinds;
    std::set<std::string> names;
    for (const IsolationCheck& check : checks()) {
        kinds.emplace(check.kind);
        EXPECT_TRUE(names.insert(std::string(check.kind) + "/" + std::string(check.id)).second) << check.id;
    }
    EXPECT_EQ(kinds,
              (std::set<std::string>{"cgroup", "ipc", "links", "mnt", "net", "pid", "time", "user", "uts"}));
}

}  // namespace
}  // namespace nsb::isolate
