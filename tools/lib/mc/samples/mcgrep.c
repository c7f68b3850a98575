// SPDX-License-Identifier: GPL-2.0
/*
 * mcgrep: search mapped files, and go on behind what cannot be read.
 *
 *	mcgrep REGEX FILE...
 *	mcgrep -F STRING FILE...
 *
 * Prints the lines that match, with FILE and offset in front, and for each piece
 * that cannot be read, on stderr, where it is and why. With -F, the mapping is not
 * copied but searched in place by libc's memmem(3), which knows nothing of bad
 * memory and is given up where it meets some; only offsets are printed.
 *
 * Status: 0 if something matched, 1 if nothing did, 2 if something went wrong. A
 * piece that cannot be read is no error: what there is has been searched.
 */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mc.h"

#define GREP_CHUNK	65536UL

struct grep {
	const char *name;
	int fd;
	regex_t regex;
	const char *string;
	FILE *out;
	FILE *err;
	unsigned long matches;
	unsigned long holes;
	/* a line that is not complete yet, and where it begins */
	char *line;
	size_t len;
	size_t size;
	size_t at;
};

static void grep_line(struct grep *g)
{
	if (!g->len)
		return;
	g->line[g->len] = '\0';
	if (!regexec(&g->regex, g->line, 0, NULL, 0)) {
		g->matches++;
		fprintf(g->out, "%s:%zu:%s\n", g->name, g->at, g->line);
	}
	g->len = 0;
}

static int grep_bytes(struct grep *g, const char *buf, size_t n, size_t at)
{
	while (n) {
		const char *end = memchr(buf, '\n', n);
		size_t piece = end ? (size_t)(end - buf) : n;

		if (g->len + piece + 1 > g->size) {
			char *line = realloc(g->line, 2 * (g->len + piece) + 64);

			if (!line)
				return -ENOMEM;
			g->line = line;
			g->size = 2 * (g->len + piece) + 64;
		}
		if (!g->len)
			g->at = at;
		memcpy(g->line + g->len, buf, piece);
		g->len += piece;
		if (!end)
			break;
		grep_line(g);
		buf += piece + 1;
		at += piece + 1;
		n -= piece + 1;
	}
	return 0;
}

/*
 * Behind what is lost, or to the end if the file ends now before it. Where it does
 * not, the kernel could not read the page from the disk.
 */
static size_t grep_hole(struct grep *g, const char *map, size_t from, size_t size,
			const struct mc_fault *why)
{
	size_t next = (size_t)((char *)why->start - map) + why->len;
	struct stat st;

	grep_line(g);
	g->holes++;
	if (why->kind == MC_TRUNCATED && !fstat(g->fd, &st) &&
	    (size_t)st.st_size <= next - why->len) {
		fprintf(g->err, "%s: ends at %zu now, not at %zu\n", g->name, from, size);
		return size;
	}
	if (next > size)
		next = size;
	fprintf(g->err, "%s: %zu bytes at %zu are lost: %s\n", g->name, next - from, from,
		why->kind == MC_ERROR ? "memory error" : "cannot be read");
	return next;
}

/*
 * Search what is mapped. A copy that ends early has copied all that is good: the
 * rest of its page is skipped.
 */
static int grep_map(struct grep *g, const char *map, size_t size)
{
	static char buf[GREP_CHUNK];
	struct mc_fault why;
	size_t at = 0, n, good;
	int err;

	while (at < size) {
		n = size - at < GREP_CHUNK ? size - at : GREP_CHUNK;
		good = n - mc_memcpy(buf, map + at, n);
		err = grep_bytes(g, buf, good, at);
		if (err)
			return err;
		at += good;
		if (good == n)
			continue;
		mc_last(&why);
		at = grep_hole(g, map, at, size, &why);
	}
	grep_line(g);
	return 0;
}

/* The same by code that cannot be changed. */
struct scan {
	struct grep *g;
	const char *map;
	size_t at;	/* the line to go on with */
	size_t end;
};

/* Back to the line's begin, on to its end: these are read as well. */
static void scan_next(void *arg)
{
	struct scan *s = arg;
	const char *from = s->map + s->at, *found, *line, *end;

	found = memmem(from, s->end - s->at, s->g->string, strlen(s->g->string));
	if (!found) {
		s->at = s->end;
		return;
	}
	line = memrchr(from, '\n', (size_t)(found - from));
	s->g->matches++;
	fprintf(s->g->out, "%s:%zu:\n", s->g->name,
		(size_t)((line ? line + 1 : from) - s->map));
	s->at = (size_t)(found - s->map) + 1;
	end = memchr(found, '\n', s->end - s->at);
	s->at = end ? (size_t)(end + 1 - s->map) : s->end;
}

static int grep_in_place(struct grep *g, const char *map, size_t size)
{
	struct scan s = { .g = g, .map = map, .end = size };
	struct mc_fault why;

	while (s.at < size) {
		size_t hole;

		if (!mc_call(scan_next, &s, &why))
			continue;
		/* In front of it, there was nothing to be found. */
		hole = (size_t)((char *)why.start - map);
		s.at = grep_hole(g, map, hole > s.at ? hole : s.at, size, &why);
	}
	return 0;
}

static int grep_file(struct grep *g, const char *name, bool in_place)
{
	struct stat st;
	char *map;
	int err, fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	g->name = name;
	g->fd = fd;
	err = fstat(fd, &st) ? -errno : 0;
	if (err || !st.st_size)
		goto out;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		err = -errno;
		goto out;
	}
	err = in_place ? grep_in_place(g, map, (size_t)st.st_size) :
			 grep_map(g, map, (size_t)st.st_size);
	munmap(map, (size_t)st.st_size);
out:
	close(fd);
	return err;
}

#ifndef MC_SAMPLE_WITHOUT_MAIN
int main(int argc, char **argv)
{
	struct grep g = { .out = stdout, .err = stderr };
	bool in_place = argc > 1 && !strcmp(argv[1], "-F");
	int i, err, status = 0;

	argv += in_place;
	argc -= in_place;
	if (argc < 3) {
		fprintf(stderr, "usage: mcgrep REGEX FILE..., mcgrep -F STRING FILE...\n");
		return 2;
	}
	g.string = argv[1];
	if (!in_place && regcomp(&g.regex, argv[1], REG_EXTENDED | REG_NOSUB)) {
		fprintf(stderr, "mcgrep: not a regular expression: %s\n", argv[1]);
		return 2;
	}
	err = mc_init(0);
	if (err) {
		fprintf(stderr, "mcgrep: %s\n", strerror(-err));
		return 2;
	}
	for (i = 2; i < argc; i++) {
		err = grep_file(&g, argv[i], in_place);
		if (err) {
			fprintf(stderr, "mcgrep: %s: %s\n", argv[i], strerror(-err));
			status = 2;
		}
	}
	if (!in_place)
		regfree(&g.regex);
	free(g.line);
	return status ? status : g.matches ? 0 : 1;
}
#endif
