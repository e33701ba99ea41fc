#include "isolate/peer.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/range/adaptor/reversed.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <system_error>
#include <vector>

#include "core/failure.h"
#include "sys/process.h"

namespace nsb::isolate {
namespace {

constexpr std::chrono::seconds kPatience{5};
constexpr std::size_t kLongest = 64U << 10U;  // of a message

std::vector<std::function<void()>>& last_actions() {
    static std::vector<std::function<void()>> actions;
    return actions;
}

/// What is before the text of a message.
struct SentRequest {
    std::uint64_t number;
    PeerRequest request;
};
struct Answered {
    std::uint64_t number;  ///< the request's
    int error;
};

template <typename Head>
sys::Result<int> send_message(int channel, Head head, const std::string& text) {
    std::string message(reinterpret_cast<const char*>(&head), sizeof head);
    message += text.substr(0, kLongest - sizeof head);
    const auto sent =
        sys::retried([&] { return ::send(channel, message.data(), message.size(), MSG_NOSIGNAL); });
    return sys::checked(static_cast<int>(sent));
}

/// ECONNRESET once the other side is gone.
template <typename Head>
sys::Result<Head> receive_message(int channel, std::string& text) {
    std::vector<char> buffer(kLongest);
    const ssize_t got = sys::retried([&] { return recv(channel, buffer.data(), buffer.size(), 0); });
    if (got < 0) return tl::unexpected(errno);
    Head head{};
    if (static_cast<std::size_t>(got) < sizeof head) return tl::unexpected(ECONNRESET);
    std::memcpy(&head, buffer.data(), sizeof head);
    text.assign(buffer.data() + sizeof head, static_cast<std::size_t>(got) - sizeof head);
    return head;
}

PeerAnswer carry_out(PeerRequest request, const std::string& argument) {
    try {
        return request(argument);
    } catch (const sys::SystemError& error) {
        return {error.error(), error.what()};
    } catch (const NotTaken& error) {
        return {error.error(), error.what()};
    } catch (const NotShown& error) {
        return {EACCES, error.what()};          // as any that lacks a permission
    } catch (const std::system_error& error) {  // of the library's: a folder that cannot be read
        return {error.code().value(), error.what()};
    }
}

/// Until the other side is gone.
int serve(int channel) {
    std::string argument;
    while (const auto asked = receive_message<SentRequest>(channel, argument)) {
        const PeerAnswer answer = carry_out(asked->request, argument);
        if (!send_message(channel, Answered{asked->number, answer.error}, answer.text)) break;
    }
    for (const auto& action : boost::adaptors::reverse(last_actions())) action();
    return 0;
}

/// A terminal's signals, and those to a process group, are for nsbench alone.
void leave_session() {
    setsid();
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGQUIT}) std::signal(signal, SIG_IGN);
}

}  // namespace

PeerAnswer PeerAnswer::failed(std::string_view call) {
    const int error = errno;
    return {error, fmt::format("{}: {}", call, errno_name(error))};
}

PeerAnswer PeerAnswer::nothing(long returned, std::string_view call) {
    if (returned >= 0) errno = ECHILD;
    return failed(call);
}

std::string PeerAnswer::seen() const {
    return text.empty() && error != 0 ? errno_name(error) : text;
}

Peer::ChannelEnds::ChannelEnds() {
    int ends[2];
    sys::must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    ours = sys::Fd(ends[0]);
    theirs = sys::Fd(ends[1]);
}

Peer::Peer(const Recipe& recipe) : Peer(recipe, ChannelEnds()) {}

Peer::Peer(const Recipe& recipe, ChannelEnds ends)
    : is_outside_(!recipe.dies_with_parent),
      channel_(std::move(ends.ours)),
      container_(Container::start(recipe, [&] {
          channel_.reset();
          leave_session();
          return serve(ends.theirs.get());
      })) {}

Peer::~Peer() {
    // Not only closed: processes inside that cannot be killed have copies.
    if (channel_) shutdown(channel_.get(), SHUT_RDWR);
    channel_.reset();
    // One outside ends by itself, having cleaned up. One inside is killed: its namespaces take all with them.
    if (is_outside_ && container_.pid() > 0) (void)container_.reap();
}

Peer Peer::outside() {
    Recipe recipe;
    recipe.dies_with_parent = false;
    return Peer(recipe);
}

PeerAnswer Peer::ask(PeerRequest request, const std::string& argument, std::initializer_list<int> expected) {
    const std::uint64_t number = ++asked_;
    if (const auto sent = send_message(channel_.get(), SentRequest{number, request}, argument); !sent) {
        throw sys::SystemError("send", "a request to a process of the check", sent.error());
    }
    pollfd waiting{channel_.get(), POLLIN, 0};
    for (;;) {
        if (sys::must(sys::poll_within({&waiting, 1}, kPatience), "poll") == 0) {
            end();
            throw sys::SystemError("poll", "a process of the check did not answer in 5 s", ETIMEDOUT);
        }
        PeerAnswer answer;
        const auto answered = receive_message<Answered>(channel_.get(), answer.text);
        if (!answered) {
            throw sys::SystemError("recv", "a process of the check has died", answered.error());
        }
        // To a request whose asking failed before it was read.
        if (answered->number != number) continue;
        answer.error = answered->error;
        if (answer.error != 0 && std::ranges::find(expected, answer.error) == expected.end()) {
            throw WentWrong(answer.seen(), answer.error);
        }
        return answer;
    }
}

void at_end(std::function<void()> action) {
    last_actions().push_back(std::move(action));
}

}  // namespace nsb::isolate
