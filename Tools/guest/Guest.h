/* What the test guest needs of musl's libc and Swift cannot call itself: variadic calls, macros, structures of the kernel. */
#ifndef GUEST_H
#define GUEST_H

#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "Vsock.h"

static inline int guest_open(const char *path, int flags) { return open(path, flags | O_CLOEXEC, 0600); }
static inline int guest_errno(void) { return errno; }
static inline int guest_o_direct(void) { return O_DIRECT; }

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
