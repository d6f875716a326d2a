/*
 * Frames through two TAP interfaces whose networks are joined: one thread writes them to the first, another reads them from the
 * second, at most a window of them on their way. What a network device's system calls cost, and nothing else.
 *
 * bare-net TAP TAP COUNT WINDOW BYTES
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define HEADER 12

static uint64_t count, window, received, lost;
static size_t bytes;

static void fail(const char *what)
{
    fprintf(stderr, "bare-net: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_tap(const char *name)
{
    struct ifreq request;
    int size = HEADER, fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) fail("/dev/net/tun");
    memset(&request, 0, sizeof(request));
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (ioctl(fd, TUNSETIFF, &request) < 0) fail(name);
    if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0) fail("TUNSETVNETHDRSZ");
    return fd;
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *reader(void *argument)
{
    int fd = *(int *)argument;
    uint8_t frame[2048];
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    for (;;) {
        ssize_t size = read(fd, frame, sizeof(frame));
        if (size < 0) {
            if (errno != EAGAIN) fail("read");
            poll(&wait, 1, -1);
        } else if (size > HEADER + 14 && frame[HEADER + 12] == 0x88 && frame[HEADER + 13] == 0xB5) {
            __atomic_fetch_add(&received, 1, __ATOMIC_RELEASE);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: bare-net TAP TAP COUNT WINDOW BYTES\n");
        return 2;
    }
    int in = open_tap(argv[2]), out = open_tap(argv[1]);
    count = strtoull(argv[3], 0, 10);
    window = strtoull(argv[4], 0, 10);
    bytes = strtoull(argv[5], 0, 10);
    uint8_t frame[2048] = { 0 };
    if (bytes > sizeof(frame) - HEADER || bytes < 14) fail("BYTES");
    memcpy(frame + HEADER, "\x02\0\0\x02\x02\0\x02\0\0\0\x01\0\x88\xB5", 14);
    pthread_t thread;
    if (pthread_create(&thread, 0, reader, &in)) fail("pthread_create");
    uint64_t start = now(), last = start, seen = 0, sent = 0;
    while (seen + lost < count) {
        while (sent < count && sent - seen - lost < window) {
            if (write(out, frame, HEADER + bytes) < 0 && errno != EAGAIN) fail("write");
            sent++;
        }
        uint64_t before = seen;
        seen = __atomic_load_n(&received, __ATOMIC_ACQUIRE);
        if (seen != before) {
            last = now();
        } else if (now() - last > 200000000u) {
            lost = sent - seen;
            last = now();
        }
    }
    printf("bare-net: frames=%llu lost=%llu nanoseconds=%llu\n", (unsigned long long)seen, (unsigned long long)lost,
           (unsigned long long)(now() - start));
    return 0;
}
