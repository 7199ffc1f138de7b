/* A disk that fills up under a ledger: a library that is loaded before all others (LD_PRELOAD) and refuses to write to
 * files whose path has `ledger.db` in it, with ENOSPC, as long as the file SWITCH is there.
 *
 * A limit on the size of files does not show this: SQLite hears of another error then, and cannot know what was written.
 *
 * cc -shared -fPIC -DSWITCH='"/path/full"' -o fulldisk.so fulldisk.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t pwriter(int, const void *, size_t, off64_t);

static int is_full(int file)
{
	char link[64], path[4096];
	if (access(SWITCH, F_OK) != 0)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", file);
	ssize_t length = readlink(link, path, sizeof path - 1);
	path[length < 0 ? 0 : length] = 0;
	return strstr(path, "ledger.db") != NULL;
}

static ssize_t refuse_or(const char *name, int file, const void *data, size_t length, off64_t place)
{
	if (is_full(file)) {
		errno = ENOSPC;
		return -1;
	}
	pwriter *real = (pwriter *)dlsym(RTLD_NEXT, name);
	return real(file, data, length, place);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t place)
{
	return refuse_or("pwrite64", file, data, length, place);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t place)
{
	return refuse_or("pwrite", file, data, length, place);
}
