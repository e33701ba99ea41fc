#include "env/machine.h"
#include "core/text.h"
#include "env/checks.h"
#include "env/cpu_load.h"
#include "env/environment.h"
#include "env/fake_tree.h"
#include "env/kernel_use.h"
#include "env/settings.h"
#include "fuzz/target.h"

namespace nsb::fuzz {
namespace {

constexpr std::string_view kFile = "=== ";
constexpr std::size_t kMostFiles = 40;

/// Whether a path leads into the tree: below /proc or /sys, of letters that paths there have.
bool is_path(std::string_view path) {
    const std::vector<std::string> parts = split(path, "/");
    const bool is_below = parts.size() > 2 && parts[0].empty() && (parts[1] == "proc" || parts[1] == "sys");
    if (!is_below || path.size() > 120) return false;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        if (!is_name(parts[i]) || parts[i] == "." || parts[i] == "..") return false;
    }
    return true;
}

/// Puts files into the tree: a line "=== PATH", and the text behind it.
void fill(env::FakeTree& tree, std::string_view input) {
    std::string path;
    std::string text;
    std::size_t files = 0;
    const auto put = [&] {
        std::error_code ignored;
        const std::string place = tree.root().prefix + path;
        const std::filesystem::path parent = std::filesystem::path(place).parent_path();
        std::filesystem::create_directories(parent, ignored);
        if (is_path(path) && ++files <= kMostFiles && std::filesystem::is_directory(parent, ignored))
            std::ofstream(place, std::ios::binary) << text;
    };
    for (const std::string& line : split(input, "\n")) {
        if (!line.starts_with(kFile)) {
            text += line + '\n';
            continue;
        }
        if (is_path(path)) put();
        path = line.substr(kFile.size());
        text.clear();
    }
    if (is_path(path)) put();
}

}  // namespace

void machine(std::string_view input) {
    env::FakeTree tree;
    fill(tree, input);
    const env::Root& root = tree.root();
    must_hold(env::describe(root).size() == env::describe({"/nowhere", {}}).size(),
              "all facts are there, always");
    for (const env::DoctorCheck& check : env::checks()) {
        if (check.id == "steal_time") continue;  // watches the CPUs for 100 ms
        const env::Finding finding = check.run(root);
        must_hold(finding.severity == env::Severity::ok || !finding.effect.empty(),
                  "what a check finds has an effect");
    }
    for (const env::Setting& setting : env::settings()) {
        const auto planned = setting.plan({root, 0});
        if (!planned) must_hold(!planned.error().text().empty(), "why a setting is not made is said");
    }
    env::CpuLoad load(root, {0, 1});
    const env::CpuReading begin = load.read();
    const env::CpuUse use = use_between(begin, load.read(), 0);
    must_hold(use.ran.value_or(0) >= 0 && use.kernel_threads.value_or(0) >= 0,
              "nothing runs for less than no time");
    (void)env::waited(root, 2);
    (void)env::KernelUseReader(KindSet::all(), root).read().memory();
    (void)env::root_is_initramfs(root);
}

}  // namespace nsb::fuzz
