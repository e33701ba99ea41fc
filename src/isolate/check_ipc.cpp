// ipc: System V objects and POSIX message queues, each made on one side and looked for on the other.
#include <fcntl.h>
#include <fmt/format.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include <map>
#include <string>

#include "isolate/checks.h"

namespace nsb::isolate {
namespace {

/// One kind of object: -1 and errno where a call fails. Found by its key, removed by what make gave.
struct Objects {
    int (*make)(int key);
    int (*find)(int key);
    int (*remove)(int key, int id);
};

constexpr int kMode = IPC_CREAT | IPC_EXCL | 0600;

std::string queue_name(int key) {
    return fmt::format("/nsbench-{:08x}", key);
}

/// A queue is there without being open; its name is what it is removed by.
int closed(mqd_t queue) {
    return queue < 0 ? -1 : mq_close(queue);
}

constexpr Objects kSysvQueue{[](int key) { return msgget(key, kMode); },
                             [](int key) { return msgget(key, 0); },
                             [](int, int id) { return msgctl(id, IPC_RMID, nullptr); }};
constexpr Objects kSysvSemaphores{[](int key) { return semget(key, 1, kMode); },
                                  [](int key) { return semget(key, 0, 0); },
                                  [](int, int id) { return semctl(id, 0, IPC_RMID); }};
constexpr Objects kSysvMemory{[](int key) { return shmget(key, 4096, kMode); },
                              [](int key) { return shmget(key, 0, 0); },
                              [](int, int id) { return shmctl(id, IPC_RMID, nullptr); }};
constexpr Objects kPosixQueue{
    [](int key) {
        mq_attr small{};
        small.mq_maxmsg = 1;
        small.mq_msgsize = 8;
        return closed(mq_open(queue_name(key).c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &small));
    },
    [](int key) { return closed(mq_open(queue_name(key).c_str(), O_RDWR | O_CLOEXEC)); },
    [](int key, int) { return mq_unlink(queue_name(key).c_str()); }};

/// What this process has made and not removed: the ids by their keys.
template <const Objects& objects>
std::map<int, int>& made_here() {
    static std::map<int, int> made;
    return made;
}

/// Fails where it is still there.
template <const Objects& objects>
PeerAnswer remove(const std::string& key) {
    auto& made = made_here<objects>();
    const auto object = made.find(std::stoi(key));
    if (object == made.end()) return {};
    if (objects.remove(object->first, object->second) != 0) return PeerAnswer::failed("remove");
    made.erase(object);
    return {};
}

/// Gives the key that was free.
template <const Objects& objects>
PeerAnswer make(const std::string& first) {
    for (int key = std::stoi(first);; ++key) {
        if (const int id = objects.make(key); id >= 0) {
            made_here<objects>()[key] = id;
            // Also where nsbench is killed before it asks for that.
            at_end([key] { remove<objects>(std::to_string(key)); });
            return {0, std::to_string(key)};
        }
        if (errno != EEXIST) return PeerAnswer::failed("make");
    }
}

template <const Objects& objects>
PeerAnswer find(const std::string& key) {
    if (objects.find(std::stoi(key)) < 0) return PeerAnswer::failed("find");
    return {0, "found"};
}

std::string describe(const PeerAnswer& answer) {
    if (answer.error == ENOENT) return "not found (ENOENT)";
    return answer.text;
}

template <const Objects& objects>
Verdict check_objects(CheckContext& context) {
    const int base = 0x6e730000 | (getpid() & 0xff) << 8;
    Peer inside(context.recipe(Kind::ipc));
    const PeerAnswer made_outside = context.outside.ask(make<objects>, std::to_string(base), {ENOSYS});
    if (made_outside.error == ENOSYS) return skip("this kernel has no such objects (ENOSYS)");
    const PeerAnswer seen_inside = inside.ask(find<objects>, made_outside.text, {ENOENT});
    const std::string made_inside = inside.must(make<objects>, std::to_string(base + 0x80));
    const PeerAnswer seen_outside = context.outside.ask(find<objects>, made_inside, {ENOENT});
    context.outside.must(remove<objects>, made_outside.text);
    inside.must(remove<objects>, made_inside);
    return judge(seen_inside.error == ENOENT && seen_outside.error == ENOENT,
                 fmt::format("the outside's is {}", describe(seen_inside)),
                 fmt::format("the inside's is {}", describe(seen_outside)));
}

}  // namespace

Verdict check_sysv_queue(CheckContext& context) {
    return check_objects<kSysvQueue>(context);
}

Verdict check_sysv_semaphores(CheckContext& context) {
    return check_objects<kSysvSemaphores>(context);
}

Verdict check_sysv_memory(CheckContext& context) {
    return check_objects<kSysvMemory>(context);
}

Verdict check_posix_queue(CheckContext& context) {
    return check_objects<kPosixQueue>(context);
}

}  // namespace nsb::isolate
