// SPDX-License-Identifier: GPL-2.0
/*
 * Pipe buffers with a memory error.
 *
 * A pipe is a queue: a buffer that cannot be read must neither stay at its head
 * for ever, nor go without a word. It loses its page and stays where it is, and
 * pipe_buf_confirm() says -EIO for it, without anybody touching the memory. The
 * reader that gets to it sees the error, once, after what was in front of it;
 * then it is dropped, and what is behind it can be read.
 *
 * A buffer that is a clean page of a file gets another page instead.
 */
#include <linux/err.h>
#include <linux/filemap_lost.h>
#include <linux/hwpoison.h>
#include <linux/hwpoison_kernel.h>
#include <linux/mm.h>
#include <linux/pipe_fs_i.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "pipe-hwpoison.h"

static int lost_buf_confirm(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	return -EIO;
}

static void lost_buf_release(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
}

static bool lost_buf_get(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	return false;
}

static const struct pipe_buf_operations lost_pipe_buf_ops = {
	.confirm	= lost_buf_confirm,
	.release	= lost_buf_release,
	.get		= lost_buf_get,
};

static void lose_buf(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	struct page *page = buf->page;

	/* With two references it does not become the pipe's spare page. */
	get_page(page);
	pipe_buf_release(pipe, buf);
	put_page(page);

	buf->page = NULL;
	buf->ops = &lost_pipe_buf_ops;
	/* Nothing may be added to it. */
	buf->flags &= ~(PIPE_BUF_FLAG_CAN_MERGE | PIPE_BUF_FLAG_GIFT);
}

/* Has somebody met an error in what this buffer has? */
static bool buf_is_bad(struct pipe_buffer *buf)
{
	return hwpoison_known_bad_range(buf->page, buf->offset, buf->len);
}

/*
 * Take the page out of service. That may take long, and need what somebody has
 * who waits for the pipe: let go of it.
 */
static struct page *settle_unlocked(struct pipe_inode_info *pipe, struct page *bad,
				    bool cached)
{
	struct page *page = ERR_PTR(-EIO);

	pipe_unlock(pipe);
	if (cached)
		page = filemap_heal_page(bad);
	else
		hwpoison_settle_pending();
	pipe_lock(pipe);

	return page;
}

static struct pipe_buffer *find_page(struct pipe_inode_info *pipe, struct page *page)
{
	unsigned int mask = pipe->ring_size - 1;
	unsigned int tail;

	for (tail = pipe->tail; !pipe_empty(pipe->head, tail); tail++) {
		struct pipe_buffer *buf = &pipe->bufs[tail & mask];

		if (buf->len && buf->page == page)
			return buf;
	}

	return NULL;
}

/**
 * pipe_buf_mend() - a copy from a pipe buffer came up short
 * @pipe:	the pipe, locked
 * @buf:	the buffer
 * @to:		where it was copied to, or NULL
 * @good:	bytes that were copied and that @to has advanced by
 *
 * If a memory error was the reason, what the buffer had in front of it is
 * consumed, except from a packet, which is read as a whole or not at all. The
 * rest either has a good page now, or is lost, or another reader has it.
 *
 * Context: process context, may sleep. May unlock the pipe and lock it again, so
 * that the caller has to look at it anew.
 * Return: bytes consumed; -EFAULT if no memory error was the reason, or nobody
 * can do anything about it.
 */
int pipe_buf_mend(struct pipe_inode_info *pipe, struct pipe_buffer *buf,
		  struct iov_iter *to, size_t good)
{
	struct page *page, *bad = buf->page;
	int ret;

	if (!buf_is_bad(buf))
		return -EFAULT;

	if (good && buf->flags & PIPE_BUF_FLAG_PACKET && to) {
		iov_iter_revert(to, good);
		good = 0;
	}
	buf->offset += good;
	buf->len -= good;

	ret = good;

	get_page(bad);
	page = settle_unlocked(pipe, bad, buf->ops == &page_cache_pipe_buf_ops);
	buf = find_page(pipe, bad);
	if (buf && IS_ERR(page)) {
		if (hwpoison_keep_range(bad, buf->offset, buf->len))
			lose_buf(pipe, buf);
		else if (!good)
			ret = -EFAULT;
	} else if (buf) {
		put_page(bad);
		buf->page = page;
	} else if (!IS_ERR(page)) {
		put_page(page);
	}
	put_page(bad);

	return ret;
}

/**
 * pipe_mend() - pipe_buf_mend() for the first buffer that is bad
 * @pipe:	the pipe, locked
 *
 * For those who copy from several buffers at once and consume what they got.
 *
 * Context: process context, may sleep. As for pipe_buf_mend().
 * Return: true if a memory error was found.
 */
bool pipe_mend(struct pipe_inode_info *pipe)
{
	unsigned int mask = pipe->ring_size - 1;
	unsigned int tail;

	for (tail = pipe->tail; !pipe_empty(pipe->head, tail); tail++) {
		struct pipe_buffer *buf = &pipe->bufs[tail & mask];

		if (buf->len && buf->page && buf_is_bad(buf))
			return pipe_buf_mend(pipe, buf, NULL, 0) >= 0;
	}

	return false;
}

/**
 * pipe_buf_is_lost() - is this buffer not worth to be kept?
 * @buf:	a buffer that pipe_buf_confirm() failed for
 *
 * Context: the pipe is locked.
 * Return: true if its data was lost to a memory error. Whoever tells the reader
 * has to drop it then.
 */
bool pipe_buf_is_lost(const struct pipe_buffer *buf)
{
	return buf->ops == &lost_pipe_buf_ops || PageHWPoison(buf->page);
}

/**
 * pipe_drop_lost() - drop the first buffer that is not empty, if it is lost
 * @pipe:	the pipe, locked
 *
 * The caller is about to return the error to the reader.
 *
 * Context: process context.
 */
void pipe_drop_lost(struct pipe_inode_info *pipe)
{
	unsigned int mask = pipe->ring_size - 1;

	while (!pipe_empty(pipe->head, pipe->tail)) {
		struct pipe_buffer *buf = &pipe->bufs[pipe->tail & mask];
		bool lost = buf->len && pipe_buf_is_lost(buf);

		if (buf->len && !lost)
			return;
		pipe_buf_release(pipe, buf);
		pipe->tail++;
		if (lost)
			return;
	}
}
