#include "sys/refusal.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace nsb::sys {
namespace {

TEST(Refusal, SaysWhatThereIsToSay) {
    EXPECT_EQ((Refusal{"open", "/x/y", ENOENT, "make it first"}).text(), "open(/x/y): ENOENT; make it first");
    EXPECT_EQ((Refusal{.call = "perf_event_open", .error = EPERM}).text(), "perf_event_open: EPERM");
    EXPECT_EQ((Refusal{.call = "inside a pid namespace", .remedy = "leave it"}).text(),
              "inside a pid namespace; leave it");
}

}  // namespace
}  // namespace nsb::sys
