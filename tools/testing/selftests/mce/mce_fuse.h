/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As little of a FUSE server as it takes: one file, in the memory of a child.
 */
#ifndef MCE_FUSE_H
#define MCE_FUSE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mce_lib.h"

#define FUSE_MAX	131072

struct fuse_mount {
	/* What is wanted of it */
	unsigned int flags;		/* FUSE_... of FUSE_INIT */
	unsigned int open_flags;	/* FOPEN_... */
	size_t bad_reply;		/* poison this byte of a reply to FUSE_READ */
	int *hold_write;		/* no answer to FUSE_WRITE while this is set */
	const char *disk;		/* that it is on, or NULL: it is no "fuseblk" */

	/* What has come of it */
	char dir[32];
	char path[40];			/* the file */
	int dev;
	pid_t pid;
};

static size_t fuse_answer(const struct fuse_mount *m, const struct fuse_in_header *in,
			  const void *arg, void *out, char *data, size_t *size)
{
	const struct fuse_setattr_in *set = arg;
	const struct fuse_write_in *wr = arg;
	const struct fuse_read_in *rd = arg;
	struct fuse_attr attr = {
		.ino = in->nodeid, .mode = S_IFDIR | 0700, .nlink = 1,
	};

	switch (in->opcode) {
	case FUSE_INIT:
		*(struct fuse_init_out *)out = (struct fuse_init_out) {
			.major = FUSE_KERNEL_VERSION,
			.minor = FUSE_KERNEL_MINOR_VERSION,
			.flags = FUSE_BIG_WRITES | m->flags, .max_write = FUSE_MAX / 2,
		};
		return sizeof(struct fuse_init_out);
	case FUSE_OPEN:
		*(struct fuse_open_out *)out = (struct fuse_open_out) {
			.open_flags = m->open_flags,
		};
		return sizeof(struct fuse_open_out);
	case FUSE_WRITE:
		memcpy(data + wr->offset, wr + 1, wr->size);
		if (*size < wr->offset + wr->size)
			*size = wr->offset + wr->size;
		*(struct fuse_write_out *)out = (struct fuse_write_out) {
			.size = wr->size,
		};
		return sizeof(struct fuse_write_out);
	case FUSE_READ:
		if (rd->offset >= *size)
			return 0;
		memcpy(out, data + rd->offset, rd->size);
		return *size - rd->offset < rd->size ? *size - rd->offset : rd->size;
	case FUSE_SETATTR:
		if (set->valid & FATTR_SIZE) {
			if (set->size < *size)
				memset(data + set->size, 0, *size - set->size);
			*size = set->size;
		}
		break;
	case FUSE_LOOKUP:
		attr.ino = 2;
		break;
	case FUSE_GETATTR:
		break;
	default:
		return 0;
	}

	/* All the rest asks for attributes. */
	if (attr.ino == 2) {
		attr.mode = S_IFREG | 0600;
		attr.size = *size;
	}
	if (in->opcode == FUSE_LOOKUP) {
		*(struct fuse_entry_out *)out = (struct fuse_entry_out) {
			.nodeid = 2, .attr = attr,
		};
		return sizeof(struct fuse_entry_out);
	}
	*(struct fuse_attr_out *)out = (struct fuse_attr_out) { .attr = attr };
	return sizeof(struct fuse_attr_out);
}

static void fuse_serve(const struct fuse_mount *m)
{
	static char in[FUSE_MAX + 4096], out[FUSE_MAX], data[FUSE_MAX];
	struct fuse_in_header *req = (void *)in;
	struct fuse_out_header *rep = (void *)out;
	size_t size = 0;
	ssize_t n;

	while ((n = read(m->dev, in, sizeof(in))) > 0 || errno != ENODEV) {
		/* A request that could not be handed over has failed already. */
		if (n < 0 || req->opcode == FUSE_FORGET || req->opcode == FUSE_BATCH_FORGET)
			continue;
		rep->unique = req->unique;
		rep->error = req->opcode == FUSE_GETXATTR ? -EOPNOTSUPP : 0;
		rep->len = sizeof(*rep);
		if (!rep->error)
			rep->len += fuse_answer(m, req, req + 1, rep + 1, data, &size);
		while (m->hold_write && __atomic_load_n(m->hold_write, __ATOMIC_SEQ_CST) &&
		       req->opcode == FUSE_WRITE)
			usleep(1000);
		if (m->bad_reply && req->opcode == FUSE_READ)
			mce_arm(out + m->bad_reply, NULL);
		write(m->dev, out, rep->len);
	}
	_exit(0);
}

static void fuse_stop(struct fuse_mount *m)
{
	umount2(m->dir, MNT_DETACH);
	if (m->pid > 0) {
		kill(m->pid, SIGKILL);
		waitpid(m->pid, NULL, 0);
	}
	if (m->dev >= 0)
		close(m->dev);
	rmdir(m->dir);
}

/* 0, or -1 if there is no FUSE. */
static int fuse_start(struct fuse_mount *m)
{
	char opts[128];

	snprintf(m->dir, sizeof(m->dir), "/tmp/mce-fuse-XXXXXX");
	if (!mkdtemp(m->dir))
		return -1;
	snprintf(m->path, sizeof(m->path), "%s/f", m->dir);
	m->dev = open("/dev/fuse", O_RDWR);
	snprintf(opts, sizeof(opts), "fd=%d,rootmode=40000,user_id=0,group_id=0",
		 m->dev);
	if (m->dev < 0 || mount(m->disk ? m->disk : "mce", m->dir,
				m->disk ? "fuseblk" : "fuse", 0, opts)) {
		m->pid = 0;
		fuse_stop(m);
		return -1;
	}
	m->pid = fork();
	if (!m->pid)
		fuse_serve(m);
	return m->pid < 0 ? -1 : 0;
}

#endif /* MCE_FUSE_H */
