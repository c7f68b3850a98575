// SPDX-License-Identifier: GPL-2.0
/*
 * execve(2) of strings that are in poisoned memory.
 *
 * The strings are copied before the old program is gone, so there is somebody
 * to return -EFAULT to. In a clean page of a file, where a program's constants
 * are, they are read again, and the new program starts.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"

#define SEED	0x2007
#define NPAGES	6
#define START	(MCE_PAGE + 2 * MCE_LINE)
#define LONG	(2 * MCE_PAGE)

FIXTURE(exec)
{
	__u8 *anon;
	__u8 *map;
	char dir[256];
	char path[300];
	int fd;
};

FIXTURE_VARIANT(exec)
{
	const char *what;
	size_t at;
	/* Put something at @arg, and have execve() use it. */
	void (*prep)(void *arg);
	void (*run)(void *arg);
};

static const char self_exe[] = "/proc/self/exe";
static char *const no_env[] = { NULL };
/* The harness lists its tests and leaves. */
static char *const list_tests[] = { "mce_exec", "-l", NULL };

static void prep_path(void *arg)
{
	memcpy(arg, self_exe, sizeof(self_exe));
}

static void run_path(void *arg)
{
	syscall(SYS_execve, arg, list_tests, no_env);
}

static void prep_argv(void *arg)
{
	memcpy(arg, list_tests, sizeof(list_tests));
}

static void run_argv(void *arg)
{
	syscall(SYS_execve, self_exe, arg, no_env);
}

static void prep_string(void *arg)
{
	memcpy(arg, "-l", 3);
}

static void run_string(void *arg)
{
	char *argv[] = { "mce_exec", arg, NULL };

	syscall(SYS_execve, self_exe, argv, no_env);
}

static void prep_env(void *arg)
{
	memcpy(arg, "NAME=value", 11);
}

static void run_env(void *arg)
{
	char *envp[] = { arg, NULL };

	syscall(SYS_execve, self_exe, list_tests, envp);
}

static void prep_long_env(void *arg)
{
	memset(arg, 'E', LONG);
	memcpy(arg, "NAME=", 5);
	((char *)arg)[LONG] = '\0';
}

FIXTURE_VARIANT_ADD(exec, path)
{
	.what = "path", .prep = prep_path, .run = run_path,
};

FIXTURE_VARIANT_ADD(exec, argv)
{
	.what = "argv", .prep = prep_argv, .run = run_argv,
};

FIXTURE_VARIANT_ADD(exec, string)
{
	.what = "argv string", .prep = prep_string, .run = run_string,
};

FIXTURE_VARIANT_ADD(exec, env)
{
	.what = "envp string", .prep = prep_env, .run = run_env,
};

FIXTURE_VARIANT_ADD(exec, long_env_middle)
{
	.what = "long string, middle", .at = LONG / 2,
	.prep = prep_long_env, .run = run_env,
};

FIXTURE_VARIANT_ADD(exec, long_env_end)
{
	.what = "long string, end", .at = LONG,
	.prep = prep_long_env, .run = run_env,
};

FIXTURE_SETUP(exec)
{
	self->map = MAP_FAILED;
	self->fd = -1;
	ASSERT_EQ(0, mce_pin(0));
	self->anon = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, self->anon);
	variant->prep(self->anon + START);
}

FIXTURE_TEARDOWN(exec)
{
	mce_retire();
	if (self->map != MAP_FAILED)
		munmap(self->map, NPAGES * MCE_PAGE);
	munmap(self->anon, NPAGES * MCE_PAGE);
	if (self->fd >= 0) {
		close(self->fd);
		unlink(self->path);
	}
}

/* 0 if the new program ran, or -errno. */
static long exec_in_child(void (*run)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	/* With this memory, not with a copy of it. */
	pid = vfork();
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		run(arg);
		_exit(errno);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -ECHILD;
	if (WIFSIGNALED(status))
		return -1000 - WTERMSIG(status);
	/* Which is what the harness returns for a list. */
	return WEXITSTATUS(status) == KSFT_SKIP ? 0 : -WEXITSTATUS(status);
}

TEST_F(exec, lost)
{
	__u8 *bad = self->anon + START + variant->at;
	struct mce_watch w;
	__u64 phys;
	long ret;

	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	ret = exec_in_child(variant->run, self->anon + START);
	mce_check_lost(_metadata, &w, bad, phys, variant->what, ret, -ret);
	EXPECT_EQ(-EFAULT, ret);
}

TEST_F(exec, clean_file)
{
	struct mce_watch w;
	__u64 phys;
	__u8 *bad;
	long ret;

	if (!mce_dir_on(MCE_FS_EXT4, self->dir, sizeof(self->dir)))
		SKIP(return, "no directory on ext4");
	snprintf(self->path, sizeof(self->path), "%s/mce-exec-%d", self->dir,
		 getpid());
	self->fd = open(self->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ((ssize_t)(NPAGES * MCE_PAGE),
		  write(self->fd, self->anon, NPAGES * MCE_PAGE));
	ASSERT_EQ(0, fsync(self->fd));
	self->map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ, MAP_PRIVATE,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, madvise(self->map, NPAGES * MCE_PAGE, 22 /* POPULATE_READ */));
	bad = self->map + START + variant->at;
	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	ret = exec_in_child(variant->run, self->map + START);
	mce_check_healed(_metadata, &w, bad, phys, variant->what, ret, -ret);
	EXPECT_EQ(0, ret);
}

/*
 * The page in which a program's data end and its zeros begin is changed by
 * execve() itself, when the old program is gone.
 */
struct program {
	char path[300];
	off_t off;	/* of a byte in that page */
};

static bool copy_program(struct program *p, bool clean)
{
	Elf64_Phdr phdr[16];
	Elf64_Ehdr ehdr;
	int from, to, i;
	struct stat st;
	off_t pos = 0;
	char dir[256];

	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
		return false;
	snprintf(p->path, sizeof(p->path), "%s/mce-program-%d", dir, getpid());
	from = open("/proc/self/exe", O_RDONLY);
	to = open(p->path, O_RDWR | O_CREAT | O_TRUNC, 0700);
	if (from < 0 || to < 0 || fstat(from, &st))
		return false;
	if (pread(from, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) ||
	    pread(from, phdr, sizeof(phdr), ehdr.e_phoff) < (ssize_t)sizeof(phdr[0]))
		return false;
	p->off = 0;
	for (i = 0; i < ehdr.e_phnum && i < 16; i++)
		if (phdr[i].p_type == PT_LOAD && phdr[i].p_memsz > phdr[i].p_filesz)
			p->off = phdr[i].p_offset + phdr[i].p_filesz - 1;
	while (pos < st.st_size)
		if (sendfile(to, from, &pos, st.st_size - pos) <= 0)
			return false;
	if (clean && fsync(to))
		return false;
	close(from);
	close(to);
	return p->off;
}

static char *program_path;

static void run_program(void *arg)
{
	(void)arg;
	syscall(SYS_execve, program_path, list_tests, no_env);
}

static void exec_bad_data(struct __test_metadata *const _metadata, bool clean,
			  const char *what)
{
	struct program p = { 0 };
	struct mce_watch w;
	__u64 phys;
	long ret;
	int fd;

	ASSERT_EQ(0, mce_pin(0));
	if (!copy_program(&p, clean))
		SKIP(return, "no program to copy, or no directory on ext4");
	program_path = p.path;
	fd = open(p.path, O_RDONLY);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mce_arm_file(fd, p.off, &phys));
	mce_watch_start(&w);
	ret = exec_in_child(run_program, NULL);
	mce_watch_end(&w, 1);
	mce_outcome("%s: %s, %ld #MC", what,
		    ret == -1000 - SIGBUS ? "SIGBUS" :
		    ret == -1000 - SIGSEGV ? "SIGSEGV" :
		    ret ? "does not start" : "starts", w.mcs);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(clean ? 0 : -1000 - SIGBUS, ret);
	mce_retire();
	close(fd);
	unlink(p.path);
}

TEST(data_of_clean_program)
{
	exec_bad_data(_metadata, true, "program with clean data");
}

TEST(data_of_dirty_program)
{
	exec_bad_data(_metadata, false, "program with dirty data");
}

#include "mce_main.h"
