/* What the agent needs of musl's libc and of the kernel and Swift cannot call itself: variadic calls, macros, structures. */
#ifndef AGENT_H
#define AGENT_H

#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* errno */

static inline int agent_errno(void) { return errno; }

/* Descriptors are close-on-exec, all of them. */

static inline int agent_open(const char *path, int flags, unsigned mode) { return open(path, flags | O_CLOEXEC, mode); }
static inline int agent_openat(int directory, const char *path, int flags, unsigned mode)
{
    return openat(directory, path, flags | O_CLOEXEC, mode);
}

#define AGENT_O_PATH 010000000
#define AGENT_RESOLVE_NO_MAGICLINKS 0x02
#define AGENT_RESOLVE_NO_SYMLINKS 0x04
#define AGENT_RESOLVE_BENEATH 0x08
#define AGENT_RESOLVE_IN_ROOT 0x10

/* openat2(2), of <linux/openat2.h>, which is not among musl's headers. */
static inline int agent_openat2(int directory, const char *path, int flags, unsigned mode, unsigned resolve)
{
    struct { uint64_t flags, mode, resolve; } how = {(unsigned)flags | O_CLOEXEC, mode, resolve};
    return (int)syscall(437, directory, path, &how, sizeof how);
}

static inline int agent_set_nonblocking(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }
static inline int agent_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }
static inline int agent_close_range(unsigned first, unsigned last) { return (int)syscall(436, first, last, 0); }

/* Processes */

/* clone3(2) without sharing memory: a fork into namespaces (CLONE_NEW*) and a cgroup (a descriptor, or -1). */
static inline int agent_clone(uint64_t flags, int cgroup)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    } arguments = {.flags = flags, .exit_signal = SIGCHLD};
    if (cgroup >= 0) {
        arguments.flags |= 0x200000000; /* CLONE_INTO_CGROUP */
        arguments.cgroup = (uint64_t)cgroup;
    }
    return (int)syscall(435, &arguments, sizeof arguments);
}

/* The C library's own calls would tell all threads. There is one. */
static inline int agent_set_user(uint32_t user) { return (int)syscall(SYS_setresuid, user, user, user); }
static inline int agent_set_group(uint32_t group) { return (int)syscall(SYS_setresgid, group, group, group); }
static inline int agent_set_groups(const uint32_t *groups, size_t count) { return (int)syscall(SYS_setgroups, count, groups); }
static inline int agent_pivot_root(const char *root, const char *old) { return (int)syscall(SYS_pivot_root, root, old); }
static inline int agent_prctl(int option, unsigned long a, unsigned long b) { return prctl(option, a, b, 0, 0); }

static inline int agent_set_capabilities(uint64_t permitted, uint64_t inheritable)
{
    struct { uint32_t version; int pid; } header = {0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, 0};
    uint32_t data[6] = {
        (uint32_t)permitted, (uint32_t)permitted, (uint32_t)inheritable,
        (uint32_t)(permitted >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32),
    };
    return (int)syscall(SYS_capset, &header, data);
}

static inline int agent_set_limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit limit = {soft, hard};
    return setrlimit(resource, &limit);
}

/* 128 and the signal's number for a process that a signal ended. */
static inline int agent_exit_status(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

/* Signals */

static inline void agent_prepare_signals(void)
{
    sigset_t all;
    signal(SIGPIPE, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, 0);
}

/* As a program expects to find them. */
static inline void agent_restore_signals(void)
{
    sigset_t none;
    for (int number = 1; number < 65; number++) signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
}

static inline int agent_child_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Waits for any signal and returns its number. */
static inline int agent_wait_signal(void)
{
    sigset_t all;
    sigfillset(&all);
    return sigwaitinfo(&all, 0);
}

/* Events */

static inline int agent_epoll_change(int epoll, int operation, int fd, uint32_t events, uint64_t key)
{
    struct epoll_event event = {.events = events, .data.u64 = key};
    return epoll_ctl(epoll, operation, fd, &event);
}

/* At most 64 events. */
static inline int agent_epoll_wait(int epoll, uint64_t *keys, uint32_t *events)
{
    struct epoll_event found[64];
    int count = epoll_wait(epoll, found, 64, -1);
    for (int i = 0; i < count; i++) {
        keys[i] = found[i].data.u64;
        events[i] = found[i].events;
    }
    return count;
}

/* Once, after so many milliseconds; 0: never. */
static inline int agent_set_timer(int timer, uint64_t milliseconds)
{
    struct itimerspec when = {.it_value = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000}};
    return timerfd_settime(timer, 0, &when, 0);
}

/* One event of <linux/input.h>, as 64-bit kernels write it. */
struct agent_input_event {
    uint64_t seconds, microseconds;
    uint16_t type, code;
    int32_t value;
};

static inline dev_t agent_device(unsigned major, unsigned minor) { return makedev(major, minor); }

static inline unsigned agent_device_major(dev_t device) { return major(device); }
static inline unsigned agent_device_minor(dev_t device) { return minor(device); }

/* Clocks */

/* Nanoseconds since the boot. */
static inline uint64_t agent_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline void agent_sleep(uint64_t nanoseconds)
{
    struct timespec time = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
    nanosleep(&time, NULL);
}

static inline int agent_set_clock(uint64_t nanoseconds)
{
    struct timespec now = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
    return clock_settime(CLOCK_REALTIME, &now);
}

/* Mixes at most 64 random bytes into the kernel's, and has it make new keys of them (random(4)). */
static inline int agent_reseed(const void *bytes, size_t count)
{
    struct {
        int entropy_count, buf_size;
        uint8_t buf[64];
    } pool = {.entropy_count = 8 * (int)count, .buf_size = (int)count};
    if (count > sizeof pool.buf)
        return -1;
    memcpy(pool.buf, bytes, count);
    int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return fd;
    int result = ioctl(fd, _IOW('R', 0x03, int[2]), &pool); /* RNDADDENTROPY */
    if (result == 0)
        result = ioctl(fd, _IO('R', 0x07)); /* RNDRESEEDCRNG */
    close(fd);
    return result;
}

/* Sockets */

/* A stream connection to a port of the host (vsock(7)); <linux/vm_sockets.h> is not among musl's headers. */
static inline int agent_connect_host(uint32_t port)
{
    struct {
        sa_family_t family;
        uint16_t reserved;
        uint32_t port, context;
        uint8_t zero[4];
    } address = {.family = AF_VSOCK, .port = port, .context = 2 /* VMADDR_CID_HOST */};
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* NETLINK_ROUTE */
static inline int agent_netlink(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0); }

/* Terminals */

/* The other side of a pseudoterminal, wherever its name is to be found (TIOCGPTPEER). */
static inline int agent_terminal_peer(int controller)
{
    int unlocked = 0;
    if (ioctl(controller, TIOCSPTLCK, &unlocked) != 0)
        return -1;
    return ioctl(controller, 0x5441 /* TIOCGPTPEER */, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static inline int agent_terminal_number(int controller)
{
    int number = -1;
    return ioctl(controller, TIOCGPTN, &number) == 0 ? number : -1;
}

static inline int agent_take_terminal(int fd) { return ioctl(fd, TIOCSCTTY, 0); }

static inline int agent_set_terminal_size(int fd, uint16_t columns, uint16_t rows)
{
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    return ioctl(fd, TIOCSWINSZ, &size);
}

/* Bytes that can be read at once. */
static inline int agent_readable_count(int fd)
{
    int count = 0;
    return ioctl(fd, FIONREAD, &count) == 0 ? count : 0;
}

/* Files */

static inline long agent_utime_omit(void) { return UTIME_OMIT; }

static inline const char *agent_entry_name(const struct dirent *entry) { return entry->d_name; }

static inline unsigned long agent_mount_flags(int fd)
{
    struct statfs status;
    return fstatfs(fd, &status) == 0 ? (unsigned long)status.f_flags : 0;
}

/* Disks */

/* Bytes of a block device; 0 when that cannot be said. */
static inline uint64_t agent_device_size(int fd)
{
    uint64_t size = 0;
    return ioctl(fd, _IOR(0x12, 114, size_t), &size) == 0 ? size : 0; /* BLKGETSIZE64 */
}

/* Grows the mounted ext4 file system that a file lies in to so many blocks (EXT4_IOC_RESIZE_FS, of fs/ext4/ext4.h). */
static inline int agent_grow_ext4(int fd, uint64_t blocks) { return ioctl(fd, _IOW('f', 16, uint64_t), &blocks); }

/* What an open file's file system has written in all of it. */
static inline int agent_sync_file_system(int fd) { return (int)syscall(SYS_syncfs, fd); }

/* Blocks of a file's file system that are free; 0 when that cannot be said. */
static inline uint64_t agent_free_blocks(int fd)
{
    struct statfs status;
    return fstatfs(fd, &status) == 0 ? (uint64_t)status.f_bfree : 0;
}

#endif
