/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As little of a 9P2000.L server as it takes: one file, in the memory of a
 * child, at the other end of a socket. The smallest network file system.
 */
#ifndef MCE_9P_H
#define MCE_9P_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mce_lib.h"

#define P9_MAX	131072
#define P9_FIDS	256

enum {
	P9_LERROR = 6,
	P9_LOPEN = 12,
	P9_GETATTR = 24,
	P9_SETATTR = 26,
	P9_FSYNC = 50,
	P9_VERSION = 100,
	P9_ATTACH = 104,
	P9_WALK = 110,
	P9_READ = 116,
	P9_WRITE = 118,
	P9_CLUNK = 120,
};

struct p9_header {
	__u32 size;
	__u8 type;		/* of a request; the answer's is one more */
	__u16 tag;
} __attribute__((packed));

struct p9_qid {
	__u8 type;
	__u32 version;
	__u64 path;
} __attribute__((packed));

struct p9_attr {
	__u64 valid;
	struct p9_qid qid;
	__u32 mode, uid, gid;
	__u64 nlink, rdev, size, blksize, blocks;
	__u64 times[8], gen, data_version;
} __attribute__((packed));

struct p9_io {
	__u32 fid;
	__u64 offset;
	__u32 count;
	__u8 data[];
} __attribute__((packed));

struct p9_walk {
	__u32 fid, newfid;
	__u16 names;
} __attribute__((packed));

struct p9_setattr {
	__u32 fid, valid, mode, uid, gid;
	__u64 size;
} __attribute__((packed));

#define P9_SETATTR_SIZE	8

/* What the parent sees as well. */
struct p9_file {
	size_t size;
	__u8 data[P9_MAX];
};

struct p9_mount {
	char dir[32];
	char path[40];		/* the file */
	struct p9_file *file;
	int sock;
	pid_t pid;
};

static struct p9_qid p9_qid(bool file)
{
	/* Version 0 is for files that must not be cached. */
	return (struct p9_qid) {
		.type = file ? 0 : 0x80, .version = 1, .path = 1 + file,
	};
}

/* Returns the length of the answer, or an errno. */
static ssize_t p9_answer(struct p9_file *f, bool *is_file, __u8 type,
			 const void *arg, size_t len, void *out)
{
	__u32 fid = *(const __u32 *)arg % P9_FIDS;
	const struct p9_setattr *set = arg;
	const struct p9_walk *walk = arg;
	const struct p9_io *io = arg;
	struct p9_qid qid = p9_qid(is_file[fid]);
	struct p9_attr *attr = out;
	__u32 count;

	switch (type) {
	case P9_VERSION:
		memcpy(out, arg, len);
		return len;
	case P9_ATTACH:
		is_file[fid] = false;
		qid = p9_qid(false);
		memcpy(out, &qid, sizeof(qid));
		return sizeof(qid);
	case P9_WALK:
		is_file[walk->newfid % P9_FIDS] = is_file[fid] || walk->names;
		memcpy(out, &walk->names, sizeof(walk->names));
		if (!walk->names)
			return sizeof(walk->names);
		qid = p9_qid(true);
		memcpy(out + sizeof(walk->names), &qid, sizeof(qid));
		return sizeof(walk->names) + sizeof(qid);
	case P9_LOPEN:
		memcpy(out, &qid, sizeof(qid));
		memset(out + sizeof(qid), 0, 4);
		return sizeof(qid) + 4;
	case P9_GETATTR:
		*attr = (struct p9_attr) {
			.valid = 0x7ff, .qid = qid, .nlink = 1, .blksize = 4096,
			.mode = is_file[fid] ? S_IFREG | 0600 : S_IFDIR | 0700,
			.size = is_file[fid] ? f->size : 0,
		};
		return sizeof(*attr);
	case P9_SETATTR:
		if (set->valid & P9_SETATTR_SIZE) {
			if (set->size < f->size)
				memset(f->data + set->size, 0, f->size - set->size);
			f->size = set->size;
		}
		return 0;
	case P9_READ:
		count = io->offset >= f->size ? 0 : io->count;
		if (count > f->size - io->offset)
			count = f->size - io->offset;
		memcpy(out, &count, sizeof(count));
		memcpy(out + sizeof(count), f->data + io->offset, count);
		return sizeof(count) + count;
	case P9_WRITE:
		if (io->offset + io->count > P9_MAX)
			return -ENOSPC;
		memcpy(f->data + io->offset, io->data, io->count);
		if (f->size < io->offset + io->count)
			f->size = io->offset + io->count;
		memcpy(out, &io->count, sizeof(io->count));
		return sizeof(io->count);
	case P9_FSYNC:
	case P9_CLUNK:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static void p9_serve(int sock, struct p9_file *f)
{
	static __u8 in[P9_MAX + 4096], out[P9_MAX + 4096];
	struct p9_header *req = (void *)in, *rep = (void *)out;
	static bool is_file[P9_FIDS];
	ssize_t len;
	__u32 err;

	while (recv(sock, req, sizeof(*req), MSG_WAITALL) == sizeof(*req) &&
	       req->size <= sizeof(in)) {
		len = req->size - sizeof(*req);
		if (len && recv(sock, req + 1, len, MSG_WAITALL) != len)
			break;
		len = p9_answer(f, is_file, req->type, req + 1, len, rep + 1);
		rep->type = req->type + 1;
		rep->tag = req->tag;
		if (len < 0) {
			err = -len;
			rep->type = P9_LERROR + 1;
			memcpy(rep + 1, &err, sizeof(err));
			len = sizeof(err);
		}
		rep->size = sizeof(*rep) + len;
		if (send(sock, out, rep->size, MSG_NOSIGNAL) != rep->size)
			break;
	}
	_exit(0);
}

static void p9_stop(struct p9_mount *m)
{
	umount2(m->dir, MNT_DETACH);
	if (m->sock >= 0)
		close(m->sock);
	if (m->pid > 0) {
		kill(m->pid, SIGKILL);
		waitpid(m->pid, NULL, 0);
	}
	if (m->file)
		munmap(m->file, sizeof(*m->file));
	rmdir(m->dir);
}

/* 0, or -1 if there is no 9P. */
static int p9_start(struct p9_mount *m)
{
	char opts[128];
	int socks[2];

	memset(m, 0, sizeof(*m));
	m->sock = -1;
	snprintf(m->dir, sizeof(m->dir), "/tmp/mce-9p-XXXXXX");
	if (!mkdtemp(m->dir))
		return -1;
	snprintf(m->path, sizeof(m->path), "%s/f", m->dir);
	m->file = mmap(NULL, sizeof(*m->file), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (m->file == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM, 0, socks))
		return -1;
	m->sock = socks[0];
	m->pid = fork();
	if (!m->pid) {
		close(socks[0]);
		p9_serve(socks[1], m->file);
	}
	close(socks[1]);
	snprintf(opts, sizeof(opts),
		 "trans=fd,rfdno=%d,wfdno=%d,version=9p2000.L,cache=loose,msize=%u",
		 m->sock, m->sock, P9_MAX);
	if (m->pid < 0 || mount("mce", m->dir, "9p", 0, opts)) {
		p9_stop(m);
		return -1;
	}
	return 0;
}

#endif /* MCE_9P_H */
