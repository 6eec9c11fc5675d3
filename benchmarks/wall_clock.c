/* Wall clocks that jump, for processes that are started with LD_PRELOAD (ld.so(8)): the nanoseconds
   in the file that DAYTWO_WALL_CLOCK names are added. Waits until an instant of the wall clock last
   as long as they would have lasted without a jump; what the system itself stamps stays. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *ahead;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DAYTWO_WALL_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED) ahead = page;
}

int clock_gettime(clockid_t id, struct timespec *out) {
    int failed = syscall(SYS_clock_gettime, id, out);
    if (failed || !ahead || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return failed;
    int64_t at = out->tv_sec * INT64_C(1000000000) + out->tv_nsec + *ahead;
    out->tv_sec = at / 1000000000;
    out->tv_nsec = at % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec at;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &at);
    out->tv_sec = at.tv_sec;
    out->tv_usec = at.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (out) *out = at.tv_sec;
    return at.tv_sec;
}

/* The monotonic instant of a deadline on the wall clock; one that is monotonic already (a
   condition's clock may be set) is told by being decades ago. */
static struct timespec monotonic(const struct timespec *until) {
    struct timespec wall, now, at = *until;
    if (until->tv_sec < 500000000) return at;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = (until->tv_sec - wall.tv_sec) * INT64_C(1000000000) + until->tv_nsec - wall.tv_nsec;
    int64_t end = now.tv_sec * INT64_C(1000000000) + now.tv_nsec + (left > 0 ? left : 0);
    at.tv_sec = end / 1000000000;
    at.tv_nsec = end % 1000000000;
    return at;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    struct timespec at = monotonic(until);
    return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &at);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    struct timespec at = monotonic(until);
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &at);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    struct timespec at = monotonic(until);
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &at);
}
