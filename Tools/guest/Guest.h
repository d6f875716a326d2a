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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

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

static inline const char *guest_entry_name(const struct dirent *entry) { return entry->d_name; }

#endif
