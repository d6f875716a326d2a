/* What the test guest needs of musl's libc and Swift cannot call itself: variadic calls, macros, structures of the kernel. */
#ifndef GUEST_H
#define GUEST_H

#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "SelfCheck.h"
#include "Vsock.h"

static inline int guest_open(const char *path, int flags) { return open(path, flags | O_CLOEXEC, 0600); }
static inline int guest_errno(void) { return errno; }
static inline int guest_o_direct(void) { return O_DIRECT; }

static inline int guest_sigwinch(void) { return SIGWINCH; }

/* Since the boot. */
static inline long guest_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Makes the terminal that of the calling session. */
static inline int guest_take_terminal(int fd) { return ioctl(fd, TIOCSCTTY, 1); }

static inline int guest_terminal_size(int fd, uint16_t *columns, uint16_t *rows)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0) return -1;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

/* Memory of its own, or NULL. */
static inline void *guest_map(size_t count)
{
    void *start = mmap(0, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? 0 : start;
}

/* finit_module(2) without parameters. */
static inline int guest_load_module(int fd) { return (int)syscall(SYS_finit_module, fd, "", 0); }

/* One event of <linux/input.h>, as 64-bit kernels write it. */
struct guest_input_event {
    uint64_t seconds, microseconds;
    uint16_t type, code;
    int32_t value;
};

/* Starts a program below a root directory, its output and errors going to a descriptor; returns the process or -1. */
static inline pid_t guest_start(const char *root, char *const arguments[], int output)
{
    static char *environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/tmp", "LANG=C", 0};
    pid_t child = fork();
    if (child == 0) {
        if (chroot(root) || chdir("/") || dup2(output, 1) < 0 || dup2(output, 2) < 0) _exit(126);
        execve(arguments[0], arguments, environment);
        _exit(127);
    }
    return child;
}
/* 128 and the signal's number for a program that a signal ended. */
static inline int guest_exit_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline uint64_t guest_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A stream connection to a port of the host (vsock(7)); <linux/vm_sockets.h> is not among musl's headers. */
static inline int guest_connect_host(unsigned int port)
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

static inline const char *guest_entry_name(const struct dirent *entry) { return entry->d_name; }

#endif
