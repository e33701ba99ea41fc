#include "sys/kallsyms.h"

#include <gtest/gtest.h>

#include <vector>

namespace nsb::sys {
namespace {

TEST(KernelSymbol, IsReadFromItsLine) {
    const auto symbol = kernel_symbol("ffffffff81e4fa40 t cleanup_net");
    ASSERT_TRUE(symbol);
    EXPECT_EQ(symbol->address, 0xffffffff81e4fa40U);
    EXPECT_EQ(symbol->type, 't');
    EXPECT_EQ(symbol->name, "cleanup_net");
    EXPECT_EQ(symbol->module, "");
    const auto of_module = kernel_symbol("ffffffffc0a01000 T nf_hook\t[nf_tables]");
    ASSERT_TRUE(of_module);
    EXPECT_EQ(of_module->name, "nf_hook");
    EXPECT_EQ(of_module->module, "[nf_tables]");
    EXPECT_EQ(kernel_symbol("0000000000000000 A fixed_percpu_data")->address, 0U);
}

TEST(KernelSymbol, IsNoneInALineThatWasCutOff) {
    for (const char* const line :
         {"", "ffffffff81e4fa40", "ffffffff81e4fa40 t", "ffffffff81e4fa40 t ", "no address"})
        EXPECT_FALSE(kernel_symbol(line)) << line;
}

TEST(KernelSymbol, AreAllOfAFile) {
    std::vector<std::string> names;
    each_kernel_symbol("10 T a\nhalf\n\n20 d b\t[m]\n30 t c",
                       [&](const KernelSymbol& symbol) { names.emplace_back(symbol.name); });
    EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c"}));
}

}  // namespace
}  // namespace nsb::sys
