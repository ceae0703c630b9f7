/* Advances the time since boot of a program, and no other clock. Load this library with LD_PRELOAD. It adds the number
 * of seconds in the file at ACK_RAM_UPTIME_AHEAD. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time)
{
	char text[32];
	const char *path;
	ssize_t length;
	int file;
	int result = (int)syscall(SYS_clock_gettime, clock, time);

	if (result != 0 || clock != CLOCK_BOOTTIME)
		return result;
	path = getenv("ACK_RAM_UPTIME_AHEAD");
	file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		return result;
	length = read(file, text, sizeof(text) - 1);
	close(file);
	if (length > 0) {
		text[length] = '\0';
		time->tv_sec += strtoll(text, NULL, 10);
	}
	return result;
}
