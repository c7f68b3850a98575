// SPDX-License-Identifier: GPL-2.0
/*
 * Consume poison in each way that is asked for, and say where it was:
 * "WAY PHYSICAL-ADDRESS RESULT" a line. Then say what /dev/mcelog has:
 * "mcelog ADDRESS" a record.
 *
 *	user	a load in user mode
 *	copyin	write(2) from a poisoned buffer
 *	read	read(2) of a clean page of a file
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mce_lib.h"

#define MCE_GET_RECORD_LEN	_IOR('M', 1, int)
#define MCE_GET_LOG_LEN		_IOR('M', 2, int)

static __u8 *page(void)
{
	__u8 *p = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	memset(p, 1, MCE_PAGE);
	return p;
}

static void user(void)
{
	struct mce_sigbus sb;
	__u8 *p = page();
	__u64 phys;

	if (mce_arm(p + 256, &phys))
		exit(1);
	mce_load(p + 256, NULL, &sb);
	printf("user 0x%llx %s\n", (unsigned long long)phys,
	       sb.count ? "SIGBUS" : "loaded");
}

static void copyin(void)
{
	__u8 *p = page();
	int fds[2];
	__u64 phys;
	long ret;

	if (pipe(fds) || mce_arm(p, &phys))
		exit(1);
	ret = write(fds[1], p, 32);
	printf("copyin 0x%llx %s\n", (unsigned long long)phys,
	       ret < 0 ? mce_errname(errno) : "written");
}

static void read_file(void)
{
	char buf[MCE_PAGE];
	__u64 phys;
	int fd;

	fd = mce_file_create("/ext4/ras", 4, 4, 1);
	if (fd < 0 || mce_arm_file(fd, MCE_PAGE, &phys))
		exit(1);
	printf("read 0x%llx %s\n", (unsigned long long)phys,
	       pread(fd, buf, MCE_PAGE, MCE_PAGE) == MCE_PAGE ? "read" : "failed");
}

/* A record begins with the bank's registers: status, misc, addr. */
static void mcelog(void)
{
	int fd = open("/dev/mcelog", O_RDONLY), one, all;
	__u64 reg[3];
	ssize_t n, i;
	char *buf;

	if (fd < 0 || ioctl(fd, MCE_GET_RECORD_LEN, &one) ||
	    ioctl(fd, MCE_GET_LOG_LEN, &all)) {
		printf("mcelog none %s\n", mce_errname(errno));
		return;
	}
	buf = malloc((size_t)one * all);
	n = buf ? read(fd, buf, (size_t)one * all) : -1;
	for (i = 0; i + one <= n; i += one) {
		memcpy(reg, buf + i, sizeof(reg));
		printf("mcelog 0x%llx record\n", (unsigned long long)reg[2]);
	}
	if (n <= 0)
		printf("mcelog none empty\n");
}

int main(int argc, char **argv)
{
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "user"))
			user();
		else if (!strcmp(argv[i], "copyin"))
			copyin();
		else if (!strcmp(argv[i], "read"))
			read_file();
	}
	sleep(1);
	mcelog();
	return 0;
}
