// SPDX-License-Identifier: GPL-2.0
/*
 * Bad memory under load: poison lines at random in the memory of a busy
 * machine, and find out what became of each.
 *
 *	soak [-s SEED] [-n COUNT] [-t SECONDS] [-i MILLISECONDS] [-w WORKERS]
 *	soak -k slab|pgtable|text|data [-s SEED] [-t SECONDS]
 *
 * Workers keep files, pipes, sockets and memory busy. Every 64 bytes that they
 * write say what they are, so that a reader can tell right from wrong without
 * anybody's help, and old from new. A worker that is told of an error (errno,
 * SIGBUS) counts it and goes on; one that dies is replaced. One that reads
 * wrong data and was not told is what this program looks for, and so are a
 * worker that hangs or dies for no reason, and a kernel that complains.
 *
 * With -k it is the kernel's own memory, which is nobody's to lose: a line a
 * second until one is met. What happens then is worth knowing, not a failure.
 *
 * Lines of output that begin with "@" are for scripts. The one that announces
 * an injection is out before the line is poisoned, so that a panic has a name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kernel-page-flags.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mce_lib.h"

#define BIT_ULL(nr)	(1ULL << (nr))
#define BLOCK		MCE_PAGE
#define FILE_BLOCKS	384
#define ARENA_BLOCKS	1024
#define HUGE_SIZE	(2UL << 20)
#define MAX_WORKERS	32
#define MAX_LINES	4096
#define HANG_SECONDS	90

/* What processes share, or a handler and its process. */
#define GET(x)		__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define SET(x, v)	__atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* --- what everybody sees --------------------------------------------------- */

struct worker {
	char name[16];
	pid_t pid;
	unsigned int started;
	time_t beat;
	void *arena;			/* where to look for pages */
	size_t arena_len;
	char path[64];			/* a file to look for pages in */
	bool hold;			/* the reader is to wait */
	bool held;			/* it does */
	__u64 next_block;		/* of a stream: the reader has those before */
	unsigned long ops;
	unsigned long blocks;		/* read back and right */
	unsigned long told;		/* EIO, EFAULT and the like */
	unsigned long odd_told;		/* any other errno */
	int last_odd;
	unsigned long signals;		/* SIGBUS with an address */
	unsigned long odd_signals;	/* SIGBUS without one */
	unsigned long wrong;
	int clean_exit;			/* it knows why it leaves */
	char last_wrong[160];
	__u16 version[FILE_BLOCKS];	/* of a file's blocks */
	__u8 state[FILE_BLOCKS];	/* enum state */
};

enum state { KNOWN, LOST, UNSURE };

enum phase { BUSY, LAST_LOOK, OVER };

struct board {
	int phase;			/* enum phase */
	__u64 seed;
	struct worker worker[MAX_WORKERS];
};

static struct board *board;
static struct worker *me;

/* --- chance ---------------------------------------------------------------- */

static __u64 mix(__u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static __u64 dice_state;

static unsigned long dice(unsigned long sides)
{
	dice_state = mix(dice_state);
	return sides ? dice_state % sides : 0;
}

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

/* --- blocks ---------------------------------------------------------------- */

/*
 * A block is 64 lines. A line's first word says that it is one of ours, whose,
 * which line, and of which version; the second which block; the others follow
 * from these.
 */
#define TAG		0x50AC000000000000ULL
#define TAG_MASK	0xffff000000000000ULL

static __u64 line_word(unsigned int stream, unsigned int line, __u16 version)
{
	return TAG | (__u64)(stream & 0xffff) << 32 | line << 16 | version;
}

static void fill_block(void *buf, unsigned int stream, __u64 block, __u16 version)
{
	__u64 *w = buf;
	unsigned int line, i;

	for (line = 0; line < BLOCK / MCE_LINE; line++, w += 8) {
		w[0] = line_word(stream, line, version);
		w[1] = block;
		for (i = 2; i < 8; i++)
			w[i] = mix(w[0] ^ mix(block + i));
	}
}

/* What a block that is not as it should be looks like. */
static void describe(const __u64 *w, unsigned int line, char *text, size_t len)
{
	unsigned int i;

	for (i = 0; i < 8 && !w[i]; i++)
		;
	if (i == 8)
		snprintf(text, len, "line %u is zero", line);
	else if ((w[0] & TAG_MASK) == TAG)
		snprintf(text, len, "line %u is of stream %u, block %llu, line %u, version %u",
			 line, (unsigned int)(w[0] >> 32) & 0xffff,
			 (unsigned long long)w[1],
			 (unsigned int)(w[0] >> 16) & 0xffff,
			 (unsigned int)w[0] & 0xffff);
	else
		snprintf(text, len, "line %u is %#llx %#llx", line,
			 (unsigned long long)w[0], (unsigned long long)w[1]);
}

static bool check_block(const void *buf, unsigned int stream, __u64 block,
			__u16 version, char *text, size_t len)
{
	const __u64 *w = buf;
	unsigned int line, i;

	for (line = 0; line < BLOCK / MCE_LINE; line++, w += 8) {
		if (w[0] != line_word(stream, line, version) || w[1] != block)
			break;
		for (i = 2; i < 8; i++)
			if (w[i] != mix(w[0] ^ mix(block + i)))
				break;
		if (i < 8)
			break;
	}
	if (line == BLOCK / MCE_LINE)
		return true;
	describe(w, line, text, len);
	return false;
}

static unsigned int stream_of(void)
{
	return (me - board->worker) * 256 + (me->started & 0xff);
}

static void wrong(const char *what, __u64 block, __u16 version, const char *text)
{
	me->wrong++;
	snprintf(me->last_wrong, sizeof(me->last_wrong),
		 "%s of block %llu, version %u: %s", what,
		 (unsigned long long)block, version, text);
}

static bool expect_block(const void *buf, const char *what, __u64 block, __u16 version)
{
	char text[120];

	if (!check_block(buf, stream_of(), block, version, text, sizeof(text))) {
		wrong(what, block, version, text);
		return false;
	}
	me->blocks++;
	return true;
}

/* The system said that something is lost. EPIPE: the peer is gone. */
static void told(int err)
{
	if (err == EIO || err == EFAULT || err == EHWPOISON || err == ECONNRESET ||
	    err == EPIPE || !err) {
		me->told++;
	} else {
		me->odd_told++;
		me->last_odd = err;
	}
}

static bool go_on(void)
{
	me->beat = time(NULL);
	me->ops++;
	return GET(board->phase) == BUSY;
}

/* --- signals --------------------------------------------------------------- */

static sigjmp_buf back;
static int guarded;
static void *bad_addr;

static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	char *addr = si->si_addr, *arena = me->arena;

	(void)sig;
	(void)context;
	if (si->si_code != BUS_MCEERR_AR && si->si_code != BUS_MCEERR_AO)
		me->odd_signals++;
	else
		me->signals++;
	if (si->si_code == BUS_MCEERR_AO)
		return;
	if (GET(guarded) && si->si_code == BUS_MCEERR_AR && addr >= arena &&
	    addr < arena + me->arena_len) {
		bad_addr = addr;
		siglongjmp(back, 1);
	}
	/* Stack, heap, or no address: this process is lost, and was told. */
	me->clean_exit = 1;
	_exit(99);
}

static void catch_sigbus(void)
{
	static char stack[64 << 10];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction act = { .sa_sigaction = on_sigbus };

	sigaltstack(&alt, NULL);
	act.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigemptyset(&act.sa_mask);
	sigaction(SIGBUS, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* --- workers: files -------------------------------------------------------- */

static __u8 *block_buf(void)
{
	static __u8 *buf;

	if (!buf) {
		buf = mmap(NULL, 16 * BLOCK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (buf == MAP_FAILED)
			_exit(98);
	}
	return buf;
}

static void file_write(int fd, unsigned int block)
{
	__u8 *buf = block_buf();
	__u16 version = me->version[block] + 1;
	ssize_t n;

	fill_block(buf, stream_of(), block, version);
	/* Until the call is back nobody knows which of the two it has. */
	me->state[block] = UNSURE;
	n = pwrite(fd, buf, BLOCK, block * BLOCK);
	if (n == BLOCK) {
		me->version[block] = version;
		me->state[block] = KNOWN;
	} else {
		told(n < 0 ? errno : 0);
	}
}

static void file_check(int fd, unsigned int block, const void *buf, ssize_t n,
		       const char *what)
{
	(void)fd;
	if (me->state[block] == UNSURE)
		return;
	if (n != BLOCK) {
		told(n < 0 ? errno : 0);
		me->state[block] = LOST;
		return;
	}
	/*
	 * After an error the right data may come back (a clean page was on its
	 * way out when it was read), but nothing else may.
	 */
	me->state[block] = expect_block(buf, what, block, me->version[block]) ?
			   KNOWN : UNSURE;
}

static void file_read(int fd, unsigned int block)
{
	ssize_t n;

	errno = 0;
	n = pread(fd, block_buf(), BLOCK, block * BLOCK);
	file_check(fd, block, block_buf(), n, "pread");
}

static void work_file(unsigned long magic)
{
	static unsigned int at;
	char dir[32];
	unsigned int i;
	void *map;
	int fd;

	if (!mce_dir_on(magic, dir, sizeof(dir)))
		_exit(97);
	snprintf(me->path, sizeof(me->path), "%s/soak-%s-%u", dir, me->name,
		 me->started);
	fd = open(me->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		_exit(97);
	for (i = 0; i < FILE_BLOCKS; i++) {
		me->version[i] = 0;
		file_write(fd, i);
	}
	fsync(fd);
	map = mmap(NULL, FILE_BLOCKS * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	if (map == MAP_FAILED)
		_exit(97);
	me->arena = map;
	me->arena_len = FILE_BLOCKS * BLOCK;

	if (sigsetjmp(back, 1)) {
		SET(guarded, 0);
		/* A touch of the mapping: that block is lost, and was told. */
		at = ((char *)bad_addr - (char *)map) / BLOCK;
		if (me->state[at] == KNOWN)
			me->state[at] = LOST;
		if (dice(2))
			file_write(fd, at);
	}
	while (go_on()) {
		at = dice(FILE_BLOCKS);
		switch (dice(12)) {
		case 0 ... 4:
			file_read(fd, at);
			break;
		case 5 ... 6:
			file_write(fd, at);
			break;
		case 7:
			if (me->state[at] != KNOWN)
				break;
			SET(guarded, 1);
			memcpy(block_buf(), (char *)map + at * BLOCK, BLOCK);
			SET(guarded, 0);
			file_check(fd, at, block_buf(), BLOCK, "load");
			break;
		case 8: {
			struct iovec iov[4];
			__u8 *buf = block_buf();
			ssize_t n;

			/* Four blocks with one call: what came is right. */
			for (i = 0; i < 4; i++)
				iov[i] = (struct iovec){ buf + i * BLOCK, BLOCK };
			at = dice(FILE_BLOCKS - 4);
			n = preadv(fd, iov, 4, at * BLOCK);
			if (n != 4 * BLOCK)
				told(n < 0 ? errno : 0);
			for (i = 0; n > 0 && i < n / BLOCK; i++)
				file_check(fd, at + i, buf + i * BLOCK, BLOCK, "preadv");
			break;
		}
		case 9:
			if (dice(8) || !fsync(fd))
				break;
			told(errno);
			/* Whatever was written since the last one may be gone: again. */
			for (i = 0; i < FILE_BLOCKS; i++)
				file_write(fd, i);
			break;
		case 10:
			if (dice(4))
				break;
			posix_fadvise(fd, at * BLOCK, 32 * BLOCK, POSIX_FADV_DONTNEED);
			break;
		case 11:
			if (dice(4)) {
				/* Through the mapping. */
				if (me->state[at] != KNOWN)
					break;
				me->state[at] = UNSURE;
				SET(guarded, 1);
				fill_block((char *)map + at * BLOCK, stream_of(), at,
					   me->version[at] + 1);
				SET(guarded, 0);
				me->version[at]++;
				me->state[at] = KNOWN;
				break;
			}
			/* A hole, then data again. */
			me->state[at] = UNSURE;
			if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      at * BLOCK, BLOCK))
				told(errno);
			file_write(fd, at);
			break;
		}
		if (!dice(4))
			sleep_ms(1);
	}
	munmap(map, FILE_BLOCKS * BLOCK);
	me->arena_len = 0;
	for (i = 0; i < FILE_BLOCKS; i++) {
		me->beat = time(NULL);
		file_read(fd, i);
	}
	close(fd);
	unlink(me->path);
	me->path[0] = 0;
}

static void work_ext4(void)	{ work_file(MCE_FS_EXT4); }
static void work_xfs(void)	{ work_file(MCE_FS_XFS); }
static void work_tmpfs(void)	{ work_file(MCE_FS_TMPFS); }

/* Three ways to copy a block that do not pass through user memory. */
static const char *const copy_name[] = { "sendfile", "splice", "copy_file_range" };

static ssize_t copy_block(int how, int in, int out, int pipefd[2], unsigned int i)
{
	loff_t from = i * BLOCK, to = from;
	ssize_t n, m;

	if (how == 2)
		return copy_file_range(in, &from, out, &to, BLOCK, 0);
	lseek(out, to, SEEK_SET);
	if (how == 0)
		return sendfile(out, in, &from, BLOCK);
	n = splice(in, &from, pipefd[1], NULL, BLOCK, 0);
	if (n <= 0)
		return n;
	m = splice(pipefd[0], NULL, out, NULL, n, 0);
	if (m != n) {
		/* What is left in it is of no use. */
		n = errno;
		close(pipefd[0]);
		close(pipefd[1]);
		if (pipe2(pipefd, O_CLOEXEC))
			_exit(97);
		errno = n;
	}
	return m;
}

/* A file from here to there, and a look at what arrived. */
static void work_copy(void)
{
	char from[64], dir[32], to[80];
	int in, out, pipefd[2], how;
	unsigned int i;
	ssize_t n;

	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)) || pipe2(pipefd, O_CLOEXEC))
		_exit(97);
	snprintf(from, sizeof(from), "%s/soak-from-%u", dir, me->started);
	snprintf(to, sizeof(to), "%s/soak-to-%u", dice(2) ? dir : "/tmpfs", me->started);
	in = open(from, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (in < 0)
		_exit(97);
	for (i = 0; i < FILE_BLOCKS; i++) {
		me->version[i] = 0;
		file_write(in, i);
	}
	fsync(in);
	snprintf(me->path, sizeof(me->path), "%s", from);
	while (go_on()) {
		out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (out < 0)
			_exit(97);
		how = dice(strncmp(to, dir, strlen(dir)) ? 2 : 3);
		for (i = 0; i < FILE_BLOCKS; i++) {
			if (!(i % 32) && !go_on())
				break;
			n = copy_block(how, in, out, pipefd, i);
			if (n != BLOCK) {
				told(n < 0 ? errno : 0);
				file_write(in, i);
				continue;
			}
			if (me->state[i] != KNOWN)
				continue;
			n = pread(out, block_buf(), BLOCK, i * BLOCK);
			if (n != BLOCK)
				told(n < 0 ? errno : 0);
			else
				expect_block(block_buf(), copy_name[how], i, me->version[i]);
		}
		close(out);
		unlink(to);
		sleep_ms(5);
	}
	close(in);
	unlink(from);
	me->path[0] = 0;
}

/* --- workers: streams ------------------------------------------------------ */

enum kind { PIPE, UNIX_STREAM, UNIX_DGRAM, TCP };

static int tcp_pair(int fd[2])
{
	/* A receiver short of room copies what it has, and frees the originals. */
	int send_room = 64 << 10, receive_room = 512 << 10;
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(l, SOL_SOCKET, SO_RCVBUFFORCE, &receive_room, sizeof(receive_room));
	if (l < 0 || bind(l, (void *)&a, sizeof(a)) || listen(l, 1) ||
	    getsockname(l, (void *)&a, &len))
		return -1;
	fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &send_room, sizeof(send_room));
	if (fd[1] < 0 || connect(fd[1], (void *)&a, sizeof(a)))
		return -1;
	fd[0] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	close(l);
	return fd[0] < 0 ? -1 : 0;
}

static void stream_writer(int fd, enum kind kind)
{
	__u8 *buf = block_buf();
	__u64 seq = 0;
	ssize_t n;
	size_t done;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		fill_block(buf, stream_of(), seq, 0);
		for (done = 0; done < BLOCK; done += n) {
			n = write(fd, buf + done, BLOCK - done);
			if (n <= 0)
				_exit(0);
			if (kind == UNIX_DGRAM && n != BLOCK)
				_exit(0);
		}
		seq++;
	}
}

/* One connection, until somebody is told of an error, or all is over. */
static void stream_once(enum kind kind)
{
	__u8 *buf = block_buf();
	int fd[2], err = 0;
	__u64 seq = 0;
	size_t done;
	pid_t pid;
	ssize_t n;

	if (kind == PIPE ? pipe2(fd, O_CLOEXEC) :
	    kind == TCP ? tcp_pair(fd) :
	    socketpair(AF_UNIX, kind == UNIX_DGRAM ? SOCK_DGRAM : SOCK_STREAM, 0, fd))
		_exit(97);
	pid = fork();
	if (!pid) {
		close(fd[0]);
		stream_writer(fd[1], kind);
	}
	close(fd[1]);
	while (!err) {
		/* Let it fill up: what is under way is what can go bad. */
		if (!dice(8))
			sleep_ms(dice(60));
		while (GET(me->hold)) {
			SET(me->held, true);
			sleep_ms(1);
		}
		SET(me->held, false);
		if (!go_on())
			break;
		for (done = 0; done < BLOCK && !err; done += n) {
			n = read(fd[0], buf + done, BLOCK - done);
			if (n <= 0)
				err = n ? errno : EPIPE;
			else if (kind == UNIX_DGRAM && n != BLOCK)
				err = EMSGSIZE;
			if (err)
				break;
		}
		/* The next block, whole, or an error; no gap without one. */
		if (!err && !expect_block(buf, me->name, seq++, 0))
			err = EBADMSG;
		SET(me->next_block, seq);
	}
	if (err && err != EBADMSG)
		told(err);
	close(fd[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void work_stream(enum kind kind)
{
	while (GET(board->phase) == BUSY) {
		SET(me->next_block, 0);
		stream_once(kind);
		/* A new name for the data of the next connection. */
		me->started++;
	}
}

static void work_pipe(void)	{ work_stream(PIPE); }
static void work_unix(void)	{ work_stream(UNIX_STREAM); }
static void work_dgram(void)	{ work_stream(UNIX_DGRAM); }
static void work_tcp(void)	{ work_stream(TCP); }

/* --- workers: memory ------------------------------------------------------- */

enum memory { PLAIN, THP, KSM, SWAP, FORK, HUGETLB, REMOTE };

/* KSM has something to merge if blocks come in fours. */
static __u64 arena_block(enum memory how, unsigned int i)
{
	return how == KSM ? i / 4 : i;
}

static void arena_fill(enum memory how, unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++)
		fill_block((char *)me->arena + i * BLOCK, stream_of(),
			   arena_block(how, i), 0);
}

/* A new page where the old one went, as big as what was lost. */
static void arena_replace(enum memory how, unsigned int blocks)
{
	unsigned long size = how == HUGETLB ? HUGE_SIZE : BLOCK;
	char *at = (char *)((unsigned long)bad_addr & ~(size - 1));
	unsigned int first = (at - (char *)me->arena) / BLOCK;

	(void)blocks;
	if (mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_FIXED | (how == HUGETLB ? MAP_HUGETLB : 0), -1, 0) == MAP_FAILED) {
		me->clean_exit = 1;
		_exit(99);
	}
	arena_fill(how, first, size / BLOCK);
	if (how == KSM)
		madvise(at, size, MADV_MERGEABLE);
}

static void arena_check(enum memory how, unsigned int i, const char *what)
{
	/* The check itself is the load. */
	SET(guarded, 1);
	expect_block((char *)me->arena + i * BLOCK, what, arena_block(how, i), 0);
	SET(guarded, 0);
}

static void fork_child(enum memory how)
{
	unsigned int i;
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return;
	if (!pid) {
		/* Its own copy of some, a look at others. A SIGBUS ends it. */
		for (i = 0; i < 64; i++) {
			unsigned int at = dice(ARENA_BLOCKS);

			if (dice(2)) {
				fill_block((char *)me->arena + at * BLOCK,
					   stream_of(), arena_block(how, at), 0);
			} else {
				arena_check(how, at, "load in a child");
			}
		}
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

/* Somebody else reads this process's memory. */
static void remote_read(void)
{
	unsigned int at = dice(ARENA_BLOCKS);
	struct iovec local = { block_buf(), BLOCK };
	struct iovec remote = { (char *)me->arena + at * BLOCK, BLOCK };
	pid_t parent = getpid(), pid = fork();
	char path[32];
	ssize_t n;
	int fd, status;

	if (pid < 0)
		return;
	if (!pid) {
		if (dice(2)) {
			n = process_vm_readv(parent, &local, 1, &remote, 1, 0);
		} else {
			snprintf(path, sizeof(path), "/proc/%d/mem", parent);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			n = pread(fd, local.iov_base, BLOCK, (unsigned long)remote.iov_base);
		}
		if (n != BLOCK)
			told(n < 0 ? errno : 0);
		else
			expect_block(local.iov_base, "read of another's memory", at, 0);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

static void work_memory(enum memory how)
{
	static unsigned int i;
	size_t len = ARENA_BLOCKS * BLOCK;
	char *map;

	if (how == HUGETLB) {
		map = mmap(NULL, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	} else {
		map = mmap(NULL, len + HUGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map != MAP_FAILED)
			map = (char *)(((unsigned long)map + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	}
	if (map == MAP_FAILED)
		_exit(97);
	me->arena = map;
	if (how == THP)
		madvise(map, len, MADV_HUGEPAGE);
	if (how == KSM)
		madvise(map, len, MADV_MERGEABLE);
	arena_fill(how, 0, ARENA_BLOCKS);
	me->arena_len = len;

	if (sigsetjmp(back, 1)) {
		SET(guarded, 0);
		arena_replace(how, 1);
	}
	while (go_on()) {
		i = dice(ARENA_BLOCKS);
		switch (dice(8)) {
		case 0 ... 4:
			arena_check(how, i, "load");
			break;
		case 5:
			if (how == SWAP)
				madvise(map + i / 64 * 64 * BLOCK, 64 * BLOCK, MADV_PAGEOUT);
			else if (how == THP && !dice(8))
				madvise(map, len, MADV_COLLAPSE);
			else if (how == FORK)
				fork_child(how);
			else if (how == REMOTE)
				remote_read();
			break;
		case 6:
			/* Written again in place, the same. */
			fill_block(map + i * BLOCK, stream_of(), arena_block(how, i), 0);
			break;
		case 7:
			if (how == THP && !dice(16)) {
				/* Split one: part of it goes and comes back. */
				arena_check(how, i, "load");
				madvise(map + i * BLOCK, BLOCK, MADV_DONTNEED);
				arena_fill(how, i, 1);
			}
			break;
		}
		if (!dice(3))
			sleep_ms(1);
	}
	for (i = 0; i < ARENA_BLOCKS; i++) {
		me->beat = time(NULL);
		arena_check(how, i, "last load");
	}
	me->arena_len = 0;
}

static void work_anon(void)	{ work_memory(PLAIN); }
static void work_thp(void)	{ work_memory(THP); }
static void work_ksm(void)	{ work_memory(KSM); }
static void work_swap(void)	{ work_memory(SWAP); }
static void work_fork(void)	{ work_memory(FORK); }
static void work_hugetlb(void)	{ work_memory(HUGETLB); }
static void work_remote(void)	{ work_memory(REMOTE); }

/* The kernel's housekeeping, more often than it would by itself. */
static void work_house(void)
{
	while (go_on()) {
		switch (dice(6)) {
		case 0:
			put("/proc/sys/vm/compact_memory", "1");
			break;
		case 1:
			put("/proc/sys/vm/drop_caches", "1");
			break;
		case 2:
			sync();
			break;
		}
		sleep_ms(100 + dice(400));
	}
}

static const struct job {
	const char *name;
	void (*work)(void);
} jobs[] = {
	{ "ext4",	work_ext4 },
	{ "xfs",	work_xfs },
	{ "tmpfs",	work_tmpfs },
	{ "copy",	work_copy },
	{ "pipe",	work_pipe },
	{ "unix",	work_unix },
	{ "dgram",	work_dgram },
	{ "tcp",	work_tcp },
	{ "anon",	work_anon },
	{ "thp",	work_thp },
	{ "ksm",	work_ksm },
	{ "swap",	work_swap },
	{ "fork",	work_fork },
	{ "hugetlb",	work_hugetlb },
	{ "remote",	work_remote },
	{ "house",	work_house },
};

/* --- the lines ------------------------------------------------------------- */

struct line {
	__u64 phys;
	char kind[20];
	char owner[16];
	bool missed;		/* the page went away while it was armed */
	bool offered;		/* given up to hard_offline_page while free */
	__u64 flags;		/* last seen */
	unsigned long hits;	/* machine checks */
	char site[48];		/* first consumer */
};

static struct line lines[MAX_LINES];
static unsigned int nr_lines;

static const struct {
	const char *name;
	unsigned int bit;
} flag_names[] = {
	{ "hwpoison", KPF_HWPOISON }, { "free", KPF_BUDDY }, { "slab", KPF_SLAB },
	{ "pgtable", KPF_PGTABLE }, { "hugetlb", KPF_HUGE }, { "thp", KPF_THP },
	{ "anon", KPF_ANON }, { "lru", KPF_LRU },
};

/* What a page is, in one word. */
static const char *kind_of(__u64 flags)
{
	unsigned int i;

	if (!(flags & BIT_ULL(KPF_HWPOISON)) && (flags & BIT_ULL(KPF_LRU)) &&
	    !(flags & (BIT_ULL(KPF_ANON) | BIT_ULL(KPF_THP)))) {
		if (flags & BIT_ULL(KPF_SWAPBACKED))
			return "tmpfs";
		return flags & BIT_ULL(KPF_DIRTY) ? "file, dirty" : "file, clean";
	}
	for (i = 0; i < ARRAY_SIZE(flag_names); i++)
		if (flags & BIT_ULL(flag_names[i].bit))
			return flag_names[i].name;
	return flags & BIT_ULL(KPF_NOPAGE) ? "none" : "kernel buffer";
}

static bool user_page(__u64 flags)
{
	return flags & (BIT_ULL(KPF_LRU) | BIT_ULL(KPF_ANON) | BIT_ULL(KPF_HUGE) |
			BIT_ULL(KPF_MMAP));
}

static bool known_page(__u64 phys)
{
	unsigned int i;

	for (i = 0; i < nr_lines; i++)
		if (lines[i].phys / MCE_PAGE == phys / MCE_PAGE)
			return true;
	return false;
}

/* --- who consumed ---------------------------------------------------------- */

#define REG_CONSUMED	0x08
#define REG_POISONED	0x10
#define REG_RECORDS	0x18
#define REG_CAPACITY	0x20
#define REG_LOG		0x800
#define RECORD		32

static __u64 reg(unsigned int offset)
{
	const __u64 *regs = mce_poisonpc();

	return regs ? __atomic_load_n(regs + offset / 8, __ATOMIC_SEQ_CST) : 0;
}

static struct symbol {
	__u64 addr;
	char name[40];
} *symbols;
static unsigned int nr_symbols;

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void read_symbols(void)
{
	unsigned int room = 0;
	char text[512], type, name[256];
	unsigned long long addr;
	FILE *f;

	f = fopen("/proc/kallsyms", "re");
	while (f && fgets(text, sizeof(text), f)) {
		if (sscanf(text, "%llx %c %255s", &addr, &type, name) != 3 ||
		    !strchr("tTwW", type))
			continue;
		if (nr_symbols == room) {
			room = room ? room * 2 : 1 << 16;
			symbols = realloc(symbols, room * sizeof(*symbols));
			if (!symbols)
				exit(1);
		}
		symbols[nr_symbols].addr = addr;
		snprintf(symbols[nr_symbols++].name, sizeof(symbols->name), "%.39s", name);
	}
	if (f)
		fclose(f);
	qsort(symbols, nr_symbols, sizeof(*symbols), by_addr);
}

static const char *symbol_of(__u64 addr)
{
	unsigned int low = 0, high = nr_symbols;

	while (high - low > 1) {
		unsigned int mid = low + (high - low) / 2;

		if (symbols[mid].addr <= addr)
			low = mid;
		else
			high = mid;
	}
	return nr_symbols && symbols[low].addr <= addr ? symbols[low].name : "?";
}

static __u64 records_seen, records_missed;

static void read_consumers(void)
{
	__u64 now, capacity, at, phys, rip, who;
	unsigned int i;

	if (!mce_poisonpc())
		return;
	now = reg(REG_RECORDS);
	capacity = reg(REG_CAPACITY);
	if (now - records_seen > capacity) {
		records_missed += now - records_seen - capacity;
		records_seen = now - capacity;
	}
	for (; records_seen < now; records_seen++) {
		at = REG_LOG + records_seen % capacity * RECORD;
		phys = reg(at);
		rip = reg(at + 16);
		who = reg(at + 24);
		for (i = 0; i < nr_lines; i++) {
			if (lines[i].phys / MCE_LINE != phys / MCE_LINE)
				continue;
			if (!lines[i].hits++)
				snprintf(lines[i].site, sizeof(lines[i].site), "%s",
					 (who >> 48 & 3) == 3 ? "user" :
					 who >> 56 == 2 ? "page walk" : symbol_of(rip));
			break;
		}
	}
}

/* --- choosing and arming --------------------------------------------------- */

/* What does not change as long as a page belongs to the same */
#define OWNER_FLAGS	(BIT_ULL(KPF_HUGE) | BIT_ULL(KPF_ANON) | BIT_ULL(KPF_BUDDY) | \
			 BIT_ULL(KPF_SLAB) | BIT_ULL(KPF_PGTABLE) | BIT_ULL(KPF_HWPOISON))

static void arm_line(__u64 phys, __u64 flags, const char *kind, const char *owner)
{
	struct line *l = &lines[nr_lines];

	l->phys = phys & ~(MCE_LINE - 1);
	l->flags = flags;
	snprintf(l->kind, sizeof(l->kind), "%s", kind);
	snprintf(l->owner, sizeof(l->owner), "%s", owner);
	printf("@inject %u\t%#llx\t%s\t%s\n", nr_lines + 1,
	       (unsigned long long)l->phys, l->kind, l->owner);
	fflush(stdout);
	nr_lines++;
	/* That took a while. It may be another's page now, or one of our own. */
	if (flags && (mce_page_flags(phys) ^ flags) & OWNER_FLAGS) {
		l->missed = true;
		return;
	}
	if (mce_arm_phys(phys)) {
		printf("# cannot inject into %#llx\n", (unsigned long long)phys);
		l->missed = true;
	}
}

/*
 * A page that several share in an area that KSM goes over. KPF_KSM does not
 * tell: Linux 6.12 sets it for every anonymous page.
 */
static bool is_ksm(__u64 phys)
{
	__u64 count = 0;
	int fd;

	fd = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (pread(fd, &count, sizeof(count), phys / MCE_PAGE * sizeof(count)) < 0)
		count = 0;
	close(fd);
	return count > 1;
}

/* The physical page behind an address of another process. */
static int phys_of(pid_t pid, unsigned long addr, __u64 *phys)
{
	char path[32];
	__u64 entry;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = pread(fd, &entry, sizeof(entry), addr / MCE_PAGE * sizeof(entry));
	close(fd);
	if (n != sizeof(entry) || !(entry >> 63) || !(entry & (BIT_ULL(55) - 1)))
		return -1;
	*phys = (entry & (BIT_ULL(55) - 1)) * MCE_PAGE + addr % MCE_PAGE;
	return 0;
}

/* An address in any mapping of a process, mappings being equally likely. */
static unsigned long any_address(pid_t pid)
{
	unsigned long start, end, found = 0, n = 0;
	char path[32], text[512], perm[8];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(text, sizeof(text), f)) {
		if (sscanf(text, "%lx-%lx %7s", &start, &end, perm) != 3 ||
		    strstr(text, "[v") || perm[0] != 'r')
			continue;
		if (start <= (unsigned long)board && (unsigned long)board < end)
			continue;
		if (!dice(++n))
			found = start + dice((end - start) / MCE_LINE) * MCE_LINE;
	}
	if (f)
		fclose(f);
	return found;
}

static bool inject_process(struct worker *w, bool anywhere)
{
	unsigned long addr;
	__u64 phys, mine, again, flags;

	if (anywhere)
		addr = any_address(w->pid);
	else if (w->arena_len)
		addr = (unsigned long)w->arena + dice(w->arena_len / MCE_LINE) * MCE_LINE;
	else
		return false;
	if (!addr || phys_of(w->pid, addr, &phys) || known_page(phys))
		return false;
	flags = mce_page_flags(phys);
	if (!user_page(flags) || flags & BIT_ULL(KPF_HWPOISON))
		return false;
	/* What this process has as well is not for it to lose. */
	if (flags & BIT_ULL(KPF_ANON) && !phys_of(getpid(), addr, &mine) &&
	    mine / MCE_PAGE == phys / MCE_PAGE)
		return false;
	arm_line(phys, flags, !anywhere && !strcmp(w->name, "ksm") && is_ksm(phys) ?
	       "ksm" : kind_of(flags), w->name);
	if (phys_of(w->pid, addr, &again) || again != phys)
		lines[nr_lines - 1].missed = user_page(mce_page_flags(phys)) ? false : true;
	return true;
}

static bool inject_file(struct worker *w)
{
	off_t off = dice(FILE_BLOCKS * BLOCK / MCE_LINE) * MCE_LINE;
	__u64 phys, flags;
	bool done = false;
	char path[64];
	void *map;
	int fd;

	memcpy(path, w->path, sizeof(path));
	if (!path[0])
		return false;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (!mce_file_phys_get(fd, off, &phys, &map)) {
		flags = mce_page_flags(phys);
		if (!known_page(phys) && !(flags & BIT_ULL(KPF_HWPOISON))) {
			/* Armed while it is mapped, so that it stays where it is. */
			arm_line(phys, flags, kind_of(flags), w->name);
			done = true;
		}
		munmap(map, MCE_PAGE);
	}
	close(fd);
	return done;
}

/* Pages of RAM, up to the first hole above 1 MB: below 3 GB on a PC. */
static unsigned long ram_pages(void)
{
	unsigned long long start, end, last = 0;
	char text[256];
	FILE *f;

	f = fopen("/proc/iomem", "re");
	while (f && fgets(text, sizeof(text), f))
		if (strstr(text, "System RAM") && sscanf(text, "%llx-%llx", &start, &end) == 2 &&
		    end < 3ULL << 30)
			last = end + 1;
	if (f)
		fclose(f);
	return last / MCE_PAGE;
}

/* An error ends a connection; what is behind it would go unread. */
static bool has_one(const struct worker *w)
{
	unsigned int i;

	for (i = 0; i < nr_lines; i++)
		if (!strcmp(lines[i].kind, "buffer") && !lines[i].hits && !lines[i].missed &&
		    !(lines[i].flags & BIT_ULL(KPF_HWPOISON)) &&
		    !strcmp(lines[i].owner, w->name))
			return true;
	return false;
}

/*
 * What is under way in pipes and sockets has no flag that shows it; it is found
 * by what it says about itself, at the head of its page.
 *
 * Whose data a page holds that is not yet read, or NULL. A page that was freed
 * looks the same, but for its block's number; the reader is held meanwhile.
 * The head of a queue is left alone: part of it may be read.
 */
static struct worker *under_way(int mem, unsigned long pfn)
{
	struct worker *w;
	__u64 head[2];
	unsigned int n;

	if (pread(mem, head, sizeof(head), pfn * MCE_PAGE) != sizeof(head) ||
	    (head[0] & TAG_MASK) != TAG)
		return NULL;
	n = (head[0] >> 32 & 0xffff) / 256;
	if (n >= MAX_WORKERS)
		return NULL;
	w = &board->worker[n];
	if (!GET(w->held) || (head[0] >> 32 & 0xff) != (w->started & 0xff) ||
	    head[1] <= GET(w->next_block) + 1)
		return NULL;
	return w;
}

static void hold_readers(bool hold)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		SET(board->worker[i].hold, hold);
	if (hold)
		sleep_ms(20);
}

static bool inject_buffer(void)
{
	static __u64 *flags;
	static int mem = -1;
	static unsigned long pages;
	unsigned long i, found = 0, n = 0;
	struct worker *w;
	__u64 head[2], at;
	ssize_t len;
	int fd;

	if (!pages) {
		pages = ram_pages();
		flags = malloc(pages * sizeof(*flags));
		mem = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	}
	if (mem < 0 || !flags)
		return false;
	/* Queues fill up, and stay as they are until the line is armed. */
	hold_readers(true);
	fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, flags, pages * sizeof(*flags));
	if (fd >= 0)
		close(fd);
	for (i = 256; len > 0 && i < len / sizeof(*flags); i++) {
		/* Neither anything in particular nor nothing. */
		if (flags[i] & ~(BIT_ULL(KPF_COMPOUND_HEAD) | BIT_ULL(KPF_COMPOUND_TAIL) |
				 BIT_ULL(KPF_REFERENCED) | BIT_ULL(KPF_UPTODATE)))
			continue;
		if (known_page(i * MCE_PAGE))
			continue;
		if (under_way(mem, i) && !dice(++n))
			found = i;
	}
	w = found ? under_way(mem, found) : NULL;
	at = found * MCE_PAGE + (1 + dice(63)) * MCE_LINE;
	/* The rest of the page may be somebody else's. */
	if (w && pread(mem, head, sizeof(head), at) == sizeof(head) &&
	    (head[0] & TAG_MASK) == TAG && head[1] > GET(w->next_block) && !has_one(w))
		arm_line(at, 0, "buffer", w->name);
	else
		w = NULL;
	hold_readers(false);
	return w;
}

/* What was armed, and then freed without anybody's look at it, goes at once. */
static void watch_lines(void)
{
	char text[32];
	unsigned int i;
	__u64 flags;

	for (i = 0; i < nr_lines; i++) {
		if (lines[i].flags & BIT_ULL(KPF_HWPOISON))
			continue;
		flags = mce_page_flags(lines[i].phys);
		if (strcmp(kind_of(flags), kind_of(lines[i].flags)) &&
		    strcmp(lines[i].kind, "buffer")) {
			printf("@becomes %u\t%s\n", i + 1, kind_of(flags));
			fflush(stdout);
		}
		lines[i].flags = flags;
		if (flags & BIT_ULL(KPF_BUDDY) && !lines[i].offered && !lines[i].hits) {
			lines[i].offered = true;
			snprintf(text, sizeof(text), "0x%llx", (unsigned long long)lines[i].phys);
			put("/sys/devices/system/memory/hard_offline_page", text);
		}
	}
}

/* --- the kernel log -------------------------------------------------------- */

static int kmsg = -1;
static unsigned int complaints;
static pid_t told_pids[1024];
static unsigned int nr_told;

static bool kernel_told(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < nr_told && i < ARRAY_SIZE(told_pids); i++)
		if (told_pids[i] == pid)
			return true;
	return false;
}

static void read_kmsg(void)
{
	static const char *const bad[] = {
		"BUG:", "WARNING:", "Oops", "general protection", "INFO: task ",
		"rcu: INFO", "soft lockup", "Bad page", "kernel BUG",
		"refcount_t:", "list_add corruption", "list_del corruption",
		"possible recursive", "Failed kernel mode recovery",
		"inconsistent lock", "suspicious RCU", "KASAN:", "circular locking",
	};
	char record[4096], *text, *p;
	unsigned int i;
	ssize_t n;

	while (kmsg >= 0) {
		n = read(kmsg, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return;
		record[n] = 0;
		text = strchr(record, ';');
		text = text ? text + 1 : record;
		text[strcspn(text, "\n")] = 0;
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			if (!strstr(text, bad[i]))
				continue;
			complaints++;
			printf("@complaint %s\n", text);
			break;
		}
		/* "Sending SIGBUS to soak:123 due to", "Killing soak:123 due to" */
		p = strstr(text, "soak:");
		if (p && strstr(text, "memory corruption"))
			told_pids[nr_told++ % ARRAY_SIZE(told_pids)] = atoi(p + 5);
	}
}

/* --- workers' lives -------------------------------------------------------- */

static const char *wanted = "";
static unsigned int deaths, odd_deaths, hangs, absent;

static bool is_wanted(const char *name)
{
	char all[256];

	if (!*wanted)
		return true;
	snprintf(all, sizeof(all), ",%s,", wanted);
	return strstr(all, name) && (strstr(all, name)[-1] == ',');
}

static void start_worker(unsigned int n)
{
	struct worker *w = &board->worker[n];
	pid_t pid;

	snprintf(w->name, sizeof(w->name), "%s", jobs[n].name);
	w->started++;
	w->beat = time(NULL);
	w->arena_len = 0;
	w->path[0] = 0;
	w->clean_exit = 0;
	w->held = false;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		me = w;
		dice_state = mix(board->seed + n * 1000 + w->started);
		catch_sigbus();
		jobs[n].work();
		_exit(0);
	}
	w->pid = pid;
}

static void look_after(bool restart)
{
	unsigned int n;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (n = 0; n < ARRAY_SIZE(jobs); n++)
			if (board->worker[n].pid == pid)
				break;
		if (n == ARRAY_SIZE(jobs))
			continue;
		board->worker[n].pid = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		if (WIFEXITED(status) && (WEXITSTATUS(status) == 97 || WEXITSTATUS(status) == 98)) {
			absent++;
			printf("# %s: nothing to work with\n", jobs[n].name);
			continue;
		}
		read_kmsg();
		deaths++;
		if (!board->worker[n].clean_exit && !kernel_told(pid)) {
			odd_deaths++;
			printf("@death %s\t%s %d, and nobody said why\n", jobs[n].name,
			       WIFSIGNALED(status) ? "signal" : "exit",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		} else {
			printf("# %s died of lost data (%s %d)\n", jobs[n].name,
			       WIFSIGNALED(status) ? "signal" : "exit",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		}
		if (restart)
			start_worker(n);
	}
	for (n = 0; n < ARRAY_SIZE(jobs); n++) {
		struct worker *w = &board->worker[n];

		if (!w->pid || time(NULL) - w->beat < HANG_SECONDS)
			continue;
		hangs++;
		printf("@hang %s\n", w->name);
		fflush(stdout);
		put("/proc/sysrq-trigger", "w");
		kill(w->pid, SIGKILL);
		w->beat = time(NULL);
	}
}

/* --- the end --------------------------------------------------------------- */

/*
 * A line that is poisoned already does not change how many are, if it is
 * poisoned once more. Nothing else tells from inside.
 */
static bool still_poisoned(__u64 phys)
{
	__u64 before;

	if (!mce_poisonpc())
		return true;
	before = reg(REG_POISONED);
	mce_arm_phys(phys);
	return reg(REG_POISONED) == before;
}

static int fates(void)
{
	unsigned int i, stranded = 0;
	const char *fate;
	__u64 flags;

	for (i = 0; i < nr_lines; i++) {
		struct line *l = &lines[i];

		flags = mce_page_flags(l->phys);
		if (flags & BIT_ULL(KPF_HWPOISON)) {
			fate = l->hits || !l->offered ? "offlined" : "offlined unread";
		} else if (!still_poisoned(l->phys)) {
			fate = "healed";
		} else if (l->hits) {
			fate = "stranded";
			stranded++;
		} else {
			fate = "latent";
		}
		printf("@fate %u\t%s\t%s\t%s\t%lu\t%s\t%s\n", i + 1, l->kind, l->owner,
		       fate, l->hits, l->hits ? l->site : "-", kind_of(flags));
	}
	return stranded;
}

static void swap_on(void)
{
	char cmd[128];

	/* A swap area on zram: what is swapped out stays in memory, packed. */
	put("/sys/block/zram0/disksize", "134217728");
	snprintf(cmd, sizeof(cmd), "mkswap /dev/zram0 >/dev/null 2>&1");
	if (system(cmd) || swapon("/dev/zram0", 0))
		printf("# no swap\n");
	put("/sys/kernel/mm/ksm/pages_to_scan", "2000");
	put("/sys/kernel/mm/ksm/sleep_millisecs", "50");
	put("/sys/kernel/mm/ksm/run", "1");
	put("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "200");
	put("/sys/kernel/mm/transparent_hugepage/khugepaged/alloc_sleep_millisecs", "200");
	put("/proc/sys/vm/overcommit_memory", "1");
}

/* One line of the kernel's own memory. */
static int kernel_line(const char *what)
{
	unsigned long long start = 0, end = 0;
	unsigned long pages = ram_pages(), i, n = 0, found = 0;
	unsigned int bit = !strcmp(what, "pgtable") ? KPF_PGTABLE : KPF_SLAB;
	const char *name = !strcmp(what, "text") ? "Kernel code" : "Kernel data";
	char text[256];
	__u64 *flags;
	ssize_t len;
	FILE *f;
	int fd;

	if (!strcmp(what, "slab") || !strcmp(what, "pgtable")) {
		flags = malloc(pages * sizeof(*flags));
		fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
		len = flags && fd >= 0 ? read(fd, flags, pages * sizeof(*flags)) : -1;
		for (i = 0; len > 0 && i < len / sizeof(*flags); i++)
			if (flags[i] & BIT_ULL(bit) && !dice(++n))
				found = i;
		if (!found)
			return -1;
		arm_line(found * MCE_PAGE + dice(64) * MCE_LINE, flags[found], what, "kernel");
		return 0;
	}
	f = fopen("/proc/iomem", "re");
	while (f && fgets(text, sizeof(text), f))
		if (strstr(text, name))
			sscanf(text, " %llx-%llx", &start, &end);
	if (f)
		fclose(f);
	if (!end)
		return -1;
	arm_line(start + dice((end - start) / MCE_LINE) * MCE_LINE, 0, what, "kernel");
	return 0;
}

static void tell_tally(unsigned int count, time_t began)
{
	unsigned long errors = 0, signals = 0, wrongs = 0, blocks = 0;
	unsigned int i, hit = 0, off = 0;

	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		errors += board->worker[i].told + board->worker[i].odd_told;
		signals += board->worker[i].signals;
		wrongs += board->worker[i].wrong;
		blocks += board->worker[i].blocks;
	}
	for (i = 0; i < nr_lines; i++) {
		hit += !!lines[i].hits;
		off += !!(lines[i].flags & BIT_ULL(KPF_HWPOISON));
	}
	printf("@tally %ld\t%u\t%u\t%u\t%u\t%lu\t%lu\t%u\t%lu\t%lu\n",
	       (long)(time(NULL) - began), nr_lines, count, hit, off, errors, signals,
	       deaths, blocks, wrongs);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int count = 100, seconds = 600, interval = 200, i, tries, running;
	const char *why, *kernel = NULL;
	unsigned long long seed = 1;
	time_t began, last = 0;
	int opt, stranded, bad = 0;
	bool met;

	while ((opt = getopt(argc, argv, "s:n:t:i:w:k:")) != -1) {
		switch (opt) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			count = strtoul(optarg, NULL, 0);
			break;
		case 't':
			seconds = strtoul(optarg, NULL, 0);
			break;
		case 'i':
			interval = strtoul(optarg, NULL, 0);
			break;
		case 'w':
			wanted = optarg;
			break;
		case 'k':
			kernel = optarg;
			break;
		default:
			return 2;
		}
	}
	if (count > MAX_LINES)
		count = MAX_LINES;
	why = mce_missing();
	if (why) {
		printf("1..0 # SKIP %s\n", why);
		return KSFT_SKIP;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("@pid %d\n", getpid());
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (board == MAP_FAILED)
		return 1;
	board->seed = seed;
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	swap_on();
	read_symbols();
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		if (is_wanted(jobs[i].name))
			start_worker(i);
	sleep_ms(3000);
	dice_state = mix(seed);
	records_seen = reg(REG_RECORDS);
	began = time(NULL);

	if (kernel) {
		do {
			if (nr_lines < MAX_LINES && kernel_line(kernel))
				return 1;
			sleep_ms(1000);
			read_consumers();
			read_kmsg();
			look_after(true);
			for (met = false, i = 0; i < nr_lines; i++)
				met |= lines[i].hits;
		} while (!met && time(NULL) - began < seconds);
		fates();
		return 0;
	}

	while (nr_lines < count && time(NULL) - began < seconds) {
		struct worker *w;
		bool done = false;

		for (tries = 0; tries < 20 && !done; tries++) {
			w = &board->worker[dice(ARRAY_SIZE(jobs))];
			switch (dice(8)) {
			case 0 ... 3:
				done = w->pid && inject_process(w, false);
				break;
			case 4:
				done = w->pid && inject_process(w, true);
				break;
			case 5 ... 6:
				done = inject_file(w);
				break;
			case 7:
				done = inject_buffer();
				break;
			}
		}
		for (i = 0; i < 10; i++) {
			sleep_ms(interval / 10);
			read_consumers();
			watch_lines();
		}
		read_kmsg();
		look_after(true);
		if (time(NULL) - last >= 2) {
			last = time(NULL);
			tell_tally(count, began);
		}
	}

	/* Let what was armed last be met, then look at everything once more. */
	for (i = 0; i < 40; i++) {
		sleep_ms(50);
		read_consumers();
		watch_lines();
	}
	sync();
	mce_drop_caches();
	SET(board->phase, LAST_LOOK);
	do {
		sleep_ms(50);
		read_consumers();
		watch_lines();
		read_kmsg();
		look_after(false);
		for (running = 0, i = 0; i < ARRAY_SIZE(jobs); i++)
			running += !!board->worker[i].pid;
	} while (running);
	sleep_ms(1500);
	read_consumers();
	read_kmsg();
	tell_tally(count, began);
	SET(board->phase, OVER);
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct worker *w = &board->worker[i];

		if (!w->name[0])
			continue;
		printf("@worker %s\t%lu\t%lu\t%lu\t%lu\t%lu\t%lu\t%s\n", w->name, w->ops,
		       w->blocks, w->told, w->signals, w->odd_signals, w->wrong,
		       w->wrong ? w->last_wrong : "");
		if (w->odd_told)
			printf("# %s: %lu other errors, such as %s\n", w->name, w->odd_told,
			       strerror(w->last_odd));
		bad += w->wrong || w->odd_signals;
	}
	stranded = fates();
	if (records_missed)
		printf("# %llu machine checks not looked up in time\n",
		       (unsigned long long)records_missed);
	printf("@end %u\t%d\t%u\t%u\t%u\t%d\n", nr_lines, bad, odd_deaths, hangs,
	       complaints, stranded);
	return bad || odd_deaths || hangs || complaints || stranded;
}
