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
#include <locale.h>
#include <zlib.h>
#include <zstd.h>

/* inflateInit2() is a macro. The stream is one of gzip. */
static inline int svmm_inflate_init(z_stream *stream)
{
    return inflateInit2(stream, 15 + 16);
}

/* deflateInit2() is a macro. The stream becomes one of gzip. */
static inline int svmm_deflate_init(z_stream *stream, int level)
{
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/*
 * libarchive converts names of pax headers, which are UTF-8, to the locale's character set. Makes that UTF-8 for the
 * calling thread; returns what was before, for svmm_restore_locale. The C library has this locale built in.
 */
static inline void *svmm_use_utf8_locale(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return locale ? (void *)uselocale(locale) : (void *)0;
}

static inline void svmm_restore_locale(void *before)
{
    if (before) {
        locale_t used = uselocale((locale_t)before);
        freelocale(used);
    }
}

/* libext2fs's access to files: a variable. */
static inline io_manager svmm_file_io(void)
{
    return unix_io_manager;
}

#endif
