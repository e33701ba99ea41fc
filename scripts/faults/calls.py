"""The system calls that are made to fail: of each its number on x86-64, and the errnos that it plausibly fails with.

One table for all jobs. Plausible is what the kernel, a limit, a security module or a seccomp filter of a container answers to
a program that makes no mistake: no EBADF, no EFAULT.
"""
import errno

_FILES = "EMFILE ENFILE ENOMEM"
_DISK = "EIO ENOSPC EDQUOT"
_MOUNT = "EPERM EINVAL ENOSYS ENOMEM EBUSY"
_PATH = "EACCES ENOENT EIO"
_MESSAGE = "EAGAIN ENOBUFS ENOMEM EPIPE EINTR"

_TABLE = f"""
read 0 EIO EINTR
write 1 {_DISK} EFBIG EPIPE EINTR
stat 4 {_PATH}
fstat 5 EIO ENOMEM
lstat 6 {_PATH}
poll 7 EINTR ENOMEM
lseek 8 EIO
mmap 9 ENOMEM EAGAIN
mprotect 10 ENOMEM EACCES
munmap 11 ENOMEM
ioctl 16 ENOTTY EPERM ENODEV
pread64 17 EIO EINTR
pwrite64 18 {_DISK} EINTR
writev 20 {_DISK} EFBIG EPIPE EINTR
access 21 EACCES ENOENT
pipe 22 {_FILES}
mremap 25 ENOMEM
madvise 28 ENOMEM EINVAL
shmget 29 ENOSPC ENOMEM EACCES
shmat 30 ENOMEM EACCES
shmctl 31 EPERM EACCES
dup 32 EMFILE
dup2 33 EMFILE
nanosleep 35 EINTR
socket 41 {_FILES} EACCES EAFNOSUPPORT
connect 42 ECONNREFUSED EACCES
sendto 44 {_MESSAGE}
recvfrom 45 EINTR ENOMEM ECONNRESET
sendmsg 46 {_MESSAGE}
recvmsg 47 EINTR ENOMEM ECONNRESET
shutdown 48 ENOTCONN
bind 49 EADDRINUSE EACCES ENOMEM
listen 50 EADDRINUSE
getsockname 51 ENOBUFS
socketpair 53 {_FILES}
setsockopt 54 ENOMEM EPERM
clone 56 EAGAIN ENOMEM EPERM ENOSPC EINVAL
fork 57 EAGAIN ENOMEM
vfork 58 EAGAIN ENOMEM
execve 59 ENOENT EACCES ENOMEM ETXTBSY
wait4 61 EINTR ECHILD
kill 62 EPERM
semget 64 ENOSPC ENOMEM EACCES
semctl 66 EPERM EACCES
msgget 68 ENOSPC ENOMEM EACCES
msgctl 71 EPERM EACCES
fcntl 72 EMFILE EAGAIN EPERM
flock 73 ENOLCK
fsync 74 {_DISK}
fdatasync 75 {_DISK}
ftruncate 77 EIO EFBIG EPERM
getcwd 79 ENOENT EACCES
chdir 80 {_PATH}
fchdir 81 EACCES
rename 82 {_DISK} EACCES EROFS
mkdir 83 ENOSPC EACCES EROFS
rmdir 84 EBUSY EACCES
unlink 87 EACCES EROFS EIO
symlink 88 ENOSPC EACCES
readlink 89 EACCES ENOENT ENOMEM
creat 85 EACCES ENOSPC EROFS
chmod 90 EPERM EROFS
fchmod 91 EPERM EROFS
chown 92 EPERM EROFS
fchown 93 EPERM EROFS EDQUOT
getrlimit 97 EPERM
getrusage 98 EPERM
setuid 105 EPERM EAGAIN
setgid 106 EPERM
setpgid 109 EPERM EACCES
setsid 112 EPERM
setgroups 116 EPERM ENOMEM
setresuid 117 EPERM EAGAIN
setresgid 119 EPERM
capset 126 EPERM
rt_sigtimedwait 128 EAGAIN EINTR
personality 135 EINVAL
statfs 137 EACCES ENOSYS EIO
fstatfs 138 ENOSYS EIO
setpriority 141 EACCES EPERM
sched_setscheduler 144 EPERM
mlock 149 ENOMEM EPERM
mlockall 151 ENOMEM EPERM
pivot_root 155 EBUSY EINVAL EPERM
prctl 157 EINVAL EPERM
setrlimit 160 EPERM
chroot 161 EPERM EACCES
mount 165 EPERM EINVAL ENOMEM EBUSY ENOSPC EACCES
umount2 166 EBUSY EPERM EINVAL
sethostname 170 EPERM
setdomainname 171 EPERM
setxattr 188 ENOSPC EOPNOTSUPP EPERM
lsetxattr 189 ENOSPC EOPNOTSUPP EPERM
fsetxattr 190 ENOSPC EOPNOTSUPP EPERM
getxattr 191 ENODATA EOPNOTSUPP EIO
lgetxattr 192 ENODATA EOPNOTSUPP EIO
fgetxattr 193 ENODATA EOPNOTSUPP EIO
fremovexattr 199 ENODATA EOPNOTSUPP EIO
sched_setaffinity 203 EINVAL EPERM
sched_getaffinity 204 EINVAL EPERM
getdents64 217 EIO ENOMEM ENOENT
clock_nanosleep 230 EINTR
epoll_wait 232 EINTR
epoll_ctl 233 ENOMEM ENOSPC
tgkill 234 EPERM EAGAIN
mq_open 240 ENOSPC EACCES {_FILES}
mq_unlink 241 EACCES
waitid 247 EINTR ECHILD
openat 257 {_PATH} EINTR EROFS {_FILES}
mkdirat 258 ENOSPC EACCES EROFS EDQUOT
mknodat 259 ENOSPC EACCES EPERM
fchownat 260 EPERM EROFS
newfstatat 262 {_PATH} ENOMEM
unlinkat 263 EBUSY EACCES EROFS EIO
renameat 264 {_DISK} EACCES EROFS
linkat 265 ENOSPC EACCES EPERM
symlinkat 266 ENOSPC EACCES
readlinkat 267 EACCES ENOENT ENOMEM
fchmodat 268 EPERM EROFS
faccessat 269 EACCES ENOENT
ppoll 271 EINTR ENOMEM
unshare 272 EPERM ENOSPC ENOMEM EINVAL
epoll_pwait 281 EINTR
timerfd_create 283 {_FILES}
timerfd_settime 286 EINVAL
signalfd4 289 {_FILES}
eventfd2 290 {_FILES}
epoll_create1 291 {_FILES}
dup3 292 EMFILE EBUSY
pipe2 293 {_FILES}
perf_event_open 298 EACCES ENOENT EMFILE ENOSYS
prlimit64 302 EPERM
name_to_handle_at 303 EOPNOTSUPP EPERM
setns 308 EPERM EINVAL ENOMEM
kcmp 312 EPERM ENOSYS
renameat2 316 {_DISK} EACCES EROFS EXDEV EINVAL
getrandom 318 ENOSYS EINTR
memfd_create 319 ENOSYS {_FILES}
bpf 321 EPERM ENOMEM EINVAL ENOSYS
execveat 322 ENOENT EACCES ENOMEM ENOSYS
membarrier 324 ENOSYS EPERM
statx 332 ENOSYS {_PATH}
pidfd_send_signal 424 EPERM ENOSYS
open_tree 428 {_MOUNT}
move_mount 429 {_MOUNT}
fsopen 430 {_MOUNT} ENODEV
fsconfig 431 {_MOUNT}
fsmount 432 {_MOUNT}
pidfd_open 434 ENOSYS {_FILES}
clone3 435 EAGAIN ENOMEM ENOSYS EPERM ENOSPC EINVAL
close_range 436 ENOSYS EINVAL
openat2 437 ENOSYS EACCES EAGAIN
pidfd_getfd 438 EPERM ENOSYS
faccessat2 439 ENOSYS EACCES
mount_setattr 442 {_MOUNT}
statmount 457 ENOSYS EPERM ENOENT
listmount 458 ENOSYS EPERM
"""

# What cannot fail in a way that an injection imitates, or does not return. close(2) closes also where it reports an error,
# and brk(2) answers with an address: an errno in their place would be a fault that no kernel has.
NEVER = {name: int(number) for name, number in (line.split() for line in """
close 3
brk 12
rt_sigaction 13
rt_sigprocmask 14
rt_sigreturn 15
sched_yield 24
pause 34
getpid 39
exit 60
uname 63
umask 95
sysinfo 99
getuid 102
getgid 104
geteuid 107
getegid 108
getppid 110
getpgid 121
getsid 124
capget 125
sigaltstack 131
arch_prctl 158
gettid 186
futex 202
set_tid_address 218
restart_syscall 219
clock_gettime 228
exit_group 231
set_robust_list 273
getcpu 309
rseq 334
""".strip().splitlines())}


def _parsed() -> "tuple[dict[str, int], dict[str, tuple[str, ...]]]":
    lines = [line.split() for line in _TABLE.strip().splitlines()]
    return {name: int(number) for name, number, *_ in lines}, {name: tuple(errors) for name, _, *errors in lines}


NUMBERS, ERRNOS = _parsed()
NAMES = {number: name for name, number in (NUMBERS | NEVER).items()}


def number_of(name: str) -> int:
    """Of an errno."""
    return int(getattr(errno, name))
