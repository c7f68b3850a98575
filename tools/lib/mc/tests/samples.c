// SPDX-License-Identifier: GPL-2.0
/* The samples, without memory that is bad. */
#define MC_SAMPLE_WITHOUT_MAIN
#include "../samples/mcgrep.c"
#include "../samples/mcstore.c"
#include "../samples/mcvmm.c"

#include "test.h"

/* A thousand records, each once, under eight threads. */
static void store_on(const char *dir)
{
	enum { RECORDS = 4000, LOSE = 1000 };
	static struct load l = { .quiet = true };
	int nothing = memfd_create("nothing", MFD_CLOEXEC);
	unsigned long reported = 0, extra = 0;
	char path[128];
	size_t i;

	snprintf(path, sizeof(path), "%s/mcstore-%d", dir, getpid());
	EQ(0, load_start(&l, path, RECORDS, 8));
	unlink(path);
	for (i = 0; i < LOSE; i++) {
		CHECK(mmap(&l.s.map[i * 4], PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			   nothing, 0) == &l.s.map[i * 4]);
		usleep(1000);
	}
	EQ(0, load_end(&l));
	for (i = 0; i < RECORDS; i++) {
		reported += l.reports[i];
		extra += i % 4 ? l.reports[i] : l.reports[i] > 1;
	}
	printf("# %s: %lu gets, %lu puts, %lu of %d records lost, the others put again\n", dir,
	       l.gets, l.puts, l.lost, LOSE);
	EQ(l.lost, reported);
	EQ(0, extra);
	CHECK(l.lost > LOSE / 2);
	store_close(&l.s);
}

TEST(store_on_a_disk)
{
	store_on("/tmp");
}

TEST(store_in_memory)
{
	store_on("/dev/shm");
}

/* 40 pages of lines of 64 bytes, with the number of the line. */
static char *lines(int *fd)
{
	char *map = (char *)truncated(40, 40, fd);
	int i;

	for (i = 0; i < 40 * 64; i++)
		memset(map + i * 64 + sprintf(map + i * 64, "line %5d", i), ' ', 53);
	for (i = 0; i < 40 * 64; i++)
		map[i * 64 + 63] = '\n';
	return map;
}

static struct grep *grep(char *map, int fd, const char *regex, bool in_place, char **out, char **err)
{
	static struct grep g;
	size_t n;

	memset(&g, 0, sizeof(g));
	g.name = "f";
	g.string = "7  ";
	g.fd = fd;
	g.out = open_memstream(out, &n);
	g.err = open_memstream(err, &n);
	EQ(0, regcomp(&g.regex, regex, REG_EXTENDED));
	EQ(0, mc_init(0));
	EQ(0, in_place ? grep_in_place(&g, map, 40 * PAGE) : grep_map(&g, map, 40 * PAGE));
	fclose(g.out);
	fclose(g.err);
	return &g;
}

TEST(grep_goes_on)
{
	char *out, *err, *map;
	int fd, nothing = memfd_create("nothing", 0), way;
	struct grep *g;

	for (way = 0; way < 2; way++) {
		map = lines(&fd);
		/* What the disk could not give, in the middle; and the end is gone. */
		CHECK(mmap(map + 7 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, nothing, 0) ==
		      map + 7 * PAGE);
		EQ(0, ftruncate(fd, 30 * PAGE));
		g = grep(map, fd, "^line +[0-9]*7 *$", way, &out, &err);
		EQ(2, g->holes);
		/* 0 to 447 and 512 to 1919 */
		/* 7, 17, ... but for 457 to 507 */
		EQ(192 - 6, g->matches);
		CHECK(strstr(out, "f:28608:"));
		CHECK(!strstr(out, "f:29248:"));
		CHECK(strstr(out, "f:33088:"));
		CHECK(strstr(err, "f: 4096 bytes at 28672 are lost: cannot be read\n"));
		CHECK(strstr(err, "f: ends at 122880 now, not at 163840\n"));
		munmap(map, 40 * PAGE);
		close(fd);
	}
	g->out = g->err = stdout;
	EQ(0, regcomp(&g->regex, "no [s]uch line in this program", REG_EXTENDED));
	EQ(0, grep_file(g, "/proc/self/exe", false));
	EQ(-ENOENT, grep_file(g, "/no/such/file", false));
}

TEST(vmm_without_its_memory)
{
	int memory = memfd_create("guest", MFD_CLOEXEC), i, err;
	struct vm vm;

	EQ(0, ftruncate(memory, GUEST_PAGES * PAGE));
	EQ(0, mc_init(0));
	err = vm_create(&vm, memory);
	if (err) {
		printf("# SKIP no virtual machine: %s\n", strerror(-err));
		return;
	}
	for (i = 0; i < DATA_PAGES; i++)
		vm.mem[DATA + (size_t)i * PAGE] = (unsigned char)(100 + i);
	EQ(0, ftruncate(memory, DATA + 12 * PAGE));
	EQ(0, vm_loop(&vm));
	EQ(12, vm.loaded);
	EQ(111, vm.bytes[11]);
	EQ(4, vm.mcs);
	EQ(DATA + 12 * PAGE, vm.mc_addr[0]);
	EQ(DATA + 15 * PAGE, vm.mc_addr[3]);
	vm_destroy(&vm);
}
