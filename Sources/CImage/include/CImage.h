/*
 * The libraries that read and write images: libarchive (tar), zlib and zstd (layers), libext2fs (root images); and what
 * of them Swift cannot call. Nothing here decides anything.
 */
#ifndef SVMM_CIMAGE_H
#define SVMM_CIMAGE_H

#include <archive.h>
#include <archive_entry.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <zlib.h>
#include <zstd.h>

/* inflateInit2() is a macro. The stream's header may be gzip's or zlib's. */
static inline int svmm_inflate_init(z_stream *stream)
{
    return inflateInit2(stream, 15 + 32);
}

#endif
