/* SPDX-License-Identifier: ISC */
#ifndef COMMON_FS_H
#define COMMON_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * File-system calls as Postrider uses them: by descriptor, without following
 * links, everything close-on-exec, EINTR and short writes dealt with.
 * -1 and errno on failure.
 */

/* O_DIRECTORY | O_NOFOLLOW below an open folder (or AT_FDCWD). */
int fs_open_dir(int parent, const char *path);

/* Read-only, must be a regular file; a FIFO does not hang us (A23). */
int fs_open_file(int parent, const char *path);

/* Make a folder with exactly this mode (whatever the umask). EEXIST is ok. */
int fs_make_dir(int parent, const char *path, mode_t mode);

/*
 * A new file without a name (O_TMPFILE) on the file system of that folder;
 * *writer and *reader are two descriptors on it.  Where there are no
 * unnamed files (ENOTSUP from the kernel): EOPNOTSUPP, and the caller makes
 * a named one.
 */
int fs_unnamed(int folder, mode_t mode, int *writer, int *reader);

/*
 * Keep /proc/self/fd reachable for fs_link after a chroot.  Call before.
 */
int fs_keep_proc(void);

/* Give the file behind a descriptor a name.  EEXIST is the caller's. */
int fs_link(int fd, int folder, const char *name);

/*
 * No process has this file open for writing, nor ever will again through
 * an existing descriptor (read lease, MEASURED in postrider-spool(5)).  fd
 * is read-only.  1 yes, 0 a writer is left, -1 the file system has no
 * leases.
 */
int fs_no_writer(int fd);

int fs_write_all(int fd, const void *octets, size_t n);
int fs_write_at(int fd, const void *octets, size_t n, off_t where);

/* Whole file into memory, at most max octets (EFBIG). free() *octets. */
int fs_read_all(int fd, size_t max, char **octets, size_t *n);

/* Copy in the kernel where it can; from the readers' current offsets. */
int fs_copy(int from, int to, uint64_t octets);

int fs_sync(int fd);
int fs_sync_dir(int parent, const char *path);

/*
 * What the file system of fd keeps over a power cut; postrider-spool(5),
 * "ORDER ON DISK".  Ordered: names, as they were before one moment (S3; ext4,
 * XFS).  Syncs names: fsync(2) of a file brings the names that it was given
 * to the disk, too (S2; those and Btrfs).
 */
bool fs_keeps_order(int fd);
bool fs_syncs_names(int fd);

/* 64 random bits as 16 hex digits and a NUL (getrandom). */
enum { FS_ID_SIZE = 17 };
void fs_random_id(char out[FS_ID_SIZE]);

/* An exclusive lock without waiting (flock). EWOULDBLOCK when held. */
int fs_lock(int fd);

#endif
