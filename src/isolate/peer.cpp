#include "isolate/peer.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstring>
#include <ranges>
#include <vector>

#include "core/failure.h"
#include "sys/child.h"

namespace nsb::isolate {
namespace {

constexpr int kPatience = 5'000;              // milliseconds
constexpr std::size_t kLongest = 64U << 10U;  // of a message

std::vector<std::function<void()>>& last_actions() {
    static std::vector<std::function<void()>> actions;
    return actions;
}

/// A message is something of fixed size, then text.
template <typename Head>
sys::Result<int> send_message(int channel, Head head, const std::string& text) {
    std::string message(reinterpret_cast<const char*>(&head), sizeof head);
    message += text.substr(0, kLongest - sizeof head);
    return sys::checked(static_cast<int>(send(channel, message.data(), message.size(), MSG_NOSIGNAL)));
}

/// ECONNRESET once the other side is gone.
template <typename Head>
sys::Result<Head> receive_message(int channel, std::string& text) {
    std::vector<char> buffer(kLongest);
    ssize_t got = -1;
    do {
        got = recv(channel, buffer.data(), buffer.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return tl::unexpected(errno);
    Head head{};
    if (static_cast<std::size_t>(got) < sizeof head) return tl::unexpected(ECONNRESET);
    std::memcpy(&head, buffer.data(), sizeof head);
    text.assign(buffer.data() + sizeof head, static_cast<std::size_t>(got) - sizeof head);
    return head;
}

Answer carry_out(Request request, const std::string& argument) {
    try {
        return request(argument);
    } catch (const sys::SystemError& error) {
        return {error.error(), error.what()};
    }
}

/// Until the other side is gone.
int serve(int channel) {
    std::string argument;
    while (const auto request = receive_message<Request>(channel, argument)) {
        const Answer answer = carry_out(*request, argument);
        if (!send_message(channel, answer.error, answer.text)) break;
    }
    for (const auto& action : last_actions() | std::views::reverse) action();
    return 0;
}

/// A terminal's signals, and those to a process group, are for nsbench alone.
void leave_session() {
    setsid();
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGQUIT}) std::signal(signal, SIG_IGN);
}

}  // namespace

Answer Answer::failed(std::string_view call) {
    const int error = errno;
    return {error, fmt::format("{}: {}", call, errno_name(error))};
}

std::string Answer::seen() const {
    return text.empty() && error != 0 ? errno_name(error) : text;
}

Peer::Ends::Ends() {
    int ends[2];
    sys::must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    ours = sys::Fd(ends[0]);
    theirs = sys::Fd(ends[1]);
}

Peer::Peer(const Recipe& recipe) : Peer(recipe, Ends()) {}

Peer::Peer(const Recipe& recipe, Ends ends)
    : is_outside_(!recipe.dies_with_parent),
      channel_(std::move(ends.ours)),
      container_(Container::start(recipe, [&] {
          channel_.reset();
          leave_session();
          return serve(ends.theirs.get());
      })) {}

Peer::~Peer() {
    channel_.reset();
    // One outside ends by itself, having cleaned up. One inside is killed: its namespaces take all with them.
    if (is_outside_ && container_.pid() > 0) (void)container_.reap();
}

Peer Peer::outside() {
    Recipe recipe;
    recipe.dies_with_parent = false;
    return Peer(recipe);
}

Answer Peer::ask(Request request, const std::string& argument) {
    if (const auto sent = send_message(channel_.get(), request, argument); !sent) {
        throw sys::SystemError("send", "a request to a process of the check", sent.error());
    }
    pollfd waiting{channel_.get(), POLLIN, 0};
    const int ready = static_cast<int>(sys::must(poll(&waiting, 1, kPatience), "poll"));
    if (ready == 0) {
        end();
        throw sys::SystemError("poll", "a process of the check did not answer in 5 s", ETIMEDOUT);
    }
    Answer answer;
    const auto error = receive_message<int>(channel_.get(), answer.text);
    if (!error) throw sys::SystemError("recv", "a process of the check has died", error.error());
    answer.error = *error;
    return answer;
}

std::string Peer::must(Request request, const std::string& argument) {
    Answer answer = ask(request, argument);
    if (answer.error != 0) throw WentWrong(answer.seen());
    return std::move(answer.text);
}

void at_end(std::function<void()> action) {
    last_actions().push_back(std::move(action));
}

}  // namespace nsb::isolate
