/* What a guest that checks itself needs: memory that its processes share, clocks, random numbers, a network interface. */
#ifndef GUEST_SELF_CHECK_H
#define GUEST_SELF_CHECK_H

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/random.h>

/* Memory that processes forked from now on share, all zeros; or NULL. */
static inline uint64_t *guest_share(size_t count)
{
    void *start = mmap(0, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? 0 : start;
}

static inline uint64_t guest_load(const uint64_t *place) { return __atomic_load_n(place, __ATOMIC_SEQ_CST); }
static inline void guest_store(uint64_t *place, uint64_t value) { __atomic_store_n(place, value, __ATOMIC_SEQ_CST); }

/* Makes it the value where that is more. */
static inline void guest_raise(uint64_t *place, uint64_t value)
{
    uint64_t old = guest_load(place);
    while (old < value && !__atomic_compare_exchange_n(place, &old, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
}

/* Has this process run on one processor only. */
static inline int guest_pin(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

static inline int guest_sleep(long nanoseconds)
{
    struct timespec time = { .tv_nsec = nanoseconds };
    return nanosleep(&time, NULL);
}

/* Never waits: fails with EAGAIN while the kernel has not enough to make random numbers from. */
static inline ssize_t guest_random(void *buffer, size_t count) { return getrandom(buffer, count, GRND_NONBLOCK); }

/* Has the kernel begin anew with its random numbers: RNDRESEEDCRNG of <linux/random.h>. */
static inline int guest_reseed(void)
{
    int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = ioctl(fd, _IO('R', 0x07), NULL);
    close(fd);
    return result;
}

/* Gives an interface an address of a network of 256, and brings it up. */
static inline int guest_bring_up(const char *name, const char *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct ifreq request = { 0 };
    struct sockaddr_in *value = (struct sockaddr_in *)&request.ifr_addr;
    strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    value->sin_family = AF_INET;
    int result = -1;
    if (inet_pton(AF_INET, address, &value->sin_addr) != 1)
        errno = EINVAL;
    else if (ioctl(fd, SIOCSIFADDR, &request) == 0) {
        value->sin_addr.s_addr = htonl(0xffffff00);
        result = ioctl(fd, SIOCSIFNETMASK, &request);
    }
    if (result == 0) {
        request.ifr_flags = IFF_UP;
        result = ioctl(fd, SIOCSIFFLAGS, &request);
    }
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

/* A socket for datagrams to and from one peer, or -1. */
static inline int guest_connect_udp(const char *address, uint16_t port)
{
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(port) };
    if (inet_pton(AF_INET, address, &peer.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

#endif
