/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pipe buffers with a memory error, see pipe-hwpoison.c.
 */
#ifndef _FS_PIPE_HWPOISON_H
#define _FS_PIPE_HWPOISON_H

#include <linux/errno.h>
#include <linux/types.h>

struct iov_iter;
struct pipe_buffer;
struct pipe_inode_info;

#ifdef CONFIG_MEMORY_FAILURE

int pipe_buf_mend(struct pipe_inode_info *pipe, struct pipe_buffer *buf,
		  struct iov_iter *to, size_t good);
bool pipe_mend(struct pipe_inode_info *pipe);
bool pipe_buf_is_lost(const struct pipe_buffer *buf);
void pipe_drop_lost(struct pipe_inode_info *pipe);

#else /* !CONFIG_MEMORY_FAILURE */

static inline int pipe_buf_mend(struct pipe_inode_info *pipe,
				struct pipe_buffer *buf, struct iov_iter *to,
				size_t good)
{
	return -EFAULT;
}

static inline bool pipe_mend(struct pipe_inode_info *pipe)
{
	return false;
}

static inline bool pipe_buf_is_lost(const struct pipe_buffer *buf)
{
	return false;
}

static inline void pipe_drop_lost(struct pipe_inode_info *pipe)
{
}

#endif /* CONFIG_MEMORY_FAILURE */
#endif /* _FS_PIPE_HWPOISON_H */
