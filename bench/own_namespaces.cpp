#include "own_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <csignal>

#include "sys/id_maps.h"
#include "sys/mount.h"

namespace nsb::bench {
namespace {

/// Whether the block is in enter_own_mounts()'s namespaces.
bool has_own_mounts(const Block& block) {
    return block.value(Parameter::mounts) != 0 || block.value(Parameter::peers) != 0;
}

Mounts mounts_of(const Block& block) {
    return has_own_mounts(block) ? Mounts::kept : Mounts::made_private;
}

/// The way back: what the sampler was in before.
class Former {
  public:
    static tl::expected<Former, Failure> note(KindSet kinds) {
        Former former;
        struct Kept {
            Kind kind;
            const char* path;
            int flags;
            sys::Fd* fd;
        };
        for (const Kept& kept :
             {Kept{Kind::mnt, "/proc/self/ns/mnt", O_RDONLY, &former.mnt_},
              Kept{Kind::mnt, "/", O_PATH, &former.root_}, Kept{Kind::mnt, ".", O_PATH, &former.folder_},
              Kept{Kind::net, "/proc/self/ns/net", O_RDONLY, &former.net_}}) {
            if (!kinds.contains(kept.kind)) continue;
            auto opened = sys::Fd::own(open(kept.path, kept.flags | O_CLOEXEC));
            if (!opened) return tl::unexpected(Failure{Call::open_ns, opened.error()});
            *kept.fd = std::move(*opened);
        }
        return former;
    }

    [[nodiscard]] bool enter() const {
        if (net_ && setns(net_.get(), CLONE_NEWNET) != 0) return false;
        if (!mnt_) return true;
        return setns(mnt_.get(), CLONE_NEWNS) == 0 && fchdir(root_.get()) == 0 && chroot(".") == 0 &&
               fchdir(folder_.get()) == 0;
    }

  private:
    sys::Fd mnt_, net_, root_, folder_;
};

void as_oneself(Block& block, KindSet kinds, void (*samples)(Block& block)) {
    const auto former = Former::note(kinds);
    if (!former) return block.fail(former.error());
    // The way back is tried before it is needed: without CAP_SYS_CHROOT there is none.
    if (!former->enter()) return block.fail({Call::setns, errno});
    if (const Failure failure = enter_new(kinds, false, mounts_of(block)); failure.error != 0) {
        block.fail(failure);
    } else {
        samples(block);
    }
    // A sampler that is somewhere else would measure something else: nsbench starts another one.
    if (!former->enter()) _exit(1);
}

/// In a child: what it filled, its parent hands back.
void as_child(Block& block, KindSet kinds, void (*samples)(Block& block)) {
    const pid_t self = getpid();
    const auto pid = sys::plain_fork();
    if (!pid) return block.fail({Call::clone, pid.error()});
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self) _exit(1);
        close(protocol::kSocket);  // by whose end nsbench sees that of the sampler
        if (const Failure failure = enter_new(kinds, true, mounts_of(block)); failure.error == 0) {
            samples(block);
        } else {
            block.fail(failure);
        }
        block.memory.child_end = block.filled();
        _exit(0);
    }
    const auto status = sys::reap(*pid);
    if (!status) return block.fail({Call::waitpid, status.error()});
    if (*status != 0) return block.fail({Call::child, ECHILD});
    block.take_over(static_cast<std::uint32_t>(block.memory.child_end));
}

}  // namespace

Failure enter_new(KindSet kinds, bool in_userns, Mounts mounts) {
    const sys::IdMaps maps;
    if (in_userns) {
        if (unshare(CLONE_NEWUSER) != 0) return {Call::unshare, errno};
        if (const Failure failure = maps.write_own(); failure.error != 0) return failure;
    }
    if (unshare(static_cast<int>(kinds.flags())) != 0) return {Call::unshare, errno};
    if (!kinds.contains(Kind::mnt) || mounts == Mounts::kept) return {};
    const auto cut = sys::make_mounts_private();
    return cut ? Failure{} : Failure{Call::mount_private, cut.error()};
}

void in_own_namespaces(Block& block, KindSet kinds, void (*samples)(Block& block)) {
    const bool in_child = block.request.in_userns && !has_own_mounts(block);
    (in_child ? as_child : as_oneself)(block, kinds, samples);
}

}  // namespace nsb::bench
