#include "run/runtimes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

#include "core/text.h"
#include "sys/process.h"

namespace nsb::run {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kHostname = "nsbench";

/// A runtime's word for a kind; an empty one stands for what it always does.
struct Option {
    Kind kind;
    std::string_view word;
};

tl::unexpected<std::string> no_option(Kind kind) {
    return tl::unexpected(fmt::format("it has no option for {}", info(kind).flag));
}

/// Appends the words of the set's kinds; fails at a kind of the set that is none of `options`.
tl::expected<void, std::string> append(std::vector<std::string>& words, KindSet set,
                                       std::span<const Option> options) {
    for (const KindInfo& kind : kKinds) {
        if (!set.contains(kind.kind)) continue;
        const auto option =
            std::ranges::find_if(options, [&](const Option& o) { return o.kind == kind.kind; });
        if (option == options.end()) return no_option(kind.kind);
        if (!option->word.empty()) words.emplace_back(option->word);
    }
    return {};
}

tl::expected<RuntimeCommand, std::string> unshare_command(KindSet set, const std::string& /*cgroup*/) {
    static constexpr Option kWords[]{{Kind::cgroup, "--cgroup"}, {Kind::ipc, "--ipc"}, {Kind::net, "--net"},
                                     {Kind::mnt, "--mount"},     {Kind::pid, "--pid"}, {Kind::time, "--time"},
                                     {Kind::user, "--user"},     {Kind::uts, "--uts"}};
    RuntimeCommand command;
    if (const auto words = append(command.arguments, set, kWords); !words)
        return tl::unexpected(words.error());
    if (set.contains(Kind::user)) command.arguments.emplace_back("--map-root-user");
    for (const char* word : {"--fork", "--mount-proc", "--root=rootfs", "/program"}) {
        command.arguments.emplace_back(word);
    }
    return command;
}

tl::expected<RuntimeCommand, std::string> bwrap_command(KindSet set, const std::string& /*cgroup*/) {
    static constexpr Option kWords[]{{Kind::cgroup, "--unshare-cgroup"}, {Kind::ipc, "--unshare-ipc"},
                                     {Kind::net, "--unshare-net"},       {Kind::mnt, ""},
                                     {Kind::pid, "--unshare-pid"},       {Kind::user, "--unshare-user"},
                                     {Kind::uts, "--unshare-uts"}};
    RuntimeCommand command;
    if (const auto words = append(command.arguments, set, kWords); !words)
        return tl::unexpected(words.error());
    const auto add = [&](std::initializer_list<std::string_view> words) {
        command.arguments.insert(command.arguments.end(), words.begin(), words.end());
    };
    if (set.contains(Kind::user)) add({"--uid", "0", "--gid", "0"});
    if (set.contains(Kind::uts)) add({"--hostname", kHostname});
    add({"--bind", "rootfs", "/", "--proc", "/proc", "--as-pid-1", "/program"});
    return command;
}

Json oci_config(KindSet set, const std::string& cgroup) {
    static constexpr Option kTypes[]{{Kind::cgroup, "cgroup"}, {Kind::ipc, "ipc"}, {Kind::net, "network"},
                                     {Kind::mnt, "mount"},     {Kind::pid, "pid"}, {Kind::time, "time"},
                                     {Kind::user, "user"},     {Kind::uts, "uts"}};
    Json config;
    config["ociVersion"] = "1.0.0";
    config["process"] = {{"terminal", false},
                         {"user", {{"uid", 0}, {"gid", 0}}},
                         {"args", {"/program"}},
                         {"env", {"PATH=/"}},
                         {"cwd", "/"}};
    config["root"] = {{"path", "rootfs"}, {"readonly", false}};
    if (set.contains(Kind::uts)) config["hostname"] = kHostname;
    // Into /dev they put devices, which would stay in a root that all containers share.
    config["mounts"] = Json::array({{{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
                                    {{"destination", "/dev"}, {"type", "tmpfs"}, {"source", "tmpfs"}}});
    Json& own = config["linux"];
    own["namespaces"] = Json::array();
    for (const Option& type : kTypes) {
        if (set.contains(type.kind)) own["namespaces"].push_back({{"type", type.word}});
    }
    if (set.contains(Kind::user)) {
        const Json one = Json::array({{{"containerID", 0}, {"hostID", 0}, {"size", 1}}});
        own["uidMappings"] = one;
        own["gidMappings"] = one;
    }
    if (!cgroup.empty()) own["cgroupsPath"] = "/" + cgroup;
    return config;
}

tl::expected<RuntimeCommand, std::string> oci_command(KindSet set, const std::string& cgroup) {
    return RuntimeCommand{{"run", "nsbench"}, {}, oci_config(set, cgroup).dump()};
}

tl::expected<RuntimeCommand, std::string> nspawn_command(KindSet set, const std::string& /*cgroup*/) {
    static constexpr Option kWords[]{
        {Kind::cgroup, ""}, {Kind::ipc, ""}, {Kind::net, "--private-network"},
        {Kind::mnt, ""},    {Kind::pid, ""}, {Kind::user, "--private-users=0:65536"},
        {Kind::uts, ""}};
    // Without a service manager or a bus, which the sandbox has not: it works by itself.
    RuntimeCommand command{
        {"--quiet", "--directory=rootfs", "--register=no", "--keep-unit", "--pipe"}, {}, {}};
    if (const auto words = append(command.arguments, set, kWords); !words)
        return tl::unexpected(words.error());
    if (set.contains(Kind::uts)) command.arguments.push_back(fmt::format("--hostname={}", kHostname));
    command.arguments.emplace_back("/program");
    // It makes these unless its environment says otherwise (systemd-nspawn's documentation, ENVIRONMENT.md).
    command.environment.push_back(
        fmt::format("SYSTEMD_NSPAWN_USE_CGNS={}", set.contains(Kind::cgroup) ? 1 : 0));
    for (const auto& [kind, name] : {std::pair{Kind::ipc, "IPC"}, std::pair{Kind::uts, "UTS"}}) {
        if (!set.contains(kind))
            command.environment.push_back(fmt::format("SYSTEMD_NSPAWN_SHARE_NS_{}=1", name));
    }
    return command;
}

/// What carries out a choice of the parameter `by`, and Debian's package that has it.
struct Program {
    By by;
    const char* name;
    const char* package;
    tl::expected<RuntimeCommand, std::string> (*command)(KindSet set, const std::string& cgroup);
};

#define NSB_PROGRAM(identifier, program, package, command) {By::identifier, program, package, command},
constexpr auto kPrograms = std::to_array<Program>({NSB_RUNTIMES(NSB_PROGRAM)});
#undef NSB_PROGRAM

/// The file that the PATH leads to; empty where there is none.
std::string find_program(const std::string& name) {
    const char* const path = std::getenv("PATH");
    std::vector<std::string> folders = split(path != nullptr ? path : "", ":");
    for (const char* const folder : {"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}) {
        folders.emplace_back(folder);
    }
    for (const std::string& folder : folders) {
        std::string file = fmt::format("{}/{}", folder, name);
        if (folder.starts_with('/') && access(file.c_str(), X_OK) == 0) return file;
    }
    return {};
}

/// Puts words into a list of a job; false where they do not fit.
bool put(std::span<char> list, const std::vector<std::string>& words) {
    std::size_t at = 0;
    for (const std::string& word : words) {
        if (at + word.size() + 2 > list.size()) return false;
        std::memcpy(&list[at], word.c_str(), word.size() + 1);
        at += word.size() + 1;
    }
    list[at] = '\0';
    return true;
}

}  // namespace

tl::expected<RuntimeCommand, std::string> make_command(By by, KindSet set, const std::string& cgroup) {
    return kPrograms[static_cast<std::size_t>(by)].command(set, cgroup);
}

Runtimes Runtimes::find() {
    std::vector<Runtime> all;
    for (const Program& program : kPrograms) all.push_back({program.by, program.name, program.package});
    for (Runtime& runtime : all) {
        runtime.path = find_program(runtime.program);
        if (runtime.path.empty()) continue;
        const std::string said = sys::output_of(runtime.path, {"--version"}).value_or("");
        runtime.version = said.substr(0, said.find('\n'));
    }
    return Runtimes(std::move(all));
}

tl::expected<protocol::RuntimeJob, Unseen> Runtimes::job(const Case& c, const std::string& cgroup) {
    Runtime& runtime = all_[c.value(Parameter::by)];
    if (runtime.path.empty()) {
        return tl::unexpected(Unseen{ENOENT, fmt::format("{} is not installed: apt-get install {}",
                                                         runtime.program, runtime.package)});
    }
    const auto command = make_command(runtime.by, c.set, cgroup);
    if (!command) {
        return tl::unexpected(Unseen{EOPNOTSUPP, fmt::format("{}: {}", runtime.program, command.error())});
    }
    runtime.command = {runtime.path};
    runtime.command.insert(runtime.command.end(), command->arguments.begin(), command->arguments.end());
    std::vector<std::string> environment{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    environment.insert(environment.end(), command->environment.begin(), command->environment.end());
    protocol::RuntimeJob job{};
    if (!put(job.command, runtime.command) || !put(job.environment, environment) ||
        command->config.size() >= sizeof job.config) {
        return tl::unexpected(
            Unseen{E2BIG, fmt::format("{}: its command line is too long", runtime.program)});
    }
    command->config.copy(job.config, sizeof job.config - 1);
    return job;
}

std::string counts_table(const std::vector<Runtime>& runtimes) {
    std::string text;
    for (const Runtime& runtime : runtimes) {
        if (!runtime.counts) continue;
        if (text.empty()) {
            text = fmt::format("\n{:14}", "in one start");
            for (const protocol::CountedInfo& counted : protocol::kCounted) {
                text += fmt::format("{:>8}", counted.name);
            }
        }
        text += fmt::format("\n{:14}", runtime.program);
        for (const std::uint64_t count : *runtime.counts) text += fmt::format("{:>8}", count);
    }
    return text.empty() ? text : text + "\n";
}

}  // namespace nsb::run
